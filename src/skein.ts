import { type AgentPorts, type Run, type SendOptions, startRun, type Tool } from '#agent'
import { weightsCounter } from '#context'
import { memoryStore, type Store } from '#journal'
import { type Clock, createIds, parseTenant, type Random, SkeinError, systemClock, systemRandom } from '#kernel'
import { createModels, type Models, type ModelsOptions } from '#models'
import { CoreSession, liveDefaults, type LiveLimits, LiveSessions, type Notice, type Runtime, type SessionCore, Sessions, systemTimers, type Timers } from '#session'

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
  readonly tools?: readonly Tool<never>[]
  readonly onNotice?: (notice: Notice) => void
}

/** A session of the face: the durable conversation and its agent. */
export class Session extends CoreSession {
  readonly #core: SessionCore
  readonly #ports: AgentPorts

  constructor(core: SessionCore, opened: (id: CoreSession['id']) => Promise<CoreSession>, ports: AgentPorts) {
    super(core, opened)
    this.#core = core
    this.#ports = ports
  }

  /** Says something to the agent; the run is an async iterable of events, `result()` its end. */
  send(input: unknown, options?: SendOptions): Run {
    return startRun(this.#core, this.#ports, input, options)
  }
}

const defaultTenant = 'default'

/** Everything of one tenant; `in` gives the same face for another. */
export class Skein implements AsyncDisposable {
  readonly sessions: Sessions<Session>
  readonly models: Models
  readonly store: Store
  readonly #house: House

  constructor(house: House, tenant: string) {
    this.#house = house
    this.store = house.runtime.store
    this.models = house.models
    this.sessions = house.sessionsOf(tenant)
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
  const notice = (given: Notice): void => options.onNotice?.(given)
  const models = createModels({ ...options.models, env: options.env ?? {}, ...(options.model === undefined ? {} : { model: options.model }) })
  const opened = typeof store === 'string' ? await openStore(store, clock) : store
  const ids = createIds({ clock, random })
  const owner = opened.adapter === 'sqlite' ? (await import('#stores/sqlite')).processOwner() : ids('own')
  const runtime: Runtime = {
    store: opened, clock, ids, random, timers, counter: weightsCounter, owner, leaseMs: 15_000, lingerMs: 2_000, notice, modelFacts: ref => models.facts(ref),
  }
  return new Skein(new House(runtime, models, options, typeof store === 'string'), defaultTenant)
}

async function openStore(url: string, clock: Clock): Promise<Store> {
  if (url === 'memory:') return memoryStore({ clock })
  if (url.startsWith('sqlite:')) return await (await import('#stores/sqlite')).sqliteStore(url.slice('sqlite:'.length), { clock })
  if (/^postgres(ql)?:/.test(url)) return await (await import('#stores/postgres')).postgresStore(url, { clock })
  throw new SkeinError('config.invalid', 'store: expected memory:, sqlite:FILE or postgres://…', { details: { path: 'store' } })
}

/** What all tenants of one opening share. */
class House {
  readonly runtime: Runtime
  readonly models: Models
  readonly #volatile: Store
  readonly #live: LiveSessions<Session>
  readonly #ports: AgentPorts
  readonly #ownsStore: boolean
  #closing: Promise<void> | undefined

  constructor(runtime: Runtime, models: Models, options: SkeinOptions, ownsStore: boolean) {
    this.runtime = runtime
    this.models = models
    this.#ownsStore = ownsStore
    this.#volatile = memoryStore({ clock: runtime.clock })
    this.#live = new LiveSessions(runtime, { ...liveDefaults, ...options.sessions })
    this.#ports = { connect: ref => models.connectForRun(ref), tools: options.tools ?? [] }
  }

  sessionsOf(tenant: string): Sessions<Session> {
    return new Sessions<Session>({
      runtime: this.runtime,
      tenant,
      volatile: this.#volatile,
      live: this.#live,
      compose: (core, opened) => new Session(core, opened, this.#ports),
    })
  }

  close(waitMs: number): Promise<void> {
    this.#closing ??= this.#close(waitMs)
    return this.#closing
  }

  async #close(waitMs: number): Promise<void> {
    let cancel = (): void => undefined
    const late = new Promise<void>(resolve => (cancel = this.runtime.timers.after(waitMs, resolve)))
    await Promise.race([Promise.all(this.#live.drain().map(({ session }) => session.close())), late])
    cancel()
    await this.#volatile.close()
    if (this.#ownsStore) await this.runtime.store.close()
  }
}

