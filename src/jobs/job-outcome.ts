import { isSkeinError, type Json, type Random } from '#kernel'
import type { Change, JobRow } from '#journal'
import { backoffMs } from './backoff.ts'

/** What is kept of a failure: its code and message, no more. */
export function errorInfo(error: unknown): { readonly code: string; readonly message: string } {
  if (isSkeinError(error)) return { code: error.code, message: error.message }
  return { code: 'skein.bug', message: error instanceof Error ? error.message : String(error) }
}

/**
 * Decides what becomes of a failed attempt. Pure: again after the backoff, or when the error says, while attempts are left and trying again can
 * help, else parked, where a person sees it. Law Q8.
 */
export function afterFailure(
  job: Pick<JobRow, 'id' | 'fence' | 'attempts' | 'maxAttempts'>,
  error: unknown,
  now: number,
  random: Pick<Random, 'number'>,
): Change {
  const claim = { job: job.id, fence: job.fence, error: errorInfo(error) as unknown as Json }
  const retryable = !isSkeinError(error) || error.retryable || error.code === 'skein.bug'
  const asked = isSkeinError(error) ? error.details['retryAfterMs'] : undefined
  const waitMs = typeof asked === 'number' ? asked : backoffMs(job.attempts, random)
  return retryable && job.attempts < job.maxAttempts
    ? { type: 'fail', ...claim, runAfter: now + waitMs }
    : { type: 'park', ...claim }
}
