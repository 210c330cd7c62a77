import type { EntryId } from '#kernel'
import type { ContextEdited, PartRef, Summary } from '#journal'
import { firstOf, lastOf, type Shown, showEntry, type ShowOptions, showSummary } from './shown.ts'

/** What changes in a frontier. Applying is total: what names nothing that is shown changes nothing. */
export interface Edit {
  readonly swap: readonly Summary[]
  readonly prune: readonly PartRef[]
  readonly cut: readonly { readonly ref: PartRef; readonly tokens: number }[]
  readonly restore: readonly PartRef[]
}

export const noEdit: Edit = { swap: [], prune: [], cut: [], restore: [] }

export function mergeEdits(a: Edit, b: Edit): Edit {
  return {
    swap: [...a.swap, ...b.swap],
    prune: [...a.prune, ...b.prune],
    cut: [...a.cut.filter(one => !b.cut.some(other => other.ref === one.ref)), ...b.cut],
    restore: [...a.restore, ...b.restore],
  }
}

export function applyEdit(items: readonly Shown[], edit: Edit, options: ShowOptions): readonly Shown[] {
  const swapped = edit.swap.reduce<readonly Shown[]>((now, summary) => swapIn(now, summary) ?? now, items)
  const touched = new Set([...edit.prune, ...edit.restore, ...edit.cut.map(({ ref }) => ref)].map(entryOfRef))
  if (touched.size === 0) return swapped
  const prune = new Set(edit.prune)
  const restore = new Set(edit.restore)
  const cuts = new Map(edit.cut.map(({ ref, tokens }) => [ref, tokens]))
  return swapped.map(item => {
    if (item.kind === 'summary' || !touched.has(item.entry.id)) return item
    const refs = item.entry.message.parts.map((_, part): PartRef => `${item.entry.id}#${part}`)
    const pruned = refs.flatMap((ref, part) =>
      prune.has(ref) || (item.pruned.includes(part) && !restore.has(ref)) ? [part] : [],
    )
    const cut = refs.flatMap((ref, part) => {
      const before = restore.has(ref) ? undefined : item.cut.find(one => one.part === part)?.tokens
      const tokens = cuts.get(ref) ?? before
      return tokens === undefined || pruned.includes(part) ? [] : [{ part, tokens }]
    })
    return showEntry(item.entry, options, { pruned, cut })
  })
}

/** The frontier with a node in place of its whole range; undefined when the range's ends are not where items begin and end. */
export function swapIn(items: readonly Shown[], summary: Summary): readonly Shown[] | undefined {
  const from = items.findIndex(item => firstOf(item) === summary.covers.first)
  if (from < 0) return undefined
  let to = from
  while (to < items.length && lastOf(items[to] as Shown) !== summary.covers.last) to++
  if (to === items.length) return undefined
  return [...items.slice(0, from), showSummary(summary), ...items.slice(to + 1)]
}

/** An edit as its entry says it; the nodes must be at hand. */
export function editOf(entry: ContextEdited, node: (id: Summary['id']) => Summary | undefined): Edit {
  return {
    swap: entry.swapped.flatMap(id => node(id) ?? []),
    prune: entry.pruned,
    cut: entry.cut,
    restore: entry.restored,
  }
}

export const entryOfRef = (ref: PartRef): EntryId => ref.slice(0, ref.indexOf('#')) as EntryId
