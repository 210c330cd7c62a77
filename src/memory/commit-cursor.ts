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

const pageSize = 200

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
