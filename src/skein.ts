import { type AgentPorts, AgentSession, AgentSessions, type Tool } from '#agent'
import { weightsCounter } from '#context'
import { type JobWork, Jobs, startWorker, type Worker } from '#jobs'
import { memoryStore, type Store } from '#journal'
import {
  type Clock,
  createIds,
  parseTenant,
  type Random,
  SkeinError,
  systemClock,
  systemRandom,
  systemTimers,
  type Timers,
} from '#kernel'
import { createModels, type Models, type ModelsOptions } from '#models'
import {
  eraseDue,
  eraseKind,
  liveDefaults,
  type LiveLimits,
  LiveSessions,
  type ModelFacts,
  type Notice,
  type Runtime,
} from '#session'

export interface SkeinOptions {
  /** `memory:`, `sqlite:FILE`, `postgres://…`, or a store object, which `close` leaves open. Default `sqlite:skein.db`. */
  readonly store?: string | Store
  readonly clock?: Clock
  readonly random?: Random
  readonly timers?: Timers
  readonly sessions?: Partial<LiveLimits>
  /** The model of sessions that name none. Default: the first provider with a key in `env`, else the offline demo. */
  readonly model?: string
  readonly models?: Omit<ModelsOptions, 'env'>
  /** Where keys and base URLs are looked up. Default: nothing; the server and the command line hand in the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Tools that every session of this process may use. */
  readonly tools?: readonly Tool[]
  /** `false`: this process runs no background jobs. */
  readonly worker?: boolean
  readonly onNotice?: (notice: Notice) => void
  /** Takes each notice as a line to log; never message text. */
  readonly logger?: { log(line: Notice & { readonly at: number }): void }
}

export type { AgentSession as Session } from '#agent'

const defaultTenant = 'default'

/** Everything of one tenant; `in` gives the same face for another. */
export class Skein implements AsyncDisposable {
  readonly sessions: AgentSessions
  readonly jobs: Jobs
  readonly models: Models
  readonly store: Store
  readonly #house: House

  constructor(house: House, tenant: string) {
    this.#house = house
    this.store = house.runtime.store
    this.models = house.models
    this.sessions = house.sessionsOf(tenant)
    this.jobs = house.jobsOf(tenant)
  }

  in(tenant: string): Skein {
    return new Skein(this.#house, parseTenant(tenant))
  }

  /** Stops, waits for runs up to `waitMs` (10,000), releases what it holds and closes the store that it opened. */
  async close(options: { readonly waitMs?: number } = {}): Promise<void> {
    await this.#house.close(options.waitMs ?? 10_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Opens the store and wires the rooms. Rejects with what is wrong with the store; then nothing is left open. */
export async function openSkein(options: SkeinOptions = {}): Promise<Skein> {
  const { store = 'sqlite:skein.db', clock = systemClock, random = systemRandom, timers = systemTimers } = options
  // A notice of a session shows among its live events, too; which ones are open the house knows.
  let toSession = (_given: Notice): void => undefined
  const notice = (given: Notice): void => {
    // Whoever listens may fail, now or later; what is told of goes on.
    const tell = async (listen: () => unknown): Promise<unknown> => await listen()
    tell(() => options.onNotice?.(given)).catch(() => undefined)
    tell(() => options.logger?.log({ at: clock.now(), ...given })).catch(() => undefined)
    toSession(given)
  }
  const models = createModels({
    ...options.models,
    env: options.env ?? {},
    clock,
    notice: given => notice({ ...given, level: given.level === 'warning' ? 'warn' : given.level }),
  })
  const opened = typeof store === 'string' ? await openStore(store, clock) : store
  const ids = createIds({ clock, random })
  const owner = opened.adapter === 'sqlite' ? (await import('#stores/sqlite')).processOwner() : ids('own')
  const runtime: Runtime = {
    store: opened,
    clock,
    ids,
    random,
    timers,
    counter: weightsCounter,
    owner,
    leaseMs: 15_000,
    lingerMs: 2_000,
    notice,
    modelFacts: ref => factsOf(models, ref),
  }
  const house = new House(runtime, models, options, typeof store === 'string')
  toSession = given => house.tell(given)
  return new Skein(house, defaultTenant)
}

/** What is known of a session's model; an unknown name is no error here, a window is then assumed. */
function factsOf(models: Models, ref: string | null): ModelFacts {
  if (ref === null) return {}
  try {
    return models.resolve(ref).info
  } catch {
    return {}
  }
}

async function openStore(url: string, clock: Clock): Promise<Store> {
  if (url === 'memory:') return memoryStore({ clock })
  if (url.startsWith('sqlite:')) return await (await import('#stores/sqlite')).sqliteStore(url.slice('sqlite:'.length), { clock })
  if (/^postgres(ql)?:/.test(url)) return await (await import('#stores/postgres')).postgresStore(url, { clock })
  throw new SkeinError('config.invalid', 'store: expected memory:, sqlite:FILE or postgres://…', { details: { key: 'store' } })
}

/** What all tenants of one opening share. */
class House {
  readonly runtime: Runtime
  readonly models: Models
  readonly #volatile: Store
  readonly #live: LiveSessions<AgentSession>
  readonly #ports: AgentPorts
  readonly #ownsStore: boolean
  readonly #worker: Worker | undefined
  readonly #model: string | undefined
  #found: Promise<string> | undefined
  #closing: Promise<void> | undefined

  constructor(runtime: Runtime, models: Models, options: SkeinOptions, ownsStore: boolean) {
    this.runtime = runtime
    this.models = models
    this.#ownsStore = ownsStore
    this.#volatile = memoryStore({ clock: runtime.clock })
    this.#live = new LiveSessions<AgentSession>(runtime, { ...liveDefaults, ...options.sessions })
    this.#ports = {
      connect: async model =>
        typeof model === 'object' && model !== null
          ? models.override(model)
          : await models.connect(model ?? (await this.#defaultModel())),
      tools: options.tools ?? [],
    }
    this.#model = options.model
    const { store, clock, random, owner, timers, ids, notice } = runtime
    const works: Record<string, JobWork> = {
      [eraseKind]: { schema: 1, timeoutMs: 60_000, run: job => eraseDue(store, clock, ids, job) },
    }
    this.#worker = options.worker === false ? undefined : startWorker({ store, clock, random, owner, timers, works, notice })
  }

  sessionsOf(tenant: string): AgentSessions {
    return new AgentSessions({
      runtime: this.runtime,
      tenant,
      volatile: this.#volatile,
      live: this.#live,
      compose: (core, opened) => new AgentSession(core, opened, this.#ports),
    })
  }

  /** Shows a notice among the live events of its session; ids may be equal in two tenants. */
  tell({ session, tenant, ...notice }: Notice): void {
    if (session === undefined || tenant === undefined) return
    this.#live.core(tenant, session)?.live.emit({ type: 'notice', session, ...notice })
  }

  jobsOf(tenant: string): Jobs {
    const { store, clock, timers } = this.runtime
    return new Jobs(store.in(tenant), clock, timers, () => this.#worker?.wake())
  }

  /** The model of sessions that name none; looked for once. */
  #defaultModel(): Promise<string> {
    this.#found ??= this.#model === undefined ? this.models.defaultModel() : Promise.resolve(this.#model)
    return this.#found
  }

  close(waitMs: number): Promise<void> {
    this.#closing ??= this.#close(waitMs)
    return this.#closing
  }

  /** Stops claiming, gives runs and jobs `waitMs`, then closes what is left. */
  async #close(waitMs: number): Promise<void> {
    let cancel = (): void => undefined
    const late = new Promise<void>(resolve => (cancel = this.runtime.timers.after(waitMs, resolve)))
    await this.#worker?.stop(waitMs)
    await Promise.race([Promise.all(this.#live.drain().map(({ session }) => session.close({ graceMs: waitMs }))), late])
    cancel()
    await this.#volatile.close()
    if (this.#ownsStore) await this.runtime.store.close()
  }
}
