import {
  type AgentPorts,
  AgentSession,
  AgentSessions,
  type ConfigSource,
  configSource,
  mapText,
  modelSummarizer,
  Operators,
  readTelemetry,
  RunningMaps,
  sectionOf,
} from '#agent'
import {
  type ContextSettingsInput,
  deterministicSummarizer,
  loadCounter,
  mergeContextSettings,
  readContextSettings,
} from '#context'
import {
  Desk,
  Exchanges,
  type Front,
  Gateway,
  gatewayHooks,
  gatewayWorks,
  importHermes,
  isGatewayRun,
  readGatewaySettings,
  sweepRegularly,
  tellGateway,
  unaskedKinds,
} from '#gateway'
import { type JobEvent, Jobs, startWorker, wakingStore, type Worker } from '#jobs'
import { memoryStore, type SessionRow, type Store } from '#journal'
import { createIds, given, type SessionId, systemClock, systemRandom, systemTimers, within } from '#kernel'
import {
  archiveRefs,
  checkOwnMemory,
  importOg,
  injectHooks,
  Memories,
  memoryParts,
  MemorySession,
  openLearning,
  readMemory,
  sweepCommits,
  tellArchives,
  workingInfo,
} from '#memory'
import type { ConnectedModel, Models } from '#models'
import { type Erased, type HermesInput, liveDefaults, LiveSessions, type Notice, type Runtime, sweepKind } from '#session'
import { connecting, factsOf, modelsOf } from './connecting.ts'
import { dataFolder } from './data-folder.ts'
import { noticesOf } from './notices.ts'
import { openStore } from './open-store.ts'
import { checkOptions, type SkeinOptions } from './skein-options.ts'
import { toolNames } from './tool-names.ts'
import { worksOf } from './works.ts'

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
  const { clock = systemClock, random = systemRandom, timers = systemTimers, tools = [], env = {} } = options
  const memory = readMemory(options.memory)
  const gateway = readGatewaySettings(options.gateway)
  const notices = noticesOf(options, clock)
  const notice = (given: Notice): void => notices.tell(given)
  const models = modelsOf(options, { clock, timers, notice, random })
  const config = configOf(options, notice)
  const { defaults, custom } = await contextOf(options, config)
  const counter = await loadCounter(defaults.counter ?? 'weights/1')
  const opened = await openStore(options.store ?? 'sqlite:skein.db', clock)
  let wakeWorker = (): void => undefined
  const store = wakingStore(opened, () => wakeWorker())
  // What lives in this process only is worked off by a worker of its own, once there is anything.
  const volatile = wakingStore(memoryStore({ clock }), () => wakeVolatile())
  const ids = createIds({ clock, random })
  const owner = store.adapter === 'sqlite' ? (await import('#stores/sqlite')).processOwner() : ids('own')
  const deterministic = deterministicSummarizer(counter)
  const storeOf = (tenant: string) => store.in(tenant)
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
    context: defaults,
    hooks: [
      ...(options.contextHooks ?? []),
      ...(memory.inject ? injectHooks(() => learning.recall, storeOf) : []),
      ...gatewayHooks(tenant => frontOf(tenant)),
    ],
    refReaders: { map: mapText, archive: archiveRefs(() => runtime) },
    summarizer: async name => {
      if (custom?.id === name) return custom
      return name === 'deterministic' ? deterministic : modelSummarizer(await ports.connect(name), clock)
    },
  }
  const live = new LiveSessions<MemorySession>(runtime, { ...liveDefaults, ...options.sessions })
  const coreOf = (tenant: string, session: SessionId) => live.core(tenant, session)
  // A notice shows among the live events of its session, too; ids may be equal in two tenants.
  notices.follow(({ session, tenant, ...told }) => {
    if (session !== undefined && tenant !== undefined) coreOf(tenant, session)?.live.emit({ type: 'notice', session, ...told })
  })
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
    tell: (tenant, session, event) => void coreOf(tenant, session)?.live.emit({ ...event, session }),
  })
  const parts = memoryParts({
    settings: memory,
    learning,
    refresh,
    works: options.worker !== false,
    clock,
    connect: () => ports.connect(null),
  })
  const archived = { runtime, parts, core: coreOf }
  const tell = (event: JobEvent): void => {
    const { tenant, session, id, kind } = event.job
    const core = session === null ? undefined : coreOf(tenant, session)
    if (session !== null) core?.live.emit({ type: event.type, session, job: id, kind })
    tellArchives(core, event)
    tellGateway(frontOf, event)
  }
  const works = (within: Runtime): ReturnType<typeof worksOf> =>
    worksOf({
      runtime: within,
      learning,
      archived: { ...archived, runtime: within },
      refresh: { ...refresh, runtime: within },
      open: (tenant, id) => sessionsOf(tenant).open(id),
      eraseSession: async (tenant, id) => (await sessionsOf(tenant).delete(id, { erase: true })) as Erased,
      gateway: gatewayWorks(
        tenant => frontOf(tenant),
        tenant => exchanges.of(tenant),
      ),
    })
  const workerIn = (within: Runtime): Worker =>
    startWorker({ store: within.store, clock, random, owner, timers, works: works(within), notice, tell })
  const worker = options.worker === false ? undefined : workerIn(runtime)
  const inProcess: Runtime = { ...runtime, store: volatile }
  let volatileWorker: Worker | undefined
  const wakeVolatile = (): void => {
    if (worker !== undefined && ended === undefined) (volatileWorker ??= workerIn(inProcess)).wake()
  }
  wakeWorker = () => worker?.wake()
  const endSweep = worker === undefined ? () => undefined : sweepCommits(archived, { ...archived, runtime: inProcess })
  const { hooks, extensions, ui } = options
  const ports: AgentPorts = {
    ...connecting(models, options.model),
    config,
    tools,
    ...given({ hooks, extensions, ui, telemetry: readTelemetry(options.telemetry) }),
  }
  const running = new RunningMaps(timers)
  const end = async (waitMs: number): Promise<void> => {
    endSweep()
    endGatewaySweep()
    await exchanges.stop(waitMs)
    const stopped = Promise.all([worker?.stop(waitMs), volatileWorker?.stop(waitMs)])
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
  const wakeAll = (): void => {
    wakeWorker()
    if (volatileWorker !== undefined) wakeVolatile()
  }
  const sessionsOf = (tenant: string): AgentSessions<MemorySession> =>
    new AgentSessions({
      runtime,
      tenant,
      volatile,
      live,
      config,
      leaves: row => isGatewayRun(frontOf(tenant), row),
      importers: {
        hermes: async input => await importHermes(frontOf(tenant), input as HermesInput),
        'og-memory': async input => await importOg(sessionsOf(tenant), storeOf(tenant), input),
      },
      compose: (core, opened) => new MemorySession(core, opened, ports, parts),
      settings: options => (checkOwnMemory(options.memory), {}),
      working: workingInfo,
    })
  const desk = new Desk({
    runtime,
    settings: gateway,
    runsHere: (tenant, session) => coreOf(tenant, session)?.activeRun !== undefined,
    toolNames: async (tenant, row) => await toolNames(tools, row && (await sessionsOf(tenant).open(row.id)), row),
    dataFolder: dataFolder(env),
    home: env['HOME'],
  })
  const frontOf = (tenant: string): Front => ({ desk, tenant, store: storeOf(tenant), sessions: sessionsOf(tenant) })
  const exchanges = new Exchanges(frontOf)
  const endGatewaySweep = worker === undefined ? () => undefined : sweepRegularly(desk, frontOf)
  return {
    store: opened,
    models,
    gatewayOf: tenant => new Gateway(frontOf(tenant), exchanges.of(tenant)),
    sessionsOf,
    memoryOf: (tenant, owners) =>
      new Memories({ store: storeOf(tenant), ...learning, worker: worker !== undefined, ...given({ owners }) }),
    operatorsOf: (tenant, sessions) =>
      new Operators({ runtime, store: storeOf(tenant), volatile: volatile.in(tenant), sessions, ports, running }),
    jobsOf: tenant => new Jobs([storeOf(tenant), volatile.in(tenant)], timers, wakeAll, [sweepKind, ...unaskedKinds]),
    close: waitMs => (ended ??= end(waitMs)),
  }
}

/** Settings of files and environment, under those of the call. */
function configOf({ env = {}, config, model }: SkeinOptions, notice: Runtime['notice']): ConfigSource {
  return configSource({
    env,
    file: config,
    flags: new Map(model === undefined ? [] : [['model', { value: model, layer: 'flag', where: null }]]),
    loadParser: async () => (await import('smol-toml')).parse,
    notice: message => notice({ level: 'warn', code: 'config.notice', message }),
  })
}

/** How contexts are kept where no session says otherwise, and a summarizer of the caller's own. */
async function contextOf(
  { context = {} }: SkeinOptions,
  config: ConfigSource,
): Promise<{ readonly defaults: ContextSettingsInput; readonly custom: Exclude<typeof context.summarizer, string> }> {
  const custom = typeof context.summarizer === 'object' ? context.summarizer : undefined
  const own = readContextSettings({ ...context, ...given({ summarizer: custom?.id }) })
  const { settings } = await config.find(null)
  return { defaults: mergeContextSettings(readContextSettings(sectionOf(settings, 'context')), own), custom }
}
