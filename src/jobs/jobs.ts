import {
  aText,
  type Check,
  type Clock,
  given,
  invalidInput,
  type Members,
  oneOf,
  parseId,
  type SessionId,
  shape,
  SkeinError,
  type Timers,
  wait,
  wholeNumber,
} from '#kernel'
import type { JobRow, JobState, TenantStore } from '#journal'

export interface JobsFilter {
  readonly state?: JobState
  readonly kind?: string
  readonly session?: SessionId
  readonly before?: JobRow['id']
  /** 1–200, default 50. */
  readonly limit?: number
}

interface Scope {
  readonly session?: SessionId
  readonly kind?: string
}

const ofSession: Check = (value, path) => void parseId('ses', value, path)
const scope: Members<Scope> = { session: ofSession, kind: aText }
const checkScope = shape<Scope>(scope, 'filter')
const checkFilter = shape<JobsFilter>(
  {
    ...scope,
    state: oneOf('queued', 'running', 'done', 'parked', 'skipped'),
    before: (value, path) => void parseId('job', value, path),
    limit: wholeNumber(1, 200),
  },
  'filter',
)
const checkWait = shape<{ waitMs?: number }>({ waitMs: wholeNumber() })

/** `skein.jobs`: background work of one tenant. */
export class Jobs {
  readonly #store: TenantStore
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #wake: () => void
  readonly #unasked: readonly string[]

  /** `unasked`: kinds of housekeeping, which show only when they are asked for by kind, or parked. */
  constructor(store: TenantStore, clock: Clock, timers: Timers, wake: () => void, unasked: readonly string[] = []) {
    this.#store = store
    this.#clock = clock
    this.#timers = timers
    this.#wake = wake
    this.#unasked = unasked
  }

  /** `null` for an unknown or foreign id. Law Q13. */
  async get(id: string): Promise<JobRow | null> {
    return (await this.#store.job(parseId('job', id))) ?? null
  }

  /** Newest first, without housekeeping that nobody asked for. */
  async list(filter: JobsFilter = {}): Promise<readonly JobRow[]> {
    checkFilter(filter)
    const { state, limit = 50, ...rest } = filter
    const found: JobRow[] = []
    for (let { before } = filter; found.length < limit;) {
      const page = await this.#store.jobs({ ...rest, ...given({ before, states: state && [state] }), limit })
      found.push(...page.filter(job => this.#shows(job, filter)))
      before = page.at(-1)?.id
      if (page.length < limit) break
    }
    return found.slice(0, limit)
  }

  #shows({ kind, state }: JobRow, filter: Scope): boolean {
    return filter.kind === kind || state === 'parked' || !this.#unasked.includes(kind)
  }

  /** Lets a parked job run again, with all its attempts. Throws `job.not_found`, `job.wrong_state`. */
  async retry(id: string): Promise<void> {
    await this.#store.commit([{ type: 'redrive', job: parseId('job', id), action: 'retry' }])
    this.#wake()
  }

  /** Gives a parked job up. */
  async skip(id: string, reason?: string): Promise<void> {
    if (reason !== undefined && typeof reason !== 'string') throw invalidInput('reason', 'Expected a text.')
    await this.#store.commit([{ type: 'redrive', job: parseId('job', id), action: 'skip', ...given({ reason }) }])
  }

  /** Resolves when nothing that fits is queued or running; after `waitMs` it is `job.not_idle`, with counts. Law Q14. */
  async idle(filter: Scope = {}, options: { readonly waitMs?: number } = {}): Promise<void> {
    checkScope(filter)
    checkWait(options)
    const { waitMs = 30_000 } = options
    const until = this.#clock.now() + waitMs
    for (;;) {
      const open = await this.#open(filter)
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

  /** Those that somebody may wait for, up to 200. */
  async #open(filter: Scope): Promise<JobRow[]> {
    for (let before: JobRow['id'] | undefined; ;) {
      const page = await this.#store.jobs({ ...filter, ...given({ before }), states: ['queued', 'running'], limit: 200 })
      const open = page.filter(job => this.#shows(job, filter))
      if (open.length > 0 || page.length < 200) return open
      before = page.at(-1)?.id
    }
  }
}
