import { type Clock, given, parseId, type SessionId, SkeinError, type Timers, wait } from '#kernel'
import { checkLimit, type JobRow, type JobState, type TenantStore } from '#journal'

export interface JobsFilter {
  readonly state?: JobState
  readonly kind?: string
  readonly session?: SessionId
  readonly before?: JobRow['id']
  /** 1–200, default 50. */
  readonly limit?: number
}

/** `skein.jobs`: background work of one tenant. */
export class Jobs {
  readonly #store: TenantStore
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #wake: () => void

  constructor(store: TenantStore, clock: Clock, timers: Timers, wake: () => void) {
    this.#store = store
    this.#clock = clock
    this.#timers = timers
    this.#wake = wake
  }

  /** `null` for an unknown or foreign id. Law Q13. */
  async get(id: string): Promise<JobRow | null> {
    return (await this.#store.job(parseId('job', id))) ?? null
  }

  /** Newest first. */
  async list(filter: JobsFilter = {}): Promise<readonly JobRow[]> {
    const { state, ...rest } = filter
    const limit = checkLimit(filter.limit, 50, 200)
    return await this.#store.jobs({ ...rest, limit, ...given({ states: state && [state] }) })
  }

  /** Lets a parked job run again, with all its attempts. Throws `job.not_found`, `job.wrong_state`. */
  async retry(id: string): Promise<void> {
    await this.#store.commit([{ type: 'redrive', job: parseId('job', id), action: 'retry' }])
    this.#wake()
  }

  /** Gives a parked job up. */
  async skip(id: string, reason?: string): Promise<void> {
    await this.#store.commit([{ type: 'redrive', job: parseId('job', id), action: 'skip', ...given({ reason }) }])
  }

  /** Resolves when nothing that fits is queued or running; after `waitMs` it is `job.not_idle`, with counts. Law Q14. */
  async idle(
    filter: { readonly session?: SessionId; readonly kind?: string } = {},
    { waitMs = 30_000 }: { readonly waitMs?: number } = {},
  ): Promise<void> {
    const until = this.#clock.now() + waitMs
    for (;;) {
      const open = await this.#store.jobs({ ...filter, states: ['queued', 'running'], limit: 200 })
      if (open.length === 0) return
      if (this.#clock.now() >= until) {
        const running = open.filter(job => job.state === 'running').length
        throw new SkeinError('job.not_idle', `${open.length} jobs are not done.`, {
          details: { queued: open.length - running, running },
        })
      }
      this.#wake()
      await wait(this.#timers, 50)
    }
  }
}
