import {
  aText,
  type Check,
  given,
  invalidInput,
  isId,
  type JobId,
  type Members,
  oneOf,
  parseId,
  parseSessionRef,
  type SessionId,
  shape,
  SkeinError,
  type Timers,
  wait,
  wholeNumber,
} from '#kernel'
import type { JobRow, JobState, TenantStore } from '#journal'
import { type Job, jobOf } from './job.ts'
import { forgetSteps } from './job-steps.ts'

export interface JobsFilter {
  readonly state?: JobState
  readonly kind?: string
  /** By id or alias. */
  readonly session?: string
  readonly before?: JobId
  /** 1–200, default 50. */
  readonly limit?: number
}

/** Which jobs; none given means all. */
export type JobsScope = Pick<JobsFilter, 'kind' | 'session'>

const ofSession: Check = (value, path) => void parseSessionRef(value, path)
const scope: Members<JobsScope> = { session: ofSession, kind: aText }
const checkScope = shape<JobsScope>(scope, 'filter')
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

const idlePollMs = 50

/** `skein.jobs`: background work of one tenant. */
export class Jobs {
  readonly #stores: readonly TenantStore[]
  readonly #timers: Timers
  readonly #wake: () => void
  readonly #unasked: readonly string[]

  /** `stores`: the durable one, and that of this process alone. `unasked`: kinds of housekeeping, which show only when they are asked for by kind, or parked. */
  constructor(stores: readonly TenantStore[], timers: Timers, wake: () => void, unasked: readonly string[] = []) {
    this.#stores = stores
    this.#timers = timers
    this.#wake = wake
    this.#unasked = unasked
  }

  /** `null` for an unknown or foreign id. Law Q13. */
  async get(id: string): Promise<Job | null> {
    if (typeof id !== 'string') throw invalidInput('id', 'Expected the id of a job.')
    for (const store of isId('job', id) ? this.#stores : []) {
      const row = await store.job(id as JobId)
      if (row !== undefined) return jobOf(row)
    }
    return null
  }

  /** Newest first, without housekeeping that nobody asked for. */
  async list(filter: JobsFilter = {}): Promise<readonly Job[]> {
    checkFilter(filter)
    const { limit = 50 } = filter
    const found = await Promise.all(this.#stores.map(store => this.#listed(store, filter, limit)))
    return found
      .flat()
      .sort((one, other) => (one.id < other.id ? 1 : -1))
      .slice(0, limit)
  }

  async #listed(store: TenantStore, filter: JobsFilter, limit: number): Promise<Job[]> {
    const { state } = filter
    const within = await scopeIn(store, filter)
    const found: Job[] = []
    for (let { before } = filter; within !== undefined && found.length < limit;) {
      const page = await store.jobs({ ...within, ...given({ before, states: state && [state] }), limit })
      found.push(...page.filter(job => this.#shows(job, filter)).map(jobOf))
      before = page.at(-1)?.id
      if (page.length < limit) break
    }
    return found
  }

  /** The store that has a job; the durable one for one that nobody knows, and refuses it. */
  async #storeOf(id: JobId): Promise<TenantStore> {
    const [durable, ...others] = this.#stores as readonly [TenantStore, ...TenantStore[]]
    for (const store of others) if ((await store.job(id)) !== undefined) return store
    return durable
  }

  #shows({ kind, state }: JobRow, filter: JobsScope): boolean {
    return filter.kind === kind || state === 'parked' || !this.#unasked.includes(kind)
  }

  /** Lets a parked job run again, with all its attempts. Throws `job.not_found`, `job.wrong_state`. */
  async retry(id: string): Promise<Job> {
    const job = readJobId(id)
    await (await this.#storeOf(job)).commit([{ type: 'redrive', job, action: 'retry' }])
    this.#wake()
    return await this.#known(job)
  }

  /** Gives a parked job up. Throws `job.not_found`, `job.wrong_state`. */
  async skip(id: string, reason?: string): Promise<Job> {
    if (reason !== undefined && typeof reason !== 'string') throw invalidInput('reason', 'Expected a text.')
    const job = readJobId(id)
    const store = await this.#storeOf(job)
    const forgotten = await forgetSteps(store, { job })
    await store.commit([{ type: 'redrive', job, action: 'skip', ...given({ reason }) }, ...forgotten])
    return await this.#known(job)
  }

  async #known(id: JobId): Promise<Job> {
    const job = await this.get(id)
    if (job === null) throw unknownJob(id)
    return job
  }

  /** Resolves when nothing that fits is queued or running; after `waitMs` it is `job.not_idle`, with counts. Law Q14. */
  async idle(filter: JobsScope = {}, options: { readonly waitMs?: number } = {}): Promise<void> {
    checkScope(filter)
    checkWait(options)
    let late = false
    const cancel = this.#timers.after(options.waitMs ?? 30_000, () => (late = true))
    try {
      for (;;) {
        // Asked once more after the time is up, so that a wait of nothing is an answer, too.
        const isLast = late || options.waitMs === 0
        const open = await this.#open(filter)
        if (open.queued + open.running === 0) return
        if (isLast) throw new SkeinError('job.not_idle', `${open.queued + open.running} jobs are not done.`, { details: open })
        this.#wake()
        await wait(this.#timers, idlePollMs)
      }
    } finally {
      cancel()
    }
  }

  /** How many somebody may wait for. */
  async #open(filter: JobsScope): Promise<{ readonly queued: number; readonly running: number }> {
    const counts = { queued: 0, running: 0 }
    for (const store of this.#stores) {
      const within = await scopeIn(store, filter)
      for (let before: JobId | undefined, more = within !== undefined; more;) {
        const page = await store.jobs({ ...within, ...given({ before }), states: ['queued', 'running'], limit: 200 })
        for (const job of page) if (this.#shows(job, filter)) counts[job.state as keyof typeof counts]++
        before = page.at(-1)?.id
        more = page.length === 200
      }
    }
    return counts
  }
}

/** By the session's own id; undefined where nobody has the alias. */
async function scopeIn(
  store: TenantStore,
  { kind, session }: JobsScope,
): Promise<{ readonly kind?: string; readonly session?: SessionId } | undefined> {
  const ref = session === undefined ? undefined : parseSessionRef(session)
  const id = typeof ref === 'object' ? (await store.session(ref))?.id : ref
  return ref !== undefined && id === undefined ? undefined : given({ kind, session: id })
}

function readJobId(id: unknown): JobId {
  if (typeof id !== 'string') throw invalidInput('id', 'Expected the id of a job.')
  if (!isId('job', id)) throw unknownJob(id)
  return id
}

export function unknownJob(id: string): SkeinError {
  return new SkeinError('job.not_found', `There is no job ${id}.`, { details: { job: id } })
}
