import { type EntryId, isObject, type JsonObject } from '#kernel'
import { type Entry, isType, noTotals, type SessionRow, type Totals } from '#journal'
import type { SessionCore } from '#session'

/** The reader whose watermark is the end of the newest archive. */
export const archiveReader = 'archive'

/** What commits leave with the session's row. */
export interface Cursor {
  /** End of the newest archive; 0 before the first. */
  readonly archivedTo: number
  readonly commits: number
  readonly lastCommitAt: number | null
  /** Counts of the branch up to the newest archive's end, and the newest leaf move by then. */
  readonly base: Totals
  readonly move: string | null
}

export const noCursor: Cursor = { archivedTo: 0, commits: 0, lastCommitAt: null, base: noTotals, move: null }

export function cursorOf(row: Pick<SessionRow, 'data'>): Cursor {
  const stored = row.data['archive']
  // What is null is not kept in a row's data.
  return isObject(stored) ? { ...noCursor, ...(stored as unknown as Cursor) } : noCursor
}

export const moveOf = (row: Pick<SessionRow, 'data'>): string | null =>
  typeof row.data['moved'] === 'string' ? row.data['moved'] : null

export const cursorData = (cursor: Cursor): JsonObject => ({ archive: cursor as unknown as JsonObject })

/** What is live: on the leaf's branch behind the newest archive. Tokens as the context room estimates them. */
export interface LiveCounts {
  readonly liveMessages: number
  readonly liveTokens: number
}

const pageSize = 200
const bases = new WeakMap<
  SessionCore['memory'],
  { readonly leafId: EntryId | null; readonly archivedTo: number; readonly base: Totals }
>()

/** A subtraction; only behind a leaf that was moved since the newest commit the way back is read, once. Laws M1, M2. */
export async function liveCounts(core: SessionCore, row: SessionRow): Promise<LiveCounts> {
  const base = await baseOf(core, row)
  return { liveMessages: row.totals.messages - base.messages, liveTokens: row.totals.tokens - base.tokens }
}

/** Counts of the branch up to the newest archive's end. */
export async function baseOf(core: SessionCore, row: SessionRow): Promise<Totals> {
  const cursor = cursorOf(row)
  if (cursor.archivedTo === 0) return noTotals
  if (cursor.move === moveOf(row)) return cursor.base
  const known = bases.get(core.memory)
  if (known?.leafId === row.leafId && known.archivedTo === cursor.archivedTo) return known.base
  const base = (await placeBefore(core, row.leafId, cursor.archivedTo))?.totals ?? noTotals
  bases.set(core.memory, { leafId: row.leafId, archivedTo: cursor.archivedTo, base })
  return base
}

/** The newest entry of the branch that stands at or before `seq`. */
async function placeBefore(core: SessionCore, leafId: EntryId | null, seq: number): Promise<Entry | undefined> {
  for (let from = leafId; from !== null;) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, limit: pageSize })
    const found = page.find(entry => entry.seq <= seq)
    if (found !== undefined) return found
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
  return undefined
}

/** The branch behind `seq`, oldest first: every entry that has a place on it. */
export async function branchAfter(
  core: Pick<SessionCore, 'id' | 'store'>,
  leafId: EntryId | null,
  seq: number,
): Promise<Entry[]> {
  const found: Entry[] = []
  for (let from = leafId; from !== null;) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, limit: pageSize })
    for (const entry of page) {
      if (entry.seq <= seq) return found.reverse()
      found.push(entry)
    }
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
  return found.reverse()
}

/** An ask begins with this entry: a turn, or a user message that belongs to none. */
export const beginsTurn = (entry: Entry): boolean =>
  isType(entry, 'turn_started') || (isType(entry, 'message_added') && entry.data.role === 'user' && entry.turn === undefined)

interface Asks {
  readonly leafId: EntryId
  readonly archivedTo: number
  readonly turns: number
}
const asks = new WeakMap<SessionCore['memory'], Asks>()

/** How many asks are live. What was counted for an older leaf is counted on, not again. Law M2. */
export async function liveTurns(core: SessionCore, row: SessionRow): Promise<number> {
  const { archivedTo } = cursorOf(row)
  if (row.leafId === null) return 0
  const known = asks.get(core.memory)
  const before = known?.archivedTo === archivedTo ? known : undefined
  let turns = 0
  walk: for (let from: EntryId | null = row.leafId, limit = 16; from !== null; limit = pageSize) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, limit })
    for (const entry of page) {
      if (entry.seq <= archivedTo) break walk
      if (entry.id === before?.leafId) {
        turns += before.turns
        break walk
      }
      if (beginsTurn(entry)) turns++
    }
    from = page.length < limit ? null : (page.at(-1)?.parentId ?? null)
  }
  asks.set(core.memory, { leafId: row.leafId, archivedTo, turns })
  return turns
}
