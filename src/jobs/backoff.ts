import type { Random } from '#kernel'

/**
 * Milliseconds before the next attempt, after `attempts` have failed: min(300, 2^(attempts−1)) s × (0.5–1).
 * Source: spec/memory.md 11, law Q8.
 */
export function backoffMs(attempts: number, random: Pick<Random, 'number'>): number {
  const seconds = Math.min(300, 2 ** Math.max(0, attempts - 1))
  return Math.round(seconds * 1_000 * (0.5 + random.number() / 2))
}
