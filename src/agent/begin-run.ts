import { given, type Id, type RunId, type SessionId, SkeinError, type TurnId } from '#kernel'
import type { Message, SessionRow, ToolDescription } from '#journal'
import type { AiSdkModel, ConnectedModel, Connector, ConnectOptions, ModelInfo, ModelPort } from '#models'
import {
  changedNotes,
  type Draft,
  draft,
  holdsOf,
  noteDrafts,
  type Plan,
  readContextState,
  type SessionCore,
  settingsOf,
} from '#session'
import { type Alongside, changesOf } from './alongside.ts'
import { abandonedTurn } from './abandon.ts'
import { type RunControl, setActiveRun } from './active-runs.ts'
import { type ChildSession, enlist, tellParent, watchChildren } from './children.ts'
import { bindDelegate, parentOf, roleSection } from './delegate.ts'
import { type Allowance, checkPriced, type Limit } from './allowance.ts'
import { Spending } from './allowance-spending.ts'
import type { AgentGear, SendOptions } from './agent-options.ts'
import type { ConfigSource } from './config-source.ts'
import { type Extended, type Extension, notExtended } from './extensions.ts'
import { guardrailsSection } from './guardrails.ts'
import type { Hook } from './hooks.ts'
import { type HeldSettings, heldSettings, layeredSettings, nothingFound, type settingsAmong } from './held-settings.ts'
import { putRun } from './input-queue.ts'
import { joinPlans } from './join-plans.ts'
import { recallDescriptions, recallTools } from './recall-tools.ts'
import { type ChildOrigin, keepRunOptions, keptOptions } from './kept-options.ts'
import { readAutonomy } from './policy/autonomy.ts'
import { badConfig } from './policy/bad-config.ts'
import { modeHas } from './policy/mode.ts'
import { policyHas, rulesOf } from './policy/run-policy.ts'
import { executeRun } from './run.ts'
import type { Judge } from './judge.ts'
import { refOf, type Resumed, type RunOptions } from './run-options.ts'
import type { TurnResult } from './turn-result.ts'
import { keepPrompt, type MadePrompt, makePrompt, type SaidParts } from './session-prompt.ts'
import { joinRules, type RunRules, seamsOf } from './run-rules.ts'
import type { RunSeams } from './run-seams.ts'
import { describeTool, readTools, type Tool, type UserInterface } from './tool.ts'
import type { Telemetry } from './telemetry.ts'

/** What the agent needs from outside: models, and the tools that a session was given in this process. */
export interface AgentPorts {
  /** Throws `model.unknown`, `auth.missing`, `model.provider_missing` before anything is written. */
  connect(model: string | ModelPort | AiSdkModel | null, options?: ConnectOptions): Promise<ConnectedModel>
  /** What files and variables say. Default: nothing. */
  readonly config?: ConfigSource
  readonly tools: readonly Tool[]
  readonly seams?: Partial<RunSeams>
  /** Of the host: they come before all of a session's own. */
  readonly hooks?: readonly Hook[]
  readonly extensions?: readonly Extension[]
  /** Where a session has none of its own. */
  readonly ui?: Partial<UserInterface>
  readonly telemetry?: Telemetry
  /** The same models, for one session, and what its extensions register among them. */
  scope?(): ModelScope
  /** What the extensions of the session added to it. */
  extended?(): Promise<Extended>
  /** What a sub-session has by itself: the host's tools, and what the session's own extensions are. */
  readonly inherited?: { readonly tools: readonly Tool[]; readonly extensions: AgentGear['extensions'] }
  /** The object of a sub-session. */
  open?(id: SessionId): Promise<ChildSession>
}

export interface ModelScope extends Pick<AgentPorts, 'connect'> {
  register(entry: Connector | ModelInfo): void
}

/** What holds where the options of a run say nothing. */
export type RunDefaults = Omit<AgentGear, 'modelOverride' | 'tools' | 'extensions'> & Pick<SendOptions, 'model'>

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
}

/** How a session stands towards a run, or towards a child that it begins. */
export interface Stance {
  readonly row: SessionRow
  readonly held: HeldSettings
  readonly rules: RunRules
  readonly extended: Extended
  /** Tools of its own, and whether it has those of recall beside them. */
  readonly own: readonly Tool[]
  readonly recalls: boolean
  readonly child: ChildOrigin | undefined
  limitsOf(run: RunId): readonly Limit[]
}

/** Whoever was begun by another has no tool beside those that it was given then. Law A56. */
export async function readStance(
  core: SessionCore,
  ports: AgentPorts,
  options: SendOptions,
  defaults: RunDefaults,
): Promise<Stance> {
  const row = await core.row()
  const held = await settingsForRun(core, ports, row, [defaults, options])
  if (options.noTools === true && options.tools !== undefined) throw badConfig('noTools', 'Give tools or noTools, not both.')
  const { child } = await keptOptions(core)
  const extended = (await ports.extended?.()) ?? notExtended
  const all = held.noTools ? [] : [...ports.tools, ...extended.tools, ...readTools(options.tools ?? [])]
  const own = child === undefined ? all : all.filter(({ name }) => child.tools.includes(name))
  const rules = joinRules([given({ ui: ports.ui }), await keptRules(core), defaults, options], held)
  return {
    row,
    held,
    rules,
    extended,
    own,
    recalls: !held.noTools && (core.keeping.context.recall ?? true),
    child,
    limitsOf: await readLimits(core, options.allowance ?? held.allowance, defaults.allowance),
  }
}

/** Rejects, before anything is written, when the tools contradict each other or the model can't be had. */
export async function readGear(
  core: SessionCore,
  ports: AgentPorts,
  options: SendOptions,
  defaults: RunDefaults,
): Promise<RunGear> {
  const stance = await readStance(core, ports, options, defaults)
  const { row, held, rules, extended, recalls, child, limitsOf } = stance
  const { noTools, maxSteps, maxTokens, thinking, cache, steering, cancelGraceMs, toolOrder } = held
  const own = bindDelegate(stance.own, core, () => parentOf(core, ports, stance, askedModel(held, defaults, options)), ports)
  const tools = [...own, ...(recalls ? recallTools(core) : [])]
  checkTools(tools)
  const { identity, system } = held
  const more = [...extended.sections, ...roleSection(child?.role, extended.roles)]
  const prompt: MadePrompt =
    system === null
      ? await promptFor(core, row, rules, { identity, more, tools, userFolder: ports.config?.userFolder })
      : { text: system, inputs: null }
  const offered: readonly ToolDescription[] = recalls ? recallDescriptions : []
  const model = await connectFor(ports, held, defaults, options)
  checkPriced(model, limitsOf('run_' as RunId), core.runtime.clock.now())
  return {
    model,
    tools,
    offered,
    told: (await toldTools(core, row, own)).filter(({ name }) => child?.tools.includes(name) ?? true),
    maxSteps,
    ...given({ maxTokens }),
    thinking,
    cache,
    steering,
    cancelGraceMs,
    toolOrder,
    seams: { ...seamsOf(rules, { hooks: ports.hooks, extended, bounds: child?.bounds }), ...ports.seams },
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

/** The same as far as it can be read: without the files, where one of them is broken. */
export async function settingsOfSession(
  core: SessionCore,
  ports: Pick<AgentPorts, 'config'>,
  row: SessionRow,
  options: readonly object[],
): Promise<{ readonly settings: ReturnType<typeof settingsAmong>; readonly held: HeldSettings }> {
  const found = await ports.config?.find(row.cwd).catch(() => undefined)
  const { options: kept } = await keptOptions(core)
  const settings = await layeredSettings(core, row, { found: found ?? nothingFound, kept, options })
  return { settings, held: heldSettings(settings, row.cwd) }
}

/** What all layers come to for a run, with the options of its session's object and its own above them. Law A1. */
export async function settingsForRun(
  core: SessionCore,
  ports: Pick<AgentPorts, 'config'>,
  row: SessionRow,
  options: readonly object[],
): Promise<HeldSettings> {
  const found = (await ports.config?.find(row.cwd)) ?? nothingFound
  const { options: kept } = await keptOptions(core)
  return heldSettings(await layeredSettings(core, row, { found, kept, options }), row.cwd)
}

/** What a session keeps of its rules that is no plain setting. */
async function keptRules(core: SessionCore): Promise<Pick<RunRules, 'task' | 'facts'>> {
  const { task, facts } = ((await keptOptions(core)).options ?? {}) as Pick<RunRules, 'task' | 'facts'>
  return given({ task, facts })
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

/** What a run's requests count against: its own allowance, its session's, and those of whoever began that. Law A53. */
async function readLimits(
  core: SessionCore,
  ofRun: Allowance | undefined,
  given: Allowance | null | undefined,
): Promise<RunGear['limitsOf']> {
  const kept = await keptOptions(core)
  const ofSession = given === undefined ? kept.allowance : (given ?? undefined)
  const session = core.id
  return run => [
    ...(ofRun === undefined ? [] : [{ session, run, allowance: ofRun }]),
    ...(ofSession === undefined ? [] : [{ session, run: null, allowance: ofSession }]),
    ...(kept.child?.limits ?? []),
  ]
}

/** Tools that came with the process or the call are told beside the session's own; one of the same name is told once. */
async function toldTools(core: SessionCore, row: SessionRow, own: readonly Tool[]): Promise<readonly ToolDescription[]> {
  const { tools: stored } = await settingsOf(core, row)
  const known = new Set(stored.map(({ name }) => name))
  const more = own.filter(({ name }) => !known.has(name)).map(describeTool)
  // The same list where nothing is added: what was counted of it stays known.
  return more.length === 0 ? stored : [...stored, ...more]
}

/** The prompt of a session that was given none of its own. Law A54. */
async function promptFor(
  core: SessionCore,
  row: SessionRow,
  { mode = 'full', autonomy = 'safe', policy = {}, facts = [], task, guardrails }: RunRules,
  {
    identity,
    tools,
    more,
    userFolder,
  }: Pick<SaidParts, 'identity' | 'more'> & {
    readonly tools: readonly Tool[]
    readonly userFolder: string | undefined
  },
): Promise<MadePrompt> {
  const limits = rulesOf(policy)
  const offered = tools.filter(tool => modeHas(mode, tool) && policyHas(limits, tool.name))
  const said: SaidParts = {
    ...given({ identity, more, task }),
    task,
    tools: offered.map(({ name, description }) => ({ name, description })),
    mode,
    facts,
    ...(guardrails === undefined ? {} : { guardrails: guardrailsSection(guardrails) }),
    headless: readAutonomy(autonomy) === 'ci',
  }
  return await makePrompt(core, row, said, userFolder)
}

/** What keeps the prompt of a run. */
export async function promptPlan(
  core: SessionCore,
  row: SessionRow,
  { prompt, promptInputs }: Pick<RunGear, 'prompt' | 'promptInputs'>,
): Promise<Plan> {
  return keepPrompt(core, row, { text: prompt, inputs: promptInputs }, (await settingsOf(core, row)).system)
}

export interface Beginning {
  readonly run: RunId
  readonly turn: TurnId
  readonly input: Id<'inp'>
  readonly gear: RunGear
  /** What is said, and that it was admitted or is delivered; may refuse. */
  said(row: SessionRow): Plan | Promise<Plan>
  readonly control: RunControl
  readonly signal?: AbortSignal | undefined
}

export interface Begun {
  /** Of `run_started`. */
  readonly seq: number
  execute(): Promise<TurnResult>
}

/**
 * Writes, in one commit, that a run and its turn have begun and what is said; what died before is ended there, too. Refused
 * while another run goes on (`session.busy`) or a hold stands (`session.held`). Laws A4, A59.
 */
export async function beginRun(core: SessionCore, beginning: Beginning): Promise<Begun> {
  const { run, turn, input, gear, control } = beginning
  const { model, maxSteps, traceId } = gear
  const judge = judgeOf(core, beginning)
  let index = 0
  core.activeRun ??= run
  try {
    const { entries } = await core.path(
      async (now): Promise<Plan> => {
        const held = holdsOf(now.data)
        if (held.length > 0) throw new SkeinError('session.held', `Held by ${held.join(', ')}.`, { details: { holds: held } })
        index = now.counters.turnCount
        const mark = { run, turn }
        const said = await beginning.said(now)
        const [admitted = [], messages = []] = splitBy(said.drafts, ({ type }) => type === 'message_added')
        const kept = await promptPlan(core, now, gear)
        const drafts: Draft[] = [
          ...(await abandonedTurn(core, now)),
          draft(
            'run_started',
            {
              model: refOf(model),
              input,
              maxSteps,
              ...(model.info.demo === true ? { demo: true } : {}),
              ...given({ options: keepRunOptions(gear.asked) }),
            },
            mark,
          ),
          ...admitted,
          draft('turn_started', { index }, mark),
          ...(await notesFor(
            core,
            now,
            model,
            mark,
            messages.map(({ data }) => data as Message),
          )),
          ...messages,
        ]
        return joinPlans(kept, {
          ...said,
          drafts,
          alongside: [
            putRun(core, run),
            ...(said.alongside ?? []),
            ...changesOf(gear.alongside, core, now, { run, turn, input }),
          ],
        })
      },
      { run, ...given({ traceId, signal: beginning.signal }) },
    )
    const seq = entries.find(entry => entry.type === 'run_started')?.seq ?? entries[0]?.seq ?? 0
    core.live.beginRun()
    const unpin = core.pin()
    return { seq, execute: () => carryOn(core, { ...beginning, judge, index, control }).finally(unpin) }
  } catch (error) {
    if (core.activeRun === run) core.activeRun = undefined
    throw error
  }
}

export const judgeOf = (
  core: SessionCore,
  { run, turn, gear, control }: Pick<Beginning, 'run' | 'turn' | 'gear' | 'control'>,
): Judge => gear.seams.judge({ core, run, turn, signal: control.cancelled }, gear.asked)

interface Carried extends Pick<Beginning, 'run' | 'turn' | 'gear' | 'control'> {
  readonly index: number
  readonly judge: Judge
  readonly resumed?: Resumed
}

/** Executes a run that is durable and whose lease is held, to its end. */
export async function carryOn(
  core: SessionCore,
  { run, turn, index, gear, control, judge, resumed }: Carried,
): Promise<TurnResult> {
  setActiveRun(core, { id: run, turn, control, trust: () => judge.trust ?? 'user-instruction' })
  const { child } = await keptOptions(core)
  const delist = child === undefined ? undefined : enlist(core, child.parent, control)
  const children = watchChildren(core, control)
  const { alongside: _alongside, asked: _asked, limitsOf, traceId, ...options } = gear
  const spending = new Spending(core, limitsOf(run))
  const { cancelled: signal, aborted } = control
  try {
    const result = await executeRun(core, {
      ...options,
      run,
      turn,
      index,
      signal,
      aborted,
      judge,
      spending,
      ...given({ traceId, resumed }),
    })
    await children.ended()
    if (result.reason !== 'lease_lost' && result.reason !== 'store_error') await tellParent(core, run, result)
    return result
  } finally {
    delist?.()
    core.activeRun = undefined
  }
}

function splitBy<T>(items: readonly T[], isSecond: (item: T) => boolean): [T[], T[]] {
  return [items.filter(item => !isSecond(item)), items.filter(isSecond)]
}

/** What hooks have to say beside the new user message. */
async function notesFor(
  core: SessionCore,
  row: SessionRow,
  model: ConnectedModel,
  mark: Partial<Draft>,
  asked: readonly Message[],
): Promise<Draft[]> {
  if (core.runtime.hooks.length === 0) return []
  const state = await readContextState(core, row, { facts: { ...model.info, ref: refOf(model) } })
  return noteDrafts(core, await changedNotes(core, state, asked), mark)
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
