import { asSkeinError, invalidInput, isId, isObject, type Json, parseId, type SessionId } from '#kernel'
import type { Change, TenantStore } from '#journal'
import type { ConnectedModel } from '#models'
import { draft } from '#session'
import { AgentSession } from './agent-session.ts'
import { connectFor, type Gear, type Parent, tellEnded, workOf, type WorkParts } from './map-work.ts'
import { expandMap, infoOf, isWorkedOn, type MapInfo, type MapPage, type MapPageOptions } from './operators/expand-map.ts'
import { checkList, type InputSource, openInputs, readInputs, takeInputs } from './operators/inputs.ts'
import { Ledger } from './operators/ledger.ts'
import {
  type AgenticMapOptions,
  type AnyMapOptions,
  checkResume,
  type LlmMapOptions,
  type ResumeOptions,
  settingsOf,
} from './operators/map-options.ts'
import { mapCollection, type MapHeader, type MapId, type MapKind, readHeader, unknownMap } from './operators/map-rows.ts'
import { type Begun, Changes, type MapRun } from './operators/map-run.ts'
import { readPrompt } from './operators/prompt.ts'
import { type ItemWork, Runner } from './operators/runner.ts'
import type { RunningMaps } from './operators/running-maps.ts'
import { refOf } from './run-options.ts'
import type { Tool } from './tool.ts'

export interface OperatorsParts extends WorkParts {
  /** Where sessions that are not durable live, and so do their maps. */
  readonly volatile: TenantStore
  readonly running: RunningMaps
}

/** `skein.operators`: the same work on many inputs, each done once, whatever process dies meanwhile. */
export class Operators {
  readonly #parts: OperatorsParts

  constructor(parts: OperatorsParts) {
    this.#parts = parts
  }

  /** Asks a model for each input. Source: spec/context.md 11. */
  llmMap<I = Json, O = Json>(options: LlmMapOptions<I, O>): MapRun<O> {
    return this.#start('llm', options as unknown as AnyMapOptions)
  }

  /** Gives each input to an agent in a sub-session of its own. */
  agenticMap<I = Json, O = Json>(options: AgenticMapOptions<I, O, Tool>): MapRun<O> {
    return this.#start('agentic', options as unknown as AnyMapOptions)
  }

  /** Goes on with a map that was stopped or whose process died; one that goes on here is that one. */
  resume<I = Json, O = Json>(map: string, options: ResumeOptions<I, O, Tool> = {}): MapRun<O> {
    const { running, store } = this.#parts
    const known = running.get(store.tenant, map)
    if (known !== undefined) return known as MapRun<O>
    const changes = new Changes()
    const begun = this.#resumed(map, options as unknown as ResumeOptions, changes)
    return running.add(store.tenant, map as MapId, begun, changes)
  }

  /** How far a map is, in any process. Throws `map.not_found`. */
  async get(map: string): Promise<MapInfo> {
    const id = parseId('map', map, 'map')
    const { store, header } = await this.#find(id)
    return { ...infoOf(id, header), state: await this.#stateOf(store, id, header) }
  }

  /** Its results, page by page, in the order in which they came. */
  async results(map: string, options: MapPageOptions = {}): Promise<MapPage> {
    const id = parseId('map', map, 'map')
    const { store, header } = await this.#find(id)
    return { ...(await expandMap(store, id, options)), state: await this.#stateOf(store, id, header) }
  }

  async #stateOf(store: TenantStore, map: MapId, { state }: MapHeader): Promise<MapInfo['state']> {
    const { running, runtime } = this.#parts
    if (state === 'ended' || running.get(this.#parts.store.tenant, map) !== undefined) return state
    return (await isWorkedOn(store, map, runtime.clock.now())) ? 'running' : 'stopped'
  }

  #start<O>(kind: MapKind, options: AnyMapOptions): MapRun<O> {
    const { running, runtime, store } = this.#parts
    const map = runtime.ids('map')
    const changes = new Changes()
    const begun = this.#begin(map, kind, options, changes)
    return running.add(store.tenant, map, begun, changes)
  }

  async #begin(map: MapId, kind: MapKind, options: AnyMapOptions, changes: Changes): Promise<Begun> {
    const { settings, needs } = settingsOf(kind, options)
    const gear: Gear = {
      prompt: readPrompt(options.prompt),
      schema: options.schema,
      model: options.model,
      tools: (options.tools ?? []) as readonly Tool[],
      inputs: options.inputs,
      signal: options.signal,
      concurrency: settings.concurrency,
    }
    gear.signal?.throwIfAborted()
    const { list, blob } = readInputs(options.inputs)
    if (list !== undefined) checkList(list)
    const parent = await this.#parent(idOf(options.parent))
    const store = parent?.core.store ?? this.#parts.store
    const inputs = await openInputs(store, options.inputs, parent?.core.id ?? null)
    const model = await connectFor(this.#parts, gear, parent)
    const header: MapHeader = {
      v: 1,
      kind,
      state: 'running',
      parent: parent?.core.id ?? null,
      blob: blob ?? null,
      total: null,
      read: 0,
      succeeded: 0,
      failed: 0,
      startedAt: this.#parts.runtime.clock.now(),
      endedAt: null,
      settings,
      needs,
    }
    const work = workOf(this.#parts, { map, header, gear, model, parent })
    await this.#announce(map, header, model, parent, list?.length ?? null)
    const ledger = this.#ledger(store, map, header, 1, parent)
    if (list !== undefined) await storeAll(ledger, inputs)
    const source = list === undefined ? { inputs, atATime: blob === undefined ? 1 : blobChunk } : undefined
    return this.#run({ store, map, ledger, work, gear, parent, source, changes })
  }

  /** The map's own record and, in the same commit, what its parent is told. */
  async #announce(
    map: MapId,
    header: MapHeader,
    model: ConnectedModel,
    parent: Parent | undefined,
    total: number | null,
  ): Promise<void> {
    const put: Change = {
      type: 'put_record',
      collection: mapCollection,
      key: map,
      value: header as unknown as Json,
      expectVersion: 0,
    }
    if (parent === undefined) return void (await this.#parts.store.commit([put]))
    const started = draft('map_started', { map, kind: header.kind, model: refOf(model), total })
    await parent.core.side(() => ({ drafts: [started], alongside: [put] }))
  }

  async #resumed(map: string, options: ResumeOptions, changes: Changes): Promise<Begun> {
    const id = parseId('map', map, 'map')
    const { store, header, version } = await this.#find(id)
    checkResume(header.kind, options)
    options.signal?.throwIfAborted()
    if (header.state === 'ended') {
      return { store, ledger: this.#ledger(store, id, header, version, undefined), over: Promise.resolve() }
    }
    const { settings } = header
    const again = options as Readonly<Record<string, unknown>>
    const missing = header.needs.filter(name => again[name] === undefined)
    if (missing.length > 0)
      throw invalidInput(missing[0] ?? '', `This map was begun with what cannot be stored: give ${missing.join(', ')} again.`)
    const blob = header.blob === null ? undefined : { blob: header.blob }
    const given = header.total === null ? (options.inputs ?? blob) : undefined
    if (header.total === null && given === undefined)
      throw invalidInput('inputs', `Only ${header.read} inputs were read: give them again, from the first one on.`)
    const gear: Gear = {
      prompt: readPrompt(options.prompt ?? settings.prompt),
      schema: options.schema ?? settings.schema ?? undefined,
      model: options.model ?? settings.model ?? undefined,
      tools: (options.tools ?? []) as readonly Tool[],
      inputs: given,
      signal: options.signal,
      concurrency: options.concurrency ?? settings.concurrency,
    }
    // A parent that is gone is told nothing; its map's rows go on.
    const parent = await this.#parent(header.parent).catch(() => undefined)
    const source =
      given === undefined
        ? undefined
        : { inputs: await openInputs(store, given, header.parent), atATime: Symbol.asyncIterator in given ? 1 : blobChunk }
    const model = await connectFor(this.#parts, gear, parent)
    const work = workOf(this.#parts, { map: id, header, gear, model, parent })
    const ledger = this.#ledger(store, id, header, version, parent)
    return this.#run({ store, map: id, ledger, work, gear, parent, source, changes })
  }

  #run(parts: {
    readonly store: TenantStore
    readonly map: MapId
    readonly ledger: Ledger
    readonly work: ItemWork
    readonly gear: Gear
    readonly parent: Parent | undefined
    readonly source: ConstructorParameters<typeof Runner>[0]['source'] | undefined
    readonly changes: Changes
  }): Begun {
    const { store, map, ledger, work, gear, parent, source, changes } = parts
    const { clock, timers, leaseMs, ids } = this.#parts.runtime
    ledger.onWritten = () => changes.tell()
    const runner = new Runner({
      store,
      map,
      ledger,
      work,
      concurrency: gear.concurrency,
      ...(source === undefined ? {} : { source }),
      owner: ids('own'),
      leaseMs,
      clock,
      timers,
      onEnded: item => tellEnded(parent, map, item),
    })
    const unpin = parent?.core.pin()
    const abort = (): void => runner.abort(gear.signal?.reason)
    gear.signal?.addEventListener('abort', abort, { once: true })
    if (gear.signal?.aborted === true) abort()
    // Nothing else may keep the process while it waits before asking again.
    const keepAlive = setInterval(() => undefined, 2 ** 30)
    const over = runner.run().finally(() => {
      clearInterval(keepAlive)
      gear.signal?.removeEventListener('abort', abort)
      unpin?.()
    })
    over.catch((error: unknown) => {
      const { code, message } = asSkeinError(error)
      const session = parent === undefined ? {} : { session: parent.core.id }
      const told = `Map ${map} broke off and can be resumed: ${message}`
      this.#parts.runtime.notice({ level: 'error', code, message: told, tenant: store.tenant, ...session })
    })
    return { store, ledger, runner, over }
  }

  #ledger(store: TenantStore, map: MapId, header: MapHeader, version: number, parent: Parent | undefined): Ledger {
    return new Ledger({ store, map, header, version, parent: parent?.core, clock: this.#parts.runtime.clock })
  }

  async #parent(id: SessionId | null): Promise<Parent | undefined> {
    if (id === null) return undefined
    const session = await this.#parts.sessions.open(id)
    const { core, gear } = AgentSession.insideOf(session)
    const row = await core.row()
    return { core, row, model: gear.modelOverride ?? row.model }
  }

  async #find(map: MapId): Promise<{ store: TenantStore; header: MapHeader; version: number }> {
    for (const store of [this.#parts.store, this.#parts.volatile]) {
      if ((await store.record(mapCollection, map)) !== undefined) return { store, ...(await readHeader(store, map)) }
    }
    throw unknownMap(map)
  }
}

const blobChunk = 64
const listChunk = 500

/** All inputs of a list are durable before the map has begun. */
async function storeAll(ledger: Ledger, inputs: InputSource): Promise<void> {
  for (let at = 0, done = false; !done;) {
    const taken = await takeInputs(inputs, listChunk)
    if (taken.inputs.length > 0) await ledger.write({ type: 'inputs', at, inputs: taken.inputs })
    at += taken.inputs.length
    done = taken.done
    if (done) await ledger.write({ type: 'last', total: at })
  }
}

function idOf(parent: AnyMapOptions['parent']): SessionId | null {
  if (parent === undefined) return null
  return isObject(parent) && isId('ses', parent['id']) ? parent['id'] : (parent as SessionId)
}
