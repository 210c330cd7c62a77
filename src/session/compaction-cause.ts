import type { RunId } from '#kernel'
import type { CompactionTrigger } from '#journal'
import type { CompactionLock } from './compaction-lock.ts'
import type { ContextState, RequestOptions } from './context-state.ts'
import type { SessionCore } from './core.ts'

export interface CompactOptions {
  /** Plans only: no model is called, nothing is written. */
  readonly dryRun?: boolean
  /** Goes on until the next request is projected to take this much. Default: the session's target. */
  readonly targetTokens?: number
  /** Added to what the summarizer is told. */
  readonly instructions?: string
  readonly only?: 'prune'
  /** Aborted: the frontier stays, finished summaries are kept for the next time. */
  readonly signal?: AbortSignal
}

/** Why it is done, and for which request. */
export interface CompactionCause {
  readonly trigger: CompactionTrigger
  /** A preparation that is shown as soon as it is made. */
  readonly early?: boolean
  readonly request?: RequestOptions
  /** What comes with the next request and is not stored: an input. */
  readonly extraTokens?: number
  /** The run that waits for it. */
  readonly run?: RunId
  /** What the provider counted, when it said that the request was too long. */
  readonly reported?: number | null
}

/** What a compaction is given: whether it may swap is asked when it comes to that. */
export interface CompactionParts {
  readonly core: SessionCore
  readonly options: CompactOptions
  readonly cause: CompactionCause
  readonly signal: AbortSignal
  readonly swaps: () => boolean
  /** Absent for a dry run. */
  readonly lock?: CompactionLock
}

/** Model tokens per estimated token, by what a provider counted that refused; without a count a quarter more than was thought. */
export function overflowFactor(state: ContextState, reported: number | null): number {
  return reported === null ? state.factor * 1.25 : Math.max(state.factor, reported / Math.max(1, state.tokens.total))
}
