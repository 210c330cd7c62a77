import { SkeinError } from '#kernel'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { decideRetry, type FailedAttempt } from './retry.ts'

const failed = (more: Partial<FailedAttempt> = {}, details = {}): FailedAttempt => ({
  error: new SkeinError('provider.unavailable', 'busy', { details }),
  retries: 0,
  hadOutput: false,
  retriesAfterOutput: 0,
  ...more,
})
const still = { number: () => 0 }

verifies('P28', 'waits double, a refused key is not tried again, a long Retry-After ends it at once', () => {
  const waits = [0, 1, 2].map(retries => decideRetry(failed({ retries }), still))
  expect(waits).toEqual([1_000, 2_000, 4_000].map(waitMs => ({ retry: true, waitMs })))
  expect(decideRetry(failed({ retries: 3 }), still)).toEqual({ retry: false, why: 'exhausted' })
  expect(decideRetry(failed({ error: new SkeinError('auth.rejected', 'no') }), still)).toEqual({
    retry: false,
    why: 'not_retryable',
  })
  expect(decideRetry(failed({}, { retryAfterMs: 60_000 }), still)).toEqual({ retry: false, why: 'retry_after_too_long' })
  expect(decideRetry(failed({}, { retryAfterMs: 30_000 }), still)).toEqual({ retry: true, waitMs: 30_000 })
})

it('adds up to half of the wait', () => {
  expect(decideRetry(failed({ retries: 1 }), { number: () => 0.999_999 })).toEqual({ retry: true, waitMs: 3_000 })
})

verifies('P29', 'after output at most two more attempts in a run', () => {
  const cut = new SkeinError('provider.truncated', 'cut')
  const decide = (retriesAfterOutput: number) => decideRetry(failed({ error: cut, hadOutput: true, retriesAfterOutput }), still)
  expect([0, 1, 2].map(count => decide(count).retry)).toEqual([true, true, false])
  expect(decideRetry(failed({ error: cut, hadOutput: false, retriesAfterOutput: 2 }), still).retry).toBe(true)
})

it.each(['provider.rejected', 'provider.overflow', 'model.script_ended', 'skein.bug'] as const)('never retries %s', code => {
  expect(decideRetry(failed({ error: new SkeinError(code, 'x') }), still)).toEqual({ retry: false, why: 'not_retryable' })
})
