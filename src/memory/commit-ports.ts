import type { EntryId, JobId, JsonObject } from '#kernel'
import type { Change, SessionRow } from '#journal'
import type { SessionCore } from '#session'

/** What a commit, or `prepareCommit`, gives to be learnt from. */
export interface ExtractionAsk {
  readonly core: SessionCore
  readonly row: SessionRow
  /** Up to here: the end that is sealed. On the branch of `endEntry`. */
  readonly toSeq: number
  readonly endEntry: EntryId
  /** `false`: the range is recorded as skipped by its caller, without a job. */
  readonly extract: boolean
  /** ISO 8601 with zone, for relative dates. */
  readonly sessionTime?: string
  readonly traceId?: string
}

/** Rides in the commit's first transaction. `changes` hold their own expectations, so that a race is `store.conflict`. */
export interface ExtractionPlan {
  readonly changes: readonly Change[]
  readonly jobs: readonly JobId[]
  readonly extraction: 'queued' | 'skipped' | 'none'
}

/** What archives ask of extraction. */
export interface ExtractionPort {
  /** What is cut from `queuedTo + 1` to `toSeq`; nothing to cut is `none` without changes. */
  extractionChanges(ask: ExtractionAsk): Promise<ExtractionPlan>
  /** Waits until the ranges that stand have ended, `waitMs` at most. What failed is told, never thrown. */
  extractionSettled(core: SessionCore, waitMs: number, signal?: AbortSignal): Promise<JsonObject>
  /** Of the ranges as they stand: another text when one was added or rewound. Prepared tokens are bound to it. */
  extractionMark(core: SessionCore): Promise<string>
  /** For `info().extraction`. */
  extractionInfo(core: SessionCore, row: SessionRow): Promise<JsonObject>
}

/** What archives ask to be shown of memories and working state; each text stands escaped in an envelope of its own. */
export interface ShownMemory {
  readonly kind: 'profile' | 'state' | 'recall'
  readonly id: string
  readonly text: string
}
export interface InjectionPort {
  profile(core: SessionCore, row: SessionRow): Promise<readonly ShownMemory[]>
  state(core: SessionCore, row: SessionRow): Promise<readonly ShownMemory[]>
  /** By rank. `degraded`: what failed on the way. */
  recall(core: SessionCore, row: SessionRow, query: string): Promise<readonly ShownMemory[]>
}
