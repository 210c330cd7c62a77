import type { EntryId } from '#kernel'
import type { HiddenReason, Repair, RepairRule, Shown, ShownEntry } from '#context'
import {
  type CompactionId,
  type ContextEdited,
  isType,
  type PartRef,
  type SessionRow,
  type Summary,
  type SummaryId,
} from '#journal'
import { branchSpans, isOnBranch, type Place } from './branch-spans.ts'
import type { SessionCore } from './core.ts'
import { splitRef } from './expand.ts'
import type { Frontier } from './frontier.ts'
import { readSummary } from './summary-nodes.ts'

/** Why an entry stands nowhere in the context. */
export type AbsentReason = 'other_branch' | 'not_content' | HiddenReason | RepairRule

/** How an entry, or a part of it, stands in the context now. */
export interface Standing {
  readonly shown: 'raw' | 'pruned' | 'cut' | 'summary' | 'absent'
  /** The summaries that stand for it, from the one that is shown down to its leaf. */
  readonly via: readonly SummaryId[]
  /** The compaction that made it so; `null`: none did. */
  readonly since: CompactionId | null
  /** Of what is absent, why; else `null`. */
  readonly reason: AbsentReason | null
  /** As it is shown: its own, those of the summary that stands for it, or none. */
  readonly tokens: number
}

/** A place of the context, in its order. */
export interface ContextItem extends Standing {
  readonly ref: EntryId | SummaryId
  readonly kind: 'summary' | 'entry' | 'note'
}

/** A context as it was made: what stands in it, and what was left out for its provider. */
export interface Rendered {
  readonly frontier: Frontier
  /** Of whom something is left. */
  readonly refs: ReadonlySet<string>
  readonly repairs: readonly Repair[]
}

/** Where entries stand, for who asks after many: the frontier summary that covers each, without the way down to its leaf. */
export interface Standings {
  of(entry: Place & { readonly id: EntryId }, part?: number): Promise<Standing>
}

export async function readStandings(core: SessionCore, row: SessionRow, context: Rendered): Promise<Standings> {
  const spans = await branchSpans(core, row)
  const { items } = context.frontier
  const entries = new Map<EntryId, ShownEntry>()
  for (const item of items) if (item.kind === 'entry') entries.set(item.entry.id, item)
  return {
    async of(entry, part) {
      const item = entries.get(entry.id)
      if (item !== undefined) return standingOf(item, context, part)
      const cover = isOnBranch(spans, entry) ? await coverOf(core, items, entry.seq) : undefined
      return cover === undefined ? absent('other_branch') : covered(cover)
    },
  }
}

/** Every place of the context, hidden ones too, as `explain` says it. */
export async function contextItems(core: SessionCore, context: Rendered): Promise<ContextItem[]> {
  const { frontier } = context
  const found = frontier.items.map((item): ContextItem => {
    if (item.kind === 'summary') return { ref: item.summary.id, kind: 'summary', ...covered(item.summary) }
    return {
      ref: item.entry.id,
      kind: item.entry.note === undefined ? 'entry' : 'note',
      ...standingOf(item, context),
    }
  })
  const causes = await causesOf(core, frontier, found.filter(isChanged))
  return found.map(item => ({ ...item, since: causes.get(item.ref) ?? null }))
}

const isChanged = ({ shown }: Standing): boolean => shown === 'summary' || shown === 'pruned' || shown === 'cut'

const standing = { via: [], since: null, reason: null } as const
export const absent = (reason: AbsentReason): Standing => ({ ...standing, shown: 'absent', reason, tokens: 0 })
const covered = ({ id, tokens }: Summary): Standing => ({ ...standing, shown: 'summary', via: [id], tokens })

function standingOf(item: ShownEntry, { refs, repairs }: Rendered, part?: number): Standing {
  const { entry, hidden, pruned, cut, tokens } = item
  if (hidden !== undefined) return absent(hidden)
  if (!refs.has(entry.id)) return absent(ruleOf(repairs, entry.id))
  const isPruned = part === undefined ? pruned.length > 0 : pruned.includes(part)
  const isCut = part === undefined ? cut.length > 0 : cut.some(one => one.part === part)
  return { ...standing, shown: isPruned ? 'pruned' : isCut ? 'cut' : 'raw', tokens }
}

/** The last rule that took something of the entry away. */
function ruleOf(repairs: readonly Repair[], id: EntryId): RepairRule {
  return repairs.findLast(({ ref }) => ref === id || ref.startsWith(`${id}#`))?.rule ?? 'empty_message'
}

/** The summary that stands for an entry of the branch. */
async function coverOf(core: SessionCore, items: readonly Shown[], seq: number): Promise<Summary | undefined> {
  const summaries = items.flatMap(item => (item.kind === 'summary' ? [item.summary] : []))
  const ranges = await Promise.all(summaries.map(summary => rangeOf(core, summary)))
  return summaries[ranges.findIndex(({ from, to }) => from <= seq && seq <= to)]
}

const known = new WeakMap<Summary, { readonly from: number; readonly to: number }>()

/** Where a summary's first and last entry stand in the journal. */
async function rangeOf({ id, store }: SessionCore, summary: Summary): Promise<{ readonly from: number; readonly to: number }> {
  const { first, last } = summary.covers
  const before = known.get(summary)
  if (before !== undefined) return before
  const [from, to] = await Promise.all([store.entry(id, first), store.entry(id, last)])
  const range = { from: from?.seq ?? Infinity, to: to?.seq ?? -1 }
  known.set(summary, range)
  return range
}

/** With the way down to the leaf, and the compaction that made it so. */
export async function withCauses(
  core: SessionCore,
  frontier: Frontier,
  { id, seq }: Place & { readonly id: EntryId },
  found: Standing,
): Promise<Standing> {
  if (!isChanged(found)) return found
  const [top] = found.via
  const via = top === undefined ? [] : await wayDown(core, top, seq)
  const causes = await causesOf(core, frontier, [{ ref: top ?? id }])
  return { ...found, via, since: causes.get(top ?? id) ?? null }
}

/** From a node to the leaf that covers the entry. */
async function wayDown(core: SessionCore, top: SummaryId, seq: number): Promise<SummaryId[]> {
  const way: SummaryId[] = []
  for (let node = await readSummary(core, top); node !== undefined;) {
    way.push(node.id)
    const read: (Summary | undefined)[] = await Promise.all(node.children.map(child => readSummary(core, child)))
    const children = read.flatMap(child => child ?? [])
    const ends = await Promise.all(children.map(child => rangeOf(core, child)))
    node = children[ends.findIndex(({ to }) => seq <= to)]
  }
  return way
}

/** The compaction of the newest edit that swapped, pruned or cut each; looked for from the newest edit back. */
async function causesOf(
  core: SessionCore,
  frontier: Frontier,
  wanted: readonly { readonly ref: EntryId | SummaryId }[],
): Promise<ReadonlyMap<string, CompactionId>> {
  const left = new Set<string>(wanted.map(({ ref }) => ref))
  const causes = new Map<string, CompactionId>()
  for (let from = frontier.edit?.id ?? null; from !== null && left.size > 0;) {
    const page = await core.store.branch(core.id, { from, types: ['context_edited'], limit: editsAtOnce })
    for (const entry of page) {
      if (!isType(entry, 'context_edited')) continue
      for (const ref of changedBy(entry.data)) {
        if (!left.delete(ref) || entry.data.compaction === undefined) continue
        causes.set(ref, entry.data.compaction)
      }
    }
    from = page.length < editsAtOnce ? null : (page.at(-1)?.parentId ?? null)
  }
  return causes
}

const editsAtOnce = 20
const entryOf = (ref: PartRef): string => splitRef(ref).entry

const changedBy = ({ swapped, pruned, cut }: ContextEdited): string[] => [
  ...swapped,
  ...pruned.map(entryOf),
  ...cut.map(({ ref }) => entryOf(ref)),
]
