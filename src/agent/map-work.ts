import { type JsonObject, type StandardSchema, wait } from '#kernel'
import type { SessionRow, TenantStore } from '#journal'
import type { AiSdkModel, ConnectedModel, ModelPort } from '#models'
import type { Runtime, SessionCore } from '#session'
import { AgentSession } from './agent-session.ts'
import type { AgentSessions } from './agent-sessions.ts'
import { agenticItem } from './agentic-item.ts'
import { llmItem } from './operators/llm-item.ts'
import type { MapInputs } from './operators/map-options.ts'
import type { MapHeader, MapId, MapItem } from './operators/map-rows.ts'
import { readOutputBy } from './operators/output.ts'
import type { MakePrompt } from './operators/prompt.ts'
import type { ItemWork } from './operators/runner.ts'
import type { AgentPorts } from './ports.ts'
import { checkTools } from './run-gear.ts'
import { startRun } from './send.ts'
import { kindOf, type Tool } from './tool.ts'

type Model = string | ModelPort | AiSdkModel

/** Everything that works on items, whatever was stored of it. */
export interface Gear {
  readonly prompt: MakePrompt
  readonly schema: StandardSchema | JsonObject | undefined
  readonly model: Model | null | undefined
  readonly tools: readonly Tool[]
  readonly inputs: MapInputs<unknown> | undefined
  readonly signal: AbortSignal | undefined
  readonly concurrency: number
}

export interface Parent {
  readonly core: SessionCore
  readonly row: SessionRow
  readonly model: Model | null
}

/** What work on items is done with. */
export interface WorkParts {
  readonly runtime: Runtime
  readonly store: TenantStore
  readonly sessions: AgentSessions
  readonly ports: AgentPorts
}

/** A map, as far as the work on its items depends on it. */
export interface MapWork {
  readonly map: MapId
  readonly header: MapHeader
  readonly gear: Gear
  readonly model: ConnectedModel
  readonly parent: Parent | undefined
}

/** How one item of a map is worked on, by a model or by an agent of its own. */
export function workOf(parts: WorkParts, { map, header, gear, model, parent }: MapWork): ItemWork {
  const { clock, timers, ids } = parts.runtime
  const { settings } = header
  const { prompt } = gear
  const reader = readOutputBy(gear.schema)
  if (header.kind === 'llm')
    return llmItem({ model, settings, prompt, reader, clock, timers, ids, accounted: parent !== undefined })
  const { sessions, ports } = parts
  const tools = allowedTools(parts, map, [...ports.tools, ...gear.tools], settings.readOnly, parent)
  const own: AgentPorts = { connect: () => Promise.resolve(model), tools }
  return agenticItem({
    map,
    settings,
    prompt,
    reader,
    model,
    tools,
    sessions,
    parent: parent?.core.id ?? null,
    user: parent?.row.user ?? null,
    send: (session, input, signal) => startRun(AgentSession.insideOf(session).core, own, input, { signal }),
    wait: (ms, signal) => wait(timers, ms, signal),
  })
}

/** Without the tools that may change something, if they may not be used; what is taken away is told. */
function allowedTools(
  { runtime, store }: WorkParts,
  map: MapId,
  tools: readonly Tool[],
  readOnly: boolean,
  parent: Parent | undefined,
): readonly Tool[] {
  checkTools(tools)
  const taken = readOnly ? tools.filter(tool => tool.readOnly !== true && kindOf(tool) !== 'read') : []
  if (taken.length === 0) return tools
  runtime.notice({
    level: 'info',
    code: 'map.read_only',
    message: `Map ${map} only reads, so its agents do without ${taken.map(({ name }) => name).join(', ')}.`,
    tenant: store.tenant,
    ...(parent === undefined ? {} : { session: parent.core.id }),
  })
  return tools.filter(tool => !taken.includes(tool))
}

/** The model that a map names, else its parent's. */
export async function connectFor({ ports }: WorkParts, { model }: Gear, parent: Parent | undefined): Promise<ConnectedModel> {
  if (model !== undefined && model !== null) return await ports.connect(model)
  return await ports.connect(parent === undefined ? 'sonnet' : parent.model)
}

/** Tells a parent's listeners that an item is over. */
export function tellEnded(parent: Parent | undefined, map: MapId, { index, state, errorKind, attempts = 0 }: MapItem): void {
  parent?.core.live.emit({
    type: 'map_item_ended',
    map,
    index,
    success: state === 'done',
    errorKind: errorKind ?? null,
    attempts,
  })
}
