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
  const swapped = swapAll(items, edit.swap)
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
  const after = swapAll(items, [summary])
  return after === items ? undefined : after
}

/** The same for many, one after the other; one that doesn't fit changes nothing. Costs what there is, not their product. */
export function swapAll(items: readonly Shown[], summaries: readonly Summary[]): readonly Shown[] {
  if (summaries.length === 0) return items
  const begins = new Map(items.map((item, at) => [firstOf(item), at]))
  const ends = new Map(items.map((item, at) => [lastOf(item), at]))
  /** What stands at each place, and where that ends; undefined: it is inside what began before. */
  const places: ({ readonly shown: Shown; readonly to: number } | undefined)[] = items.map((shown, to) => ({ shown, to }))
  let swapped = false
  for (const summary of summaries) {
    const from = begins.get(summary.covers.first)
    const to = ends.get(summary.covers.last)
    if (from === undefined || to === undefined || places[from] === undefined) continue
    const inside: number[] = []
    let end = places[from].to
    for (; end < to; end = places[end + 1]?.to ?? items.length) inside.push(end + 1)
    if (end !== to) continue
    for (const place of inside) places[place] = undefined
    places[from] = { shown: showSummary(summary), to }
    swapped = true
  }
  return swapped ? places.flatMap(place => place?.shown ?? []) : items
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
