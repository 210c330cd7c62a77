import {
  type AgentPorts,
  AgentSession,
  AgentSessions,
  configSource,
  sectionOf,
  type Extension,
  type Hook,
  mapText,
  modelSummarizer,
  Operators,
  readExtensions,
  readHooks,
  readTelemetry,
  readUi,
  RunningMaps,
  type TelemetryOptions,
  type Tool,
  type UserInterface,
} from '#agent'
import {
  type ContextHook,
  type ContextSettingsInput,
  deterministicSummarizer,
  loadCounter,
  mergeContextSettings,
  readContextSettings,
  type Summarizer,
} from '#context'
import { Desk, importHermes, Exchanges, type Front, Gateway, gatewayHooks, type GatewayOptions, readGatewaySettings } from '#gateway'
import { type JobEvent, type JobWork, Jobs, startWorker, wakingStore } from '#jobs'
import { memoryStore, type SessionRow, type Store } from '#journal'
import {
  aFlag,
  aFunction,
  anObject,
  aText,
  type Clock,
  createIds,
  given,
  either,
  listOf,
  type Random,
  type SessionId,
  shape,
  SkeinError,
  systemClock,
  systemRandom,
  systemTimers,
  type Timers,
  wholeNumber,
  within,
} from '#kernel'
import {
  archiveJobs,
  archiveRefs,
  importOg,
  checkOwnMemory,
  Memories,
  memoryParts,
  type MemorySettings,
  MemorySession,
  injectHooks,
  openLearning,
  readMemory,
  refreshKind,
  refreshWork,
  sweepCommits,
  tellArchives,
  workingInfo,
} from '#memory'
import {
  type ConnectedModel,
  type ConnectOptions,
  createModels,
  credentialFile,
  credentialPlace,
  type Models,
  type ModelsOptions,
} from '#models'
import {
  compactDue,
  compactKind,
  eraseDue,
  eraseKind,
  liveDefaults,
  type LiveLimits,
  LiveSessions,
  type ModelFacts,
  type Notice,
  type HermesInput,
  type Runtime,
  settingsOf,
  sweepKind,
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
  readonly models?: Omit<ModelsOptions, 'env' | 'timers'>
  /**
   * The file of provider keys and logins. Default: what `env` says, which is `SKEIN_CREDENTIALS`, else `skein/credentials.json` in
   * `XDG_CONFIG_HOME` or in `.config` of `HOME`; without any of them there is no file.
   */
  readonly credentials?: string
  /** Where keys and base URLs are looked up. Default: nothing; the server and the command line hand in the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /**
   * A file of settings instead of the user's, which is `skein/config.toml` in `XDG_CONFIG_HOME` or in `.config` of `HOME`, as `env`
   * says them. A project's file is found from a session's `cwd` upward.
   */
  readonly config?: string
  /** Tools that every session of this process may use. */
  readonly tools?: readonly Tool[]
  /** Code at the places of every session and run, before a session's own. */
  readonly hooks?: readonly Hook[]
  /** Loaded for every session that is opened, before its own. */
  readonly extensions?: readonly Extension[]
  /** By which people are shown and asked something, where a session says nothing else. */
  readonly ui?: Partial<UserInterface>
  /** How runs are told to OpenTelemetry. Default: spans without content, where a host has registered a tracer provider. */
  readonly telemetry?: boolean | TelemetryOptions
  /** How contexts are kept, where a session doesn't say otherwise. A summarizer may be one of your own. */
  readonly context?: Omit<ContextSettingsInput, 'summarizer'> & { readonly summarizer?: string | Summarizer }
  /** Archives, learning and recall. Without it nothing is sealed by itself. */
  readonly memory?: MemorySettings
  /** Texts that stand in every context beside the conversation. */
  readonly contextHooks?: readonly ContextHook[]
  /** Where messages come from, and which session they go to. */
  readonly gateway?: GatewayOptions
  /** `false`: this process runs no background jobs. */
  readonly worker?: boolean
  readonly onNotice?: (notice: Notice) => void
  /** Takes each notice as a line to log; never message text. */
  readonly logger?: { log(line: Notice & { readonly at: number }): void }
}

const checkOptions = shape<SkeinOptions>({
  store: either(aText, anObject, 'Expected an address or a store.'),
  clock: anObject,
  random: anObject,
  timers: anObject,
  sessions: shape<LiveLimits>({ liveMax: wholeNumber(1), idleMs: wholeNumber(1) }),
  model: aText,
  credentials: aText,
  models: shape<Omit<ModelsOptions, 'env' | 'timers'>>({
    clock: anObject,
    notice: aFunction,
    store: anObject,
    prices: listOf(anObject, 'price rows'),
    morePrices: aFunction,
  }),
  env: anObject,
  config: aText,
  tools: listOf(anObject, 'tools'),
  hooks: value => void readHooks(value),
  extensions: value => void readExtensions(value),
  ui: value => void readUi(value),
  telemetry: value => void readTelemetry(value),
  context: anObject,
  memory: anObject,
  contextHooks: listOf(anObject, 'hooks'),
  gateway: value => void readGatewaySettings(value),
  worker: aFlag,
  onNotice: aFunction,
  logger: anObject,
})

/** What all tenants of one opening share. */
export interface House {
  readonly store: Store
  readonly models: Models
  sessionsOf(tenant: string): AgentSessions<MemorySession>
  jobsOf(tenant: string): Jobs
  /** `owners`: whose memories may be read. */
  memoryOf(tenant: string, owners?: readonly string[] | 'all'): Memories
  operatorsOf(tenant: string, sessions: AgentSessions<MemorySession>): Operators
  gatewayOf(tenant: string): Gateway
  /** Stops claiming, gives runs and jobs `waitMs`, then closes what is left. Again: the same end. */
  close(waitMs: number): Promise<void>
}

const sayMs = 1_000

/** Opens the store and wires the rooms. Rejects with what is wrong with the store; then nothing is left open. */
export async function openHouse(options: SkeinOptions): Promise<House> {
  checkOptions(options)
  const custom = typeof options.context?.summarizer === 'object' ? options.context.summarizer : undefined
  const ownContext = readContextSettings({ ...options.context, ...given({ summarizer: custom?.id }) })
  const memory = readMemory(options.memory)
  const { clock = systemClock, random = systemRandom, timers = systemTimers, tools = [] } = options
  let tellSession = (_given: Notice): void => undefined
  const notice = (given: Notice): void => {
    // Whoever listens may fail, now or later; what is told of goes on.
    const tell = async (listen: () => unknown): Promise<unknown> => await listen()
    tell(() => options.onNotice?.(given)).catch(() => undefined)
    tell(() => options.logger?.log({ at: clock.now(), ...given })).catch(() => undefined)
    tellSession(given)
  }
  const env = options.env ?? {}
  const kept = options.credentials?.trim() || credentialPlace(env)
  const models = createModels({
    ...given({ store: kept === undefined ? undefined : credentialFile(kept, { random }) }),
    ...options.models,
    env,
    clock,
    timers,
    notice: given => notice({ ...given, level: given.level === 'warning' ? 'warn' : given.level }),
  })
  const config = configSource({
    env,
    file: options.config,
    flags: new Map(options.model === undefined ? [] : [['model', { value: options.model, layer: 'flag', where: null }]]),
    loadParser: async () => (await import('smol-toml')).parse,
    notice: message => notice({ level: 'warn', code: 'config.notice', message }),
  })
  const { settings } = await config.find(null)
  const contextDefaults = mergeContextSettings(readContextSettings(sectionOf(settings, 'context')), ownContext)
  const counter = await loadCounter(contextDefaults.counter ?? 'weights/1')
  const opened = await storeOf(options.store ?? 'sqlite:skein.db', clock)
  let wakeWorker = (): void => undefined
  const store = wakingStore(opened, () => wakeWorker())
  const volatile = memoryStore({ clock })
  const ids = createIds({ clock, random })
  const owner = store.adapter === 'sqlite' ? (await import('#stores/sqlite')).processOwner() : ids('own')
  const deterministic = deterministicSummarizer(counter)
  const runtime: Runtime = {
    store,
    clock,
    ids,
    random,
    timers,
    counter,
    owner,
    leaseMs: 15_000,
    lingerMs: 2_000,
    notice,
    modelFacts: ref => factsOf(models, ref),
    context: contextDefaults,
    hooks: [
      ...(options.contextHooks ?? []),
      ...(memory.inject
        ? injectHooks(
            () => learning.recall,
            tenant => store.in(tenant),
          )
        : []),
      ...gatewayHooks(tenant => frontOf(tenant)),
    ],
    refReaders: { map: mapText, archive: archiveRefs(() => runtime) },
    summarizer: async name => {
      if (custom?.id === name) return custom
      return name === 'deterministic' ? deterministic : modelSummarizer(await ports.connect(name), clock)
    },
  }
  const live = new LiveSessions<MemorySession>(runtime, { ...liveDefaults, ...options.sessions })
  // A notice shows among the live events of its session, too; ids may be equal in two tenants.
  tellSession = ({ session, tenant, ...told }) => {
    if (session === undefined || tenant === undefined) return
    live.core(tenant, session)?.live.emit({ type: 'notice', session, ...told })
  }
  // A model that a session was given as an object lives in this process only.
  const connectFor = async (tenant: string, row: SessionRow): Promise<ConnectedModel> => {
    const session = live.get(tenant, row.id)
    return await ports.connect((session && AgentSession.insideOf(session).gear.modelOverride) ?? row.model)
  }
  const refresh = { runtime, connect: connectFor }
  const learning = openLearning({
    runtime,
    extractor: memory.extractor,
    embedder: memory.embedder,
    connect: connectFor,
    tell: (tenant, session, event) => void live.core(tenant, session)?.live.emit({ ...event, session }),
  })
  const parts = memoryParts({
    settings: memory,
    learning,
    refresh,
    works: options.worker !== false,
    clock,
    connect: () => ports.connect(null),
  })
  const archived = { runtime, parts, core: (tenant: string, session: SessionId) => live.core(tenant, session) }
  const erasing: JobWork = { schema: 1, timeoutMs: 60_000, run: job => eraseDue(store, clock, ids, job) }
  const works: Record<string, JobWork> = {
    ...learning.works,
    ...archiveJobs(archived),
    [refreshKind]: refreshWork(refresh),
    [eraseKind]: erasing,
    [sweepKind]: erasing,
    [compactKind]: {
      schema: 1,
      timeoutMs: 30 * 60_000,
      run: (job, signal) => compactDue(job, async id => await (await sessionsOf(job.tenant).open(id)).prepareContext(signal)),
    },
  }
  const tell = (event: JobEvent): void => {
    const { type, job } = event
    const { tenant, session, id, kind } = job
    const core = session === null ? undefined : live.core(tenant, session)
    if (session !== null) core?.live.emit({ type, session, job: id, kind })
    tellArchives(core, event)
  }
  const worker = options.worker === false ? undefined : startWorker({ store, clock, random, owner, timers, works, notice, tell })
  wakeWorker = () => worker?.wake()
  const endSweep = worker === undefined ? () => undefined : sweepCommits(archived)
  let found: Promise<string> | undefined
  const defaultModel = (): Promise<string> => {
    found ??= Promise.resolve(options.model ?? models.defaultModel())
    // What could not be read now may be repaired.
    found.catch(() => (found = undefined))
    return found
  }
  const connectBy =
    (all: Models): AgentPorts['connect'] =>
    async (model, options: ConnectOptions = {}) =>
      typeof model === 'object' && model !== null
        ? all.override(model)
        : await all.connect(model ?? (await defaultModel()), options)
  const { hooks, extensions, ui } = options
  const ports: AgentPorts = {
    connect: connectBy(models),
    scope: () => {
      const own = models.scope()
      return { register: own.register, connect: connectBy(own) }
    },
    config,
    tools,
    ...given({ hooks, extensions, ui, telemetry: readTelemetry(options.telemetry) }),
  }
  const running = new RunningMaps(timers)
  const end = async (waitMs: number): Promise<void> => {
    endSweep()
    await exchanges.stop(waitMs)
    const stopped = worker?.stop(waitMs)
    const began = clock.now()
    // What maps still write, their parents have to be open for.
    await running.stop(waitMs)
    const leftMs = Math.max(0, waitMs - (clock.now() - began))
    const closed = Promise.all(live.drain().map(({ session }) => session.close({ graceMs: leftMs })))
    // What is aborted when that time is over still has to say so.
    await within(timers, leftMs + sayMs, closed, () => undefined)
    await stopped
    await volatile.close()
    if (typeof options.store !== 'object') await opened.close()
  }
  let ended: Promise<void> | undefined
  const sessionsOf = (tenant: string): AgentSessions<MemorySession> =>
    new AgentSessions({
      runtime,
      tenant,
      volatile,
      live,
      config,
      importers: {
        hermes: async input => await importHermes(frontOf(tenant), input as HermesInput),
        'og-memory': async input => await importOg(sessionsOf(tenant), store.in(tenant), input),
      },
      compose: (core, opened) => new MemorySession(core, opened, ports, parts),
      settings: options => (checkOwnMemory(options.memory), {}),
      working: workingInfo,
    })
  const desk = new Desk({
    runtime,
    settings: readGatewaySettings(options.gateway),
    runsHere: (tenant, session) => live.core(tenant, session)?.activeRun !== undefined,
    toolNames: async (tenant, row) => await toolNames(tools, row && (await sessionsOf(tenant).open(row.id)), row),
    dataFolder: dataFolder(env),
    home: env['HOME'],
  })
  const frontOf = (tenant: string): Front => ({ desk, tenant, store: store.in(tenant), sessions: sessionsOf(tenant) })
  const exchanges = new Exchanges(frontOf)
  return {
    store: opened,
    models,
    gatewayOf: tenant => new Gateway(frontOf(tenant), exchanges.of(tenant)),
    sessionsOf,
    memoryOf: (tenant, owners) => new Memories({ store: store.in(tenant), ...learning, ...given({ owners }) }),
    operatorsOf: (tenant, sessions) =>
      new Operators({ runtime, store: store.in(tenant), volatile: volatile.in(tenant), sessions, ports, running }),
    jobsOf: tenant => new Jobs(store.in(tenant), timers, wakeWorker, [sweepKind]),
    close: waitMs => (ended ??= end(waitMs)),
  }
}

/** Names of the tools that a session may use. */
async function toolNames(
  shared: readonly Tool[],
  session: MemorySession | undefined,
  row: SessionRow | undefined,
): Promise<readonly string[]> {
  const names = shared.map(({ name }) => name)
  if (session === undefined || row === undefined) return names
  const { core, gear } = AgentSession.insideOf(session)
  const own = Array.isArray(gear.tools) ? (gear.tools as readonly Tool[]).map(({ name }) => name) : Object.keys(gear.tools ?? {})
  return [...names, ...own, ...(await settingsOf(core, row)).tools.map(({ name }) => name)]
}

/** Where data is kept that is no row of the store, if `env` says it. */
function dataFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const said = (name: string): string | undefined => env[name]?.trim() || undefined
  const [data, home] = [said('XDG_DATA_HOME'), said('HOME')]
  return said('SKEIN_HOME') ?? (data === undefined ? home && `${home}/.local/share/skein` : `${data}/skein`)
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

async function storeOf(given: string | Store, clock: Clock): Promise<Store> {
  if (typeof given !== 'string') return given
  if (given === 'memory:') return memoryStore({ clock })
  if (given.startsWith('sqlite:')) return await (await import('#stores/sqlite')).sqliteStore(given.slice(7), { clock })
  if (/^postgres(ql)?:/.test(given)) return await (await import('#stores/postgres')).postgresStore(given, { clock })
  throw new SkeinError('config.invalid', 'store: expected memory:, sqlite:FILE or postgres://…', { details: { key: 'store' } })
}
