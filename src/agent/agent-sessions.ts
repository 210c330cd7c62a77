import { given, isSkeinError, type JsonObject, type SessionId } from '#kernel'
import type { TenantStore, ToolDescription } from '#journal'
import { type CreateOptions, Sessions } from '#session'
import { type AgentGear, type AgentOptions, checkAgent, type OpenOptions, partGear } from './agent-options.ts'
import { AgentSession } from './agent-session.ts'
import { findApproval } from './approvals.ts'
import type { Approval } from './approvals-row.ts'
import { badConfig } from './policy/bad-config.ts'
import { isFolder } from './policy/real-place.ts'
import { runCollection } from './input-queue.ts'
import { keptAmong } from './held-settings.ts'
import { keepOptions } from './kept-options.ts'
import type { RecoverOptions, Recovery } from './recover.ts'
import { prefillSession } from './prefill-session.ts'
import { checkTools } from './send.ts'
import { aiSdkTools, describeTool, type Tool } from './tool.ts'

/** The sessions of the face: what `create` is given to run with stays with the object in this process. */
export class AgentSessions<S extends AgentSession = AgentSession> extends Sessions<S> {
  readonly #stores: readonly TenantStore[]

  constructor(parts: ConstructorParameters<typeof Sessions<S>>[0]) {
    super(parts)
    this.#stores = [parts.runtime.store.in(parts.tenant), parts.volatile.in(parts.tenant)]
  }

  /** A question about a call, by its id alone. Throws `approval.not_found`. */
  async approval(id: string): Promise<Approval> {
    return await findApproval(this.#stores, id)
  }

  override async create(options: AgentOptions = {}): Promise<S> {
    checkAgent.create(options)
    await checkTogether(options)
    const { prefill, ...more } = options
    const { gear, created } = parted(more)
    return await AgentSession.opened(await prefilled((await super.create(created)).equip(gear), prefill))
  }

  override async open(id: string, options: OpenOptions = {}): Promise<S> {
    checkAgent.open(options)
    const { orCreate, prefill, ...gear } = options
    if (orCreate === undefined)
      return await AgentSession.opened(await prefilled((await super.open(id)).equip(gearOf(gear)), prefill))
    await checkTogether(orCreate)
    const { prefill: begun, ...more } = orCreate
    const { gear: own, created } = parted(more)
    const session = await super.open(id, { orCreate: created })
    const isNew = (await session.info()).turns === 0
    return await AgentSession.opened(
      await prefilled(session.equip({ ...own, ...gearOf(gear) }), prefill ?? (isNew ? begun : undefined)),
    )
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

/** What only makes sense together. Law A3. */
async function checkTogether({ cwd, noTools, tools }: AgentOptions): Promise<void> {
  if (noTools === true && tools !== undefined) throw badConfig('noTools', 'Give tools or noTools, not both.')
  if (typeof cwd === 'string' && !(await isFolder(cwd))) throw badConfig('cwd', 'Expected the absolute path of a folder.')
}

/** What became of one session whose run died, or whose turns wait. */
export interface Recovered {
  readonly session: SessionId
  readonly recovery: Recovery | null
  /** Why nothing was done, such as `session.busy`. */
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
