import { isSkeinError, type Json, messageOf, type Random } from '#kernel'
import type { Change, JobRow } from '#journal'
import { backoffMs } from './backoff.ts'

/** What is kept of a failure: its code and message, no more. */
export interface ErrorInfo {
  readonly code: string
  readonly message: string
}

export function errorInfo(error: unknown): ErrorInfo {
  return { code: isSkeinError(error) ? error.code : 'skein.bug', message: messageOf(error) }
}

/**
 * Decides what becomes of a failed attempt. Pure: again after the backoff, or when the error says, while attempts are left and trying again can
 * help, else parked, where a person sees it. The wait is counted by the store's clock. Laws Q8, Q9.
 */
export function afterFailure(
  job: Pick<JobRow, 'id' | 'fence' | 'attempts' | 'maxAttempts'>,
  error: unknown,
  random: Pick<Random, 'number'>,
): Change {
  const claim = { job: job.id, fence: job.fence, error: errorInfo(error) as unknown as Json }
  const retryable = !isSkeinError(error) || error.retryable || error.code === 'skein.bug'
  const asked = isSkeinError(error) ? error.details['retryAfterMs'] : undefined
  const afterMs = typeof asked === 'number' ? asked : backoffMs(job.attempts, random)
  return retryable && job.attempts < job.maxAttempts ? { type: 'fail', ...claim, afterMs } : { type: 'park', ...claim }
}
