import { type EntryId, given, isId, isObject, type RunId, sha256, SkeinError } from '#kernel'
import type { RunCode, RunHeld, SessionRow, ToolDescription } from '#journal'
import type { AiSdkModel, ConnectedModel, ModelPort } from '#models'
import { type SessionCore, settingsOf } from '#session'
import type { SendOptions } from './agent-options.ts'
import { checkPriced, type Limit } from './allowance.ts'
import type { Alongside } from './alongside.ts'
import { bindDelegate, parentOf, roleSection } from './delegate.ts'
import type { HeldSettings } from './held-settings.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { recallDescriptions, recallTools } from './recall-tools.ts'
import type { RunOptions } from './run-options.ts'
import { promptFor } from './run-prompt.ts'
import { codeAmong, gatesKept, hooksKept } from './run-code.ts'
import { seamsOf } from './run-rules.ts'
import { type MadePrompt, sentPrompt } from './session-prompt.ts'
import { readStance } from './stance.ts'
import { describeTool, type Tool } from './tool.ts'

/** What a run is executed with, whoever says something. */
export type RunGear = Pick<
  RunOptions,
  | 'model'
  | 'tools'
  | 'offered'
  | 'told'
  | 'maxSteps'
  | 'maxTokens'
  | 'thinking'
  | 'cache'
  | 'steering'
  | 'cancelGraceMs'
  | 'toolOrder'
  | 'seams'
  | 'atEnd'
  | 'prompt'
  | 'promptInputs'
  | 'noTools'
  | 'ui'
  | 'telemetry'
> & {
  readonly alongside: Alongside
  readonly traceId: string | undefined
  /** As it was asked for, for those who judge. */
  readonly asked: SendOptions
  limitsOf(run: RunId): readonly Limit[]
  /** What is written of it with the run, for whoever carries that on. */
  readonly held: RunHeld
}

/**
 * Rejects, before anything is written, when the tools contradict each other or the model can't be had. `carried`: what held when
 * the run began, if it is carried on. `code`: what it was promised in another process; what is missing of it holds, and refuses.
 */
export async function readGear(
  core: SessionCore,
  ports: AgentPorts,
  options: SendOptions,
  defaults: RunDefaults,
  carried?: RunHeld,
  code: RunCode | undefined = carried?.code,
): Promise<RunGear> {
  const stance = await readStance(core, ports, options, defaults, carried)
  const { row, held, rules, extended, recalls, child, limitsOf } = stance
  const { noTools, maxSteps, maxTokens, thinking, cache, steering, cancelGraceMs, toolOrder } = held
  const own = bindDelegate(stance.own, core, () => parentOf(core, ports, stance, askedModel(held, defaults, options)), ports)
  const tools = [...own, ...(recalls ? recallTools(core) : [])]
  const gates = gatesKept(code, stance.gates)
  const hooks = hooksKept(code, stance.hooks)
  checkTools(tools)
  const { identity, system } = held
  const more = [...extended.sections, ...roleSection(child?.role, extended.roles)]
  const made = async (): Promise<MadePrompt> =>
    system === null
      ? await promptFor(core, row, rules, { identity, more, tools, userFolder: ports.config?.userFolder })
      : { text: system, inputs: null }
  const prompt = (carried && (await sentPrompt(core, row, carried.prompt))) ?? (await made())
  const offered: readonly ToolDescription[] = recalls ? recallDescriptions : []
  const model = await connectFor(ports, held, defaults, options)
  checkPriced(model, limitsOf('run_' as RunId), core.runtime.clock.now())
  return {
    model,
    tools,
    offered,
    told: (await toldTools(core, row, own, carried !== undefined)).filter(({ name }) => child?.tools.includes(name) ?? true),
    maxSteps,
    ...given({ maxTokens }),
    thinking,
    held: { ...heldBy(row, thinking, prompt.text), ...given({ code: codeAmong(options.tools, gates, hooks) }) },
    cache,
    steering,
    cancelGraceMs,
    toolOrder,
    seams: { ...seamsOf(rules, { gates, hooks, extended, bounds: child?.bounds }), ...ports.seams },
    prompt: prompt.text,
    promptInputs: prompt.inputs,
    ...given({ ui: rules.ui, telemetry: ports.telemetry }),
    noTools,
    alongside: options.alongside ?? [],
    traceId: options.traceId,
    asked: options,
    limitsOf,
    ...given({ atEnd: options.atEnd }),
  }
}

function heldBy({ data }: SessionRow, thinking: string, prompt: string | null): RunHeld {
  const settings = isObject(data['settings']) ? data['settings'] : {}
  const entry = (id: unknown): EntryId | undefined => (isId('ent', id) ? id : undefined)
  const { system, tools } = settings
  return { thinking, prompt: prompt === null ? null : sha256(prompt), ...given({ system: entry(system), tools: entry(tools) }) }
}

/** A model object goes before every name but those that the run's own options say. */
function askedModel(
  { model }: HeldSettings,
  defaults: RunDefaults,
  options: SendOptions,
): string | ModelPort | AiSdkModel | null {
  const asked = options.modelOverride ?? (options.model === undefined ? defaults.model : options.model)
  return typeof asked === 'object' && asked !== null ? asked : model
}

async function connectFor(
  ports: Pick<AgentPorts, 'connect'>,
  held: HeldSettings,
  defaults: RunDefaults,
  options: SendOptions,
): Promise<ConnectedModel> {
  const { provider, credentials } = held
  const model = askedModel(held, defaults, options)
  if (typeof model === 'object' && model !== null) return await ports.connect(model)
  const apiKey = (options.apiKey === undefined ? defaults.apiKey : options.apiKey) ?? undefined
  return await ports.connect(model, given({ provider, apiKey, credentials }))
}

/** Tools that came with the process or the call are told beside the session's own; one of the same name is told once. */
async function toldTools(
  core: SessionCore,
  row: SessionRow,
  own: readonly Tool[],
  isCarried: boolean,
): Promise<readonly ToolDescription[]> {
  const { tools: stored } = await settingsOf(core, row)
  // What the session was given since a run began that is carried on is for the next one.
  const later = isCarried ? (await settingsOf(core, await core.row())).tools : []
  const known = new Set([...stored, ...later].map(({ name }) => name))
  const more = own.filter(({ name }) => !known.has(name)).map(describeTool)
  // The same list where nothing is added: what was counted of it stays known.
  return more.length === 0 ? stored : [...stored, ...more]
}

export function checkTools(tools: readonly Tool[]): void {
  const names = new Set<string>()
  for (const tool of tools) {
    describeTool(tool)
    if (names.has(tool.name))
      throw new SkeinError('tool.duplicate', `Two tools are named ${tool.name}.`, { details: { tool: tool.name } })
    names.add(tool.name)
  }
}
