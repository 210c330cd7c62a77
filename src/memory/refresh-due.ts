import { isObject } from '#kernel'
import type { SessionRow } from '#journal'
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

/** Pure. Law M68. */
export function refreshIsDue(
  row: Pick<SessionRow, 'data' | 'totals'>,
  { turns = refreshTurns, tokens = refreshTokens }: DueOptions = {},
): boolean {
  const since = sinceRefresh(row)
  return since.turns >= turns || since.tokens >= tokens
}
