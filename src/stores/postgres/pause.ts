import { setTimeout as wait } from 'node:timers/promises'
import { type Random, systemRandom } from '#kernel'

/** How often what the server asks to repeat is repeated. Source: spec/foundation.md 4.3. */
export const maxAttempts = 5

/** Waits 10–200 ms, longer and more scattered with each attempt. */
export async function pause(attempt: number, random: Random = systemRandom): Promise<void> {
  const ceiling = Math.min(200, 20 * 2 ** attempt)
  await wait(10 + random.number() * (ceiling - 10))
}
