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
import { type BranchPlaces, branchPlaces } from './branch-places.ts'
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
  of(id: EntryId, part?: number): Standing
}

export async function readStandings(core: SessionCore, row: SessionRow, context: Rendered): Promise<Standings> {
  const places = await branchPlaces(core, row)
  const { items } = context.frontier
  const entries = new Map<EntryId, ShownEntry>()
  for (const item of items) if (item.kind === 'entry') entries.set(item.entry.id, item)
  return {
    of: (id, part) => {
      const item = entries.get(id)
      if (item !== undefined) return standingOf(item, context, part)
      const cover = coverOf(items, places, id)
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

function coverOf(items: readonly Shown[], { at }: BranchPlaces, id: EntryId): Summary | undefined {
  const place = at.get(id)
  if (place === undefined) return undefined
  for (const item of items) {
    if (item.kind !== 'summary') continue
    const { first, last } = item.summary.covers
    if (place >= (at.get(first) ?? Infinity) && place <= (at.get(last) ?? -1)) return item.summary
  }
  return undefined
}

/** With the way down to the leaf, and the compaction that made it so. */
export async function withCauses(core: SessionCore, frontier: Frontier, id: EntryId, found: Standing): Promise<Standing> {
  if (!isChanged(found)) return found
  const [top] = found.via
  const via = top === undefined ? [] : await wayDown(core, top, id)
  const causes = await causesOf(core, frontier, [{ ref: top ?? id }])
  return { ...found, via, since: causes.get(top ?? id) ?? null }
}

/** From a node to the leaf that covers the entry. */
async function wayDown(core: SessionCore, top: SummaryId, id: EntryId): Promise<SummaryId[]> {
  const { at } = await branchPlaces(core, await core.row())
  const place = at.get(id) ?? -1
  const way: SummaryId[] = []
  for (let node = await readSummary(core, top); node !== undefined;) {
    way.push(node.id)
    const children: (Summary | undefined)[] = await Promise.all(node.children.map(child => readSummary(core, child)))
    node = children.find(child => child !== undefined && place <= (at.get(child.covers.last) ?? -1))
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
