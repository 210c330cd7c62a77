import { isObject } from '#kernel'
import type { RecallTerm } from '#context'
import type { Entry, SessionRow } from '#journal'
import { type BranchSpans, isOnBranch, type Place } from './branch-spans.ts'
import type { SessionCore } from './core.ts'

/** Of a hit, in UTF-16 units. */
export const excerptLength = 400

/** What of a session recall reads. */
export type Reading = Pick<SessionCore, 'id' | 'store' | 'memory' | 'runtime'>

/** One session's branch. */
export interface RecallSource {
  readonly reading: Reading
  readonly row: SessionRow
  readonly spans: BranchSpans
  /** Those of sessions that were forked from it, each with the newest entry that was copied: what those show is found there. */
  readonly copies: readonly { readonly spans: BranchSpans; readonly upTo: number }[]
}

/** Whether an entry of the session is to be found in this source. */
export function isIn({ spans, copies }: RecallSource, place: Place): boolean {
  return isOnBranch(spans, place) && !copies.some(copy => place.seq <= copy.upTo && isOnBranch(copy.spans, place))
}

/** What is looked for. */
export interface RecallAsk {
  readonly query: string
  readonly terms: readonly RecallTerm[]
  readonly limit: number
  readonly cursor: string | undefined
  takes(entry: Entry): boolean
}

export interface RecallMatch {
  readonly source: RecallSource
  readonly entry: Entry
  readonly excerpt: string
}

/** Whose words an entry holds: a message's role, else its type. */
export function roleOf({ type, data }: Pick<Entry, 'type' | 'data'>): string {
  if (type === 'message_added' && isObject(data) && typeof data['role'] === 'string') return data['role']
  return type === 'context_noted' ? 'note' : type
}
