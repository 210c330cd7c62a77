import { jobLifeMs } from '#journal'
import { nowSql } from './now-sql.ts'
import type { Link } from './link.ts'

/** Removes keys and records that have expired and jobs that ended 7 days ago, in the background; whether they are there or not, they count as absent. */
export class Sweeper {
  readonly #link: Link
  readonly #now: () => number | null
  readonly #timer: NodeJS.Timeout
  #work: Promise<void> = Promise.resolve()

  constructor(link: Link, now: () => number | null, everyMs: number) {
    this.#link = link
    this.#now = now
    this.#timer = setInterval(() => {
      this.#work = this.#work.then(() => this.#sweep()).catch(() => undefined)
    }, everyMs)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#work
  }

  async #sweep(): Promise<void> {
    const tenants = await this.#link.background({ text: 'SELECT tenant FROM skein.tenants' })
    for (const { tenant } of tenants) {
      const values = [tenant, this.#now()]
      await this.#link.background({ text: `DELETE FROM skein.keys WHERE tenant = $1 AND until <= ${nowSql}`, values })
      await this.#link.background({ text: `DELETE FROM skein.records WHERE tenant = $1 AND expires_at <= ${nowSql}`, values })
      await this.#link.background({
        text: `DELETE FROM skein.jobs WHERE tenant = $1 AND state IN ('done', 'skipped') AND ended_at <= ${nowSql} - ${jobLifeMs}`,
        values,
      })
    }
  }
}
