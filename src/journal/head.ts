import type { EntryId, JsonObject, SessionId } from '#kernel'
import type { Totals } from './entry.ts'

export type SessionState = 'active' | 'ended' | 'deleted'

/** Sums that commute, so any process may add to them. Money in nano-dollars. */
export const counters = [
  'turnCount',
  'requests',
  'unknownRequests',
  'costNano',
  'inputTokens',
  'cacheReadTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'outputTokens',
  'reasoningTokens',
] as const
export type Counter = (typeof counters)[number]
export type Counters = { readonly [C in Counter]: number }

export const noCounters: Counters = {
  turnCount: 0,
  requests: 0,
  unknownRequests: 0,
  costNano: 0,
  inputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
}

/** What can be set on a session beside its journal. The journal room computes it from entries; the store only keeps it. */
export interface SessionFields {
  readonly state: SessionState
  /** A copy that is still being made: in no list, opened by nobody. */
  readonly hidden: boolean
  readonly title: string | null
  readonly preview: string | null
  readonly user: string | null
  readonly agent: string
  readonly platform: string | null
  readonly cwd: string | null
  readonly parent: SessionId | null
  readonly model: string | null
  readonly tags: readonly string[]
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastMessageAt: number | null
  readonly lastAccessedAt: number
}

/**
 * Changes to a session's row that ride with an append. `set` replaces fields (times never go back), `merge` is an
 * RFC 7396 patch of `data`, so members commute; `add` adds to counters; `totals` come with a leaf.
 */
export interface HeadPatch {
  readonly set?: Partial<SessionFields>
  readonly merge?: JsonObject
  readonly add?: Partial<Counters>
  /** The entry that the session ends at from now on. Needs the fence. */
  readonly setsLeaf?: EntryId
  readonly totals?: Totals
}

/** The row that stands for a session. `totals` and `leafId` belong together. */
export interface SessionRow extends SessionFields {
  readonly id: SessionId
  readonly alias: string | null
  readonly seq: number
  readonly leafId: EntryId | null
  readonly totals: Totals
  readonly counters: Counters
  readonly data: JsonObject
  readonly lease: Lease
}

/** Who may extend the branch. `token` only grows, by one per new holder; `owner` is null when nobody holds it. */
export interface Lease {
  readonly owner: string | null
  readonly token: number
  readonly until: number
}

export const noLease: Lease = { owner: null, token: 0, until: 0 }

const latest = ['updatedAt', 'lastMessageAt', 'lastAccessedAt'] as const

/** Applies a patch; total. Times only move forward, whatever a clock says. */
export function patchHead(
  row: SessionRow,
  patch: HeadPatch,
  merge: (data: JsonObject, patch: JsonObject) => JsonObject,
): SessionRow {
  const set = { ...patch.set } as { -readonly [F in keyof SessionFields]?: SessionFields[F] }
  for (const field of latest) {
    const next = set[field]
    if (next != null) set[field] = Math.max(next, row[field] ?? 0)
  }
  return {
    ...row,
    ...set,
    ...(patch.setsLeaf === undefined ? {} : { leafId: patch.setsLeaf }),
    ...(patch.totals === undefined ? {} : { totals: patch.totals }),
    ...(patch.add === undefined ? {} : { counters: addCounters(row.counters, patch.add) }),
    ...(patch.merge === undefined ? {} : { data: merge(row.data, patch.merge) }),
  }
}

/** Sums stop at the largest number that every adapter can keep: what a caller claims never makes a row unreadable. */
export function addCounters(base: Counters, add: Partial<Counters>): Counters {
  const sum = { ...base } as Record<Counter, number>
  for (const counter of counters) sum[counter] = Math.min(sum[counter] + (add[counter] ?? 0), Number.MAX_SAFE_INTEGER)
  return sum
}
