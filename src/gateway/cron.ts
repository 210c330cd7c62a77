import { createRequire } from 'node:module'
import type { Cron as CronType } from 'croner'

let library: typeof CronType | undefined

/** Loaded with the first schedule that has an expression, in the midst of a rule that is no promise. */
function cron(): typeof CronType {
  library ??= (createRequire(import.meta.url)('croner') as { Cron: typeof CronType }).Cron
  return library
}

/**
 * The first instant after `at` at which the zone's wall clock fits the expression; `null` if none ever does. A time that a day
 * skips is the instant after the gap, one that it has twice the first of both. Throws for what is no expression. Law G80.
 */
export function nextCron(expression: string, zone: string, at: number): number | null {
  const found = new (cron())(expression, { timezone: zone, paused: true }).nextRun(new Date(at))
  return found === null ? null : found.getTime()
}
