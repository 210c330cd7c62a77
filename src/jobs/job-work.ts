import type { Clock, Json, Random, SessionId, Timers } from '#kernel'
import type { Change, JobRow, Store } from '#journal'
import type { JobStep } from './job-steps.ts'

/** What a job did: its answer, and changes that land in the commit that completes it, or not at all. */
export interface JobDone {
  readonly result?: Json
  readonly effects?: readonly Change[]
  /** The work has committed the job's end itself, with what else belongs to it; nothing is left to write. */
  readonly ended?: true
}

/** Does one kind of job. A throw is a failed attempt; the signal is aborted when the worker stops or loses the job. */
export interface JobWork {
  /** The newest payload version that it knows. */
  readonly schema: number
  /** Milliseconds that one attempt may take. */
  readonly timeoutMs: number
  /** `step` keeps what a part of it gave, so that a later attempt does not pay for it again. */
  run(job: JobRow, signal: AbortSignal, step: JobStep): Promise<JobDone>
}

/** Told as it happens, once each; a hint, since the row is the truth. */
export interface JobEvent {
  readonly type: 'job_started' | 'job_ended' | 'job_parked'
  readonly job: JobRow
}

export interface WorkerParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly owner: string
  readonly timers: Timers
  readonly works: Readonly<Record<string, JobWork>>
  /** How many jobs at once; default 4. */
  readonly concurrency?: number
  tell?(event: JobEvent): void
  notice?(notice: {
    readonly level: 'warn' | 'error'
    readonly code: string
    readonly message: string
    readonly job: JobRow['id']
    readonly session?: SessionId
    readonly tenant: string
    readonly traceId?: string
  }): void
}
