import { type Random, SkeinError } from '#kernel'

/** Source: spec/agent.md 4. */
export const retryLimits = {
  /** Attempts after the first one of a step. */
  retries: 3,
  firstWaitMs: 1_000,
  maxWaitMs: 30_000,
  /** At most this share of the wait is added at random. */
  jitter: 0.5,
  /** Attempts of one run after output had already arrived. */
  afterOutput: 2,
  /** A provider that says nothing for this long has failed. */
  silenceMs: 300_000,
} as const

/** What is known when an attempt has failed. */
export interface FailedAttempt {
  readonly error: SkeinError
  /** Retries of this step so far: 0 after its first attempt. */
  readonly retries: number
  /** Text, reasoning or a call had arrived in this attempt. */
  readonly hadOutput: boolean
  /** Retries of this run so far that followed an attempt with output. */
  readonly retriesAfterOutput: number
}

export type RetryDecision =
  | { readonly retry: true; readonly waitMs: number }
  | { readonly retry: false; readonly why: 'not_retryable' | 'exhausted' | 'retry_after_too_long' | 'output_exhausted' }

/**
 * Whether to ask again, and after how long: 1 s × 2ⁿ, at most 30 s, plus up to half of it at random. A provider's
 * `Retry-After` is waited for exactly; beyond 30 s nothing is retried. Laws P28, P29.
 */
export function decideRetry(failed: FailedAttempt, random: Pick<Random, 'number'>): RetryDecision {
  const { code, details } = failed.error
  if (code !== 'provider.unavailable' && code !== 'provider.truncated') return { retry: false, why: 'not_retryable' }
  const told = details['retryAfterMs']
  if (typeof told === 'number' && told > retryLimits.maxWaitMs) return { retry: false, why: 'retry_after_too_long' }
  if (failed.retries >= retryLimits.retries) return { retry: false, why: 'exhausted' }
  if (failed.hadOutput && failed.retriesAfterOutput >= retryLimits.afterOutput) return { retry: false, why: 'output_exhausted' }
  if (typeof told === 'number') return { retry: true, waitMs: told }
  const wait = Math.min(retryLimits.firstWaitMs * 2 ** failed.retries, retryLimits.maxWaitMs)
  return { retry: true, waitMs: Math.round(wait * (1 + retryLimits.jitter * random.number())) }
}

/** The failure of a provider that has been silent for `retryLimits.silenceMs`; retryable. */
export function silent(place: { readonly provider: string; readonly model: string }): SkeinError {
  return new SkeinError('provider.unavailable', `${place.provider} said nothing for ${retryLimits.silenceMs / 1_000} s.`, {
    details: { ...place, silentMs: retryLimits.silenceMs },
  })
}
