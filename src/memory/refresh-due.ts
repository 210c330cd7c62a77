import { isObject } from '#kernel'
import type { Entry, SessionRow } from '#journal'
import type { SessionCore } from '#session'
import { beginsTurn } from './commit-cursor.ts'
import type { DueOptions } from './state-input.ts'

export const refreshTurns = 10
export const refreshTokens = 10_000

/** What a refresh had read when it last looked: the branch's counts then. */
export interface Refreshed {
  readonly seq: number
  readonly turns: number
  readonly tokens: number
}

/** The member of the row's data that holds it. */
export const refreshedMember = 'refreshed'

export function refreshedOf(row: Pick<SessionRow, 'data'>): Refreshed {
  const data = row.data[refreshedMember]
  const count = (member: string): number => {
    const value = isObject(data) ? data[member] : undefined
    return typeof value === 'number' ? value : 0
  }
  return { seq: count('seq'), turns: count('turns'), tokens: count('tokens') }
}

/** Turns and tokens of the branch that came after; never negative, also on a branch that is shorter than what was read. */
export function sinceRefresh(row: Pick<SessionRow, 'data' | 'totals'>): { readonly turns: number; readonly tokens: number } {
  const read = refreshedOf(row)
  return { turns: Math.max(0, row.totals.turns - read.turns), tokens: Math.max(0, row.totals.tokens - read.tokens) }
}

/** By the counts of turns and tokens alone. Pure. Law M68. */
export function refreshIsDue(
  row: Pick<SessionRow, 'data' | 'totals'>,
  { turns = refreshTurns, tokens = refreshTokens }: DueOptions = {},
): boolean {
  const since = sinceRefresh(row)
  return since.turns >= turns || since.tokens >= tokens
}

/** The same where user messages that belong to no turn are asks, too: then the branch is read, as far as it takes. */
export async function refreshDue(
  source: Pick<SessionCore, 'id' | 'store'>,
  row: SessionRow,
  { turns = refreshTurns, tokens = refreshTokens }: DueOptions = {},
): Promise<boolean> {
  return refreshIsDue(row, { turns, tokens }) || (await asksSince(source, row, turns)) >= turns
}

/** Asks of the branch behind what was read, newest first, until there are so many. */
async function asksSince({ id, store }: Pick<SessionCore, 'id' | 'store'>, row: SessionRow, most: number): Promise<number> {
  const { seq } = refreshedOf(row)
  let asks = 0
  for (let from = row.leafId, limit = 32; from !== null; limit = 200) {
    const page: readonly Entry[] = await store.branch(id, { from, types: ['turn_started', 'message_added'], limit })
    for (const entry of page) {
      if (entry.seq <= seq) return asks
      if (beginsTurn(entry) && ++asks >= most) return asks
    }
    from = page.length < limit ? null : (page.at(-1)?.parentId ?? null)
  }
  return asks
}
