import type { Clock } from '#kernel'
import type { RateLimit } from './options.ts'

interface Level {
  tokens: number
  at: number
}

const maxBuckets = 10_000

/** A token bucket for each name: `burst` at once, `perSecond` on average. */
export class RateBuckets {
  readonly #limit: RateLimit
  readonly #clock: Clock
  readonly #levels = new Map<string, Level>()

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit
    this.#clock = clock
  }

  /** Takes one. Returns 0, or the milliseconds until there will be one. */
  take(name: string): number {
    const now = this.#clock.now()
    const { perSecond, burst } = this.#limit
    const before = this.#levels.get(name) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, before.tokens + (Math.max(0, now - before.at) / 1_000) * perSecond)
    const taken = tokens >= 1
    this.#levels.delete(name)
    this.#levels.set(name, { tokens: taken ? tokens - 1 : tokens, at: now })
    if (this.#levels.size > maxBuckets) this.#levels.delete(this.#levels.keys().next().value ?? '')
    return taken ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1_000)
  }
}
