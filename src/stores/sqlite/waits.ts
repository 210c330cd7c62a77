import { setTimeout as delay } from 'node:timers/promises'
import { systemRandom } from '#kernel'
import { isBusy } from './sqlite-errors.ts'

export interface Waits {
  /** How long to try again while another process holds the file. Milliseconds. */
  readonly busyMs: number
}

/** Milliseconds that only grow, for measuring how long something waits; not a time of day. */
const elapsed = (): number => performance.now()

/**
 * Tries until the file is free or `busyMs` have passed, then throws what SQLite threw last. Between two tries the event
 * loop runs for 1–10 ms, at random so that two processes do not keep step.
 */
export async function retryWhileBusy<T>({ busyMs }: Waits, attempt: () => T): Promise<T> {
  const until = elapsed() + busyMs
  for (let tries = 1; ; tries++) {
    try {
      return attempt()
    } catch (error) {
      if (!isBusy(error) || elapsed() >= until) throw error
    }
    await delay(1 + systemRandom.number() * Math.min(9, tries))
  }
}
