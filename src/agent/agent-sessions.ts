import { given, isSkeinError, type JsonObject, parseSessionRef, type SessionId } from '#kernel'
import type { SessionRow, TenantStore, ToolDescription } from '#journal'
import { type CreateOptions, type ListFilter, Sessions } from '#session'
import { type AgentGear, type AgentOptions, checkAgent, type KeptSettings, type OpenOptions, partGear } from './agent-options.ts'
import type { ConfigSource } from './config-source.ts'
import { AgentSession } from './agent-session.ts'
import { findApproval } from './approvals.ts'
import type { Approval } from './approvals-row.ts'
import { badConfig } from './policy/bad-config.ts'
import { isFolder } from './policy/real-place.ts'
import { keptAmong } from './held-settings.ts'
import { keepOptions } from './kept-options.ts'
import type { RecoverOptions, Recovery } from './recover.ts'
import { prefillSession } from './prefill-session.ts'
import { checkTools } from './run-gear.ts'
import { runCollection } from './run-row.ts'
import { aiSdkTools, describeTool, readTools, type Tool } from './tool.ts'

interface AgentSessionsParts {
  readonly config?: ConfigSource
  /** Runs that a room above carries on by itself. */
  leaves?(row: SessionRow): Promise<boolean>
}

/** The sessions of the face: what `create` is given to run with stays with the object in this process. */
export class AgentSessions<S extends AgentSession = AgentSession> extends Sessions<S> {
  readonly #stores: readonly TenantStore[]

  readonly #config: ConfigSource | undefined
  readonly #leaves: AgentSessionsParts['leaves']

  constructor({ config, leaves, ...parts }: ConstructorParameters<typeof Sessions<S>>[0] & AgentSessionsParts) {
    super(parts)
    this.#config = config
    this.#leaves = leaves
    this.#stores = [parts.runtime.store.in(parts.tenant), parts.volatile.in(parts.tenant)]
  }

  /** A question about a call, by its id alone. Throws `approval.not_found`. */
  async approval(id: string): Promise<Approval> {
    return await findApproval(this.#stores, id)
  }

  /** Rejects `config.invalid`, and writes nothing, also for what files and variables say. Law A3. */
  override async create(options: AgentOptions = {}): Promise<S> {
    checkAgent.create(options)
    await checkTogether(options)
    await this.#config?.find(options.cwd ?? null)
    const { prefill, ...more } = options
    const { gear, created } = parted(more)
    const session = await AgentSession.given((await super.create(created)).equip(gear), settingsAmong(options), false)
    return await AgentSession.opened(await prefilled(session, prefill))
  }

  /** What it is given of what a session keeps is written where it differs, and holds from the next run on. */
  override async open(id: string, options: OpenOptions = {}): Promise<S> {
    checkAgent.open(options)
    const { orCreate, prefill, model: _model, thinking: _thinking, system: _system, ...gear } = options
    await checkTogether(options)
    if (orCreate === undefined) return await this.#opened(await super.open(id), options, gear, prefill)
    await checkTogether(orCreate)
    const { prefill: begun, ...more } = orCreate
    const session = await this.#found(id, more)
    const isNew = (await session.info()).turns === 0
    return await this.#opened(session.equip(parted(more).gear), options, gear, prefill ?? (isNew ? begun : undefined))
  }

  /** The one with the newest activity, opened with options; `undefined` if none fits. Law S8. */
  override async latest(
    filter: Omit<ListFilter, 'sort' | 'limit' | 'cursor'> = {},
    options: Omit<OpenOptions, 'orCreate'> = {},
  ): Promise<S | undefined> {
    const found = await super.latest(filter)
    return found === undefined ? undefined : await this.open(found.id, options)
  }

  async #opened(session: S, options: OpenOptions, gear: AgentGear, prefill: AgentOptions['prefill']): Promise<S> {
    const tools = options.tools === undefined ? {} : { tools: descriptions(readTools(options.tools)) }
    await AgentSession.given(session, { ...settingsAmong(options), ...tools }, true)
    return await AgentSession.opened(await prefilled(session.equip(gearOf(gear)), prefill))
  }

  /** The session of an alias, made if there is none. Law S19. */
  async #found(id: string, orCreate: AgentOptions): Promise<S> {
    const ref = parseSessionRef(id)
    for (let tries = 1; ; tries++) {
      try {
        return await super.open(id)
      } catch (error) {
        if (typeof ref === 'string' || !isSkeinError(error) || error.code !== 'session.not_found') throw error
      }
      try {
        return await this.create({ ...orCreate, id: ref.alias })
      } catch (error) {
        // Another was first; its name may also be taken by one that was deleted and can still be restored.
        if (!isSkeinError(error) || error.code !== 'session.exists' || tries > 1) throw error
      }
    }
  }

  /** Carries on what died with other processes of this store, as `session.recover` does; for whoever starts. */
  async recover(options: Omit<RecoverOptions, 'apply' | 'answers'> = {}): Promise<Recovered[]> {
    const done: Recovered[] = []
    const [store] = this.#stores
    for (let cursor: string | undefined; store !== undefined;) {
      const page = await store.records(runCollection, { limit: 100, ...given({ cursor }) })
      for (const { key } of page.items) done.push(await this.#recoverOne(key as SessionId, options))
      if (page.next === undefined) break
      cursor = page.next
    }
    return done
  }

  async #recoverOne(session: SessionId, options: RecoverOptions): Promise<Recovered> {
    try {
      const row = await this.#stores[0]?.session(session)
      if (row !== undefined && (await this.#leaves?.(row)) === true) return { session, recovery: null, code: 'session.routed' }
      return { session, recovery: await (await this.open(session)).recover({ ...options, apply: true }) }
    } catch (error) {
      const code = isSkeinError(error) ? error.code : 'skein.bug'
      if (code === 'session.not_found')
        await this.#stores[0]?.commit([{ type: 'delete_record', collection: runCollection, key: session }])
      return { session, recovery: null, code }
    }
  }
}

async function prefilled<S extends AgentSession>(session: S, prefill: AgentOptions['prefill']): Promise<S> {
  if (prefill !== undefined) await prefillSession(AgentSession.insideOf(session).core, prefill)
  return session
}

/** Of the options, what a session keeps under entries of their own. */
const settingsAmong = ({ model, thinking, system }: Pick<OpenOptions, 'model' | 'thinking' | 'system'>): KeptSettings =>
  given({ model, thinking, system })

/** What only makes sense together. Law A3. */
async function checkTogether({ cwd, noTools, tools }: Pick<AgentOptions, 'cwd' | 'noTools' | 'tools'>): Promise<void> {
  if (noTools === true && tools !== undefined) throw badConfig('noTools', 'Give tools or noTools, not both.')
  if (typeof cwd === 'string' && !(await isFolder(cwd))) throw badConfig('cwd', 'Expected the absolute path of a folder.')
}

/** What became of one session whose run died, or whose turns wait. */
export interface Recovered {
  readonly session: SessionId
  readonly recovery: Recovery | null
  /** Why nothing was done, such as `session.busy`; `session.routed`: the gateway will. */
  readonly code?: string
}

/** What the session keeps, and what only this process has of it. */
function parted(options: AgentOptions): { readonly gear: AgentGear; readonly created: CreateOptions } {
  const { tools: asked, ...more } = options
  const tools = listed(asked)
  const { gear, rest } = partGear(more)
  return {
    gear: gearOf({ ...gear, tools: runnable(tools) }),
    created: { ...rest, ...given({ tools: tools && descriptions(tools), more: keptOf(gear) }) },
  }
}

function keptOf(gear: Omit<AgentGear, 'tools'>): JsonObject | undefined {
  const kept = given({ allowance: gear.allowance ?? undefined, options: keptAmong(gear) })
  return Object.keys(kept).length === 0 ? undefined : keepOptions(kept)
}

const isRunnable = (tool: Tool | ToolDescription): tool is Tool => 'run' in tool

type Listed = readonly (Tool | ToolDescription)[]

function listed(tools: AgentOptions['tools']): Listed | undefined {
  const isList = (given: typeof tools): given is Listed => Array.isArray(given)
  return tools === undefined || isList(tools) ? tools : aiSdkTools(tools)
}

function runnable(tools: Listed | undefined): readonly Tool[] | undefined {
  return tools?.filter(isRunnable)
}

function descriptions(tools: Listed): ToolDescription[] {
  checkTools(tools.filter(isRunnable))
  return tools.map(tool => (isRunnable(tool) ? describeTool(tool) : tool))
}

/** Only what was given, so that opening again takes nothing away. */
function gearOf(gear: { readonly [K in keyof AgentGear]: AgentGear[K] | undefined }): AgentGear {
  return Object.fromEntries(Object.entries(gear).filter(([, value]) => value !== undefined))
}
