import { jobLifeMs, keyLifeMs } from '#journal'
import type { Clock } from '#kernel'
import type { Connection } from './connection.ts'

/** After how many transactions a few old rows are looked for. */
const every = 256

/** Forgets idempotency keys and ended jobs after their 7 days, and expired records, a few at a time, so that neither needs an index or a pause. */
export class Sweeper {
  #transactions = 0
  #tenant = 0
  #key = ''
  #job = 0

  /** To be called inside a transaction that writes anyway; mostly does nothing. */
  sweep({ connection, clock }: { readonly connection: Connection; readonly clock: Clock }): void {
    if (++this.#transactions % every !== 0) return
    const tenants = connection.all('tenantsByService').map(([id]) => id as number)
    const tenant = tenants[this.#tenant % Math.max(1, tenants.length)]
    if (tenant === undefined) return
    const now = clock.now()
    const answers = connection.all('answersAfter', tenant, this.#key)
    for (const [key, at] of answers) {
      if ((at as number) + keyLifeMs <= now) connection.run('removeAnswer', tenant, key as string, now - keyLifeMs)
    }
    connection.run('sweepRecords', tenant, now)
    this.#sweepJobs(connection, now)
    const last = answers.at(-1)?.[0]
    if (answers.length === 200 && last !== undefined) this.#key = last as string
    else {
      this.#key = ''
      this.#tenant++
    }
  }
  #sweepJobs(connection: Connection, now: number): void {
    const jobs = connection.all('jobsAfter', this.#job) as [number, string, number | null][]
    for (const [id, state, endedAt] of jobs)
      if ((state === 'done' || state === 'skipped') && (endedAt ?? now) + jobLifeMs <= now) connection.run('forgetJob', id)
    this.#job = jobs.length === 200 ? (jobs.at(-1)?.[0] ?? 0) : 0
  }
}
