import type { EntryId } from '#kernel'
import { type Entry, isPath, isType, type SessionRow } from '#journal'
import type { SessionCore } from './core.ts'
import { isShown } from './read-messages.ts'

/** Where in the journal an entry stands. */
export type Place = Pick<Entry, 'seq' | 'parentId'>

/**
 * The stretches of the journal that a branch is made of, newest first, by `seq`: within each every path entry follows on the one
 * before. A session whose leaf was never moved has one.
 */
export type BranchSpans = readonly { readonly from: number; readonly to: number }[]

export const contentTypes: readonly string[] = ['message_added', 'custom', 'context_noted']

/** Messages, notes and entries of a caller's own with a text: what is shown, covered or hidden, and nothing else. */
export const isContent = (entry: Entry): boolean => isShown(entry) || isType(entry, 'context_noted')

/** What of a session tells its branch. */
type Reading = Pick<SessionCore, 'id' | 'store' | 'memory'>

interface Move {
  readonly seq: number
  /** Of the entry that it went to. */
  readonly to: number
}
const known = new WeakMap<
  SessionCore['memory'],
  { readonly newest: unknown; readonly moves: readonly Move[]; readonly upTo: number }
>()

/** Reads no entry of the branch: where the leaf was moved says it all. Each move is read once per session object. */
export async function branchSpans(reading: Reading, row: SessionRow): Promise<BranchSpans> {
  if (row.leafId === null) return []
  if (row.data['moved'] === undefined) return [{ from: 1, to: row.seq }]
  const leaf = await reading.store.entry(reading.id, row.leafId)
  const moves = await movesOf(reading, row)
  const spans: { from: number; to: number }[] = []
  let to = leaf?.seq ?? 0
  for (const move of moves.toReversed()) {
    if (move.seq > to) continue
    spans.push({ from: move.seq + 1, to })
    to = move.to
  }
  return [...spans, { from: 1, to }]
}

export function isOnBranch(spans: BranchSpans, place: Place): boolean {
  return (place.parentId !== null || place.seq === 1) && isWithin(spans, place.seq)
}

export const isWithin = (spans: BranchSpans, seq: number): boolean => spans.some(({ from, to }) => from <= seq && seq <= to)

/** All moves of the leaf, oldest first. */
async function movesOf(reading: Reading, row: SessionRow): Promise<readonly Move[]> {
  const { moved } = row.data
  const before = known.get(reading.memory)
  if (before !== undefined && before.newest === moved) return before.moves
  const moves = [...(before?.moves ?? [])]
  let upTo = before?.upTo ?? 0
  for (let more = true; more;) {
    const page = await reading.store.entries(reading.id, { after: upTo, before: row.seq + 1, types: moveTypes, limit: pageSize })
    const added = await Promise.all(page.map(entry => moveOf(reading, row, entry)))
    moves.push(...added.flatMap(move => move ?? []))
    upTo = page.at(-1)?.seq ?? upTo
    more = page.length === pageSize
  }
  known.set(reading.memory, { newest: moved, moves, upTo })
  return moves
}

/** A move that was erased says no more where it went; what was added next does. */
const moveTypes: readonly string[] = ['leaf_moved', 'erased']
const pageSize = 500

async function moveOf(reading: Reading, row: SessionRow, entry: Entry): Promise<Move | undefined> {
  const to = isType(entry, 'leaf_moved') ? entry.data.to : isErasedMove(entry) ? await nextParent(reading, row, entry.seq) : null
  const target = to === null ? undefined : await reading.store.entry(reading.id, to)
  return target === undefined ? undefined : { seq: entry.seq, to: target.seq }
}

/** Of all entries beside the branch moves alone carry counts. */
const isErasedMove = ({ type, parentId, totals, seq }: Entry): boolean =>
  type === 'erased' && parentId === null && totals !== undefined && seq > 1

/** The parent of the first entry of a branch behind a place, else the leaf. */
async function nextParent(reading: Reading, row: SessionRow, seq: number): Promise<EntryId | null> {
  for (let after = seq; after < row.seq;) {
    const page = await reading.store.entries(reading.id, { after, before: row.seq + 1, limit: 20 })
    const next = page.find(isPath)
    if (next !== undefined) return next.parentId
    after = page.at(-1)?.seq ?? row.seq
  }
  return row.leafId
}

/** What a context can show right before an entry of the branch. */
export async function contentBefore({ id, store }: Reading, { parentId }: Place): Promise<Entry | undefined> {
  for (let from = parentId; from !== null;) {
    const page: readonly Entry[] = await store.branch(id, { from, types: contentTypes, limit: fewAtOnce })
    const found = page.find(isContent)
    if (found !== undefined) return found
    from = page.length < fewAtOnce ? null : (page.at(-1)?.parentId ?? null)
  }
  return undefined
}

/** What a context can show right after an entry of the branch. */
export async function contentAfter({ id, store }: Reading, spans: BranchSpans, { seq }: Place): Promise<Entry | undefined> {
  for (const { from, to } of spans.toReversed()) {
    if (to <= seq) continue
    for (let after = Math.max(seq, from - 1); after < to;) {
      const page = await store.entries(id, { after, before: to + 1, types: contentTypes, limit: fewAtOnce })
      const found = page.find(entry => isContent(entry) && entry.parentId !== null)
      if (found !== undefined) return found
      after = page.length < fewAtOnce ? to : (page.at(-1)?.seq ?? to)
    }
  }
  return undefined
}
const fewAtOnce = 2
