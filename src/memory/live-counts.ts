import type { EntryId } from '#kernel'
import { type Entry, isType, noTotals, type SessionRow, type Totals } from '#journal'
import type { SessionCore } from '#session'
import { beginsTurn, cursorOf, moveOf } from './commit-cursor.ts'
import { liveBranch, liveFrom } from './live-branch.ts'

/** What is live: on the leaf's branch behind the newest archive. Tokens as the context room estimates them. */
export interface LiveCounts {
  readonly liveMessages: number
  readonly liveTokens: number
}

/** Where what is live begins. */
export interface LiveStart {
  /** The branch's entry right before it; null at the root, and where nothing is live. */
  readonly before: EntryId | null
  /** When the oldest live message was said; null where none is. */
  readonly oldestAt: number | null
}

/** A subtraction. Laws M1, M2. */
export async function liveCounts(core: SessionCore, row: SessionRow): Promise<LiveCounts> {
  const base = await baseOf(core, row)
  return { liveMessages: row.totals.messages - base.messages, liveTokens: row.totals.tokens - base.tokens }
}

/** Counts of the branch up to the newest archive's end; behind a moved leaf they are read once. */
export async function baseOf(core: SessionCore, row: SessionRow): Promise<Totals> {
  const cursor = cursorOf(row)
  if (cursor.archivedTo === 0) return noTotals
  if (cursor.move === moveOf(row)) return cursor.base
  const found = bases.get(core.memory)
  if (found?.archivedTo === cursor.archivedTo && found.move === moveOf(row)) return found.base
  const { before } = await liveStart(core, row)
  // Where nothing is live the leaf stands among what is sealed.
  const entry = before === null ? undefined : await core.store.entry(core.id, before)
  const base = before === null ? row.totals : (entry?.totals ?? noTotals)
  bases.set(core.memory, { archivedTo: cursor.archivedTo, move: moveOf(row), base })
  return base
}

const bases = new WeakMap<
  SessionCore['memory'],
  { readonly move: string | null; readonly archivedTo: number; readonly base: Totals }
>()

interface Known {
  readonly move: string | null
  readonly archivedTo: number
  readonly start: LiveStart
}
const known = new WeakMap<SessionCore['memory'], Known>()

/** It changes with the watermark and with a move of the leaf alone, and is read once for each: a few entries. */
export async function liveStart(core: SessionCore, row: SessionRow): Promise<LiveStart> {
  const { archivedTo } = cursorOf(row)
  const move = moveOf(row)
  const found = known.get(core.memory)
  if (found?.archivedTo === archivedTo && found.move === move) return found.start
  let first: Entry | undefined
  let message: Entry | undefined
  for await (const entry of liveFrom(await liveBranch(core, row), archivedTo, 4)) {
    first ??= entry
    if (!isType(entry, 'message_added')) continue
    message = entry
    break
  }
  const start: LiveStart = { before: first?.parentId ?? null, oldestAt: message?.at ?? null }
  // Before anything is said, more of it may come.
  if (message !== undefined) known.set(core.memory, { move, archivedTo, start })
  return start
}

const pageSize = 200

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
