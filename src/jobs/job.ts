import type { Json } from '#kernel'
import type { JobRow } from '#journal'
import type { ErrorInfo } from './job-outcome.ts'

/** A job as whoever asks sees it: a copy, in which what there isn't is absent. */
export interface Job extends Omit<JobRow, 'traceId' | 'result' | 'lastError' | 'startedAt' | 'endedAt'> {
  readonly traceId?: string
  readonly result?: Json
  readonly lastError?: ErrorInfo
  readonly startedAt?: number
  readonly endedAt?: number
}

export function jobOf({ traceId, result, lastError, startedAt, endedAt, ...row }: JobRow): Job {
  const absent = Object.entries({ traceId, result, lastError, startedAt, endedAt }).filter(([, value]) => value !== null)
  return structuredClone({ ...row, ...Object.fromEntries(absent) })
}
