import { canonical, given, isObject, isSkeinError, type RunId, type SessionId, SkeinError, type TurnId } from '#kernel'
import type { ContextSettingsInput } from '#context'
import type { SessionRow, ToolDescription } from '#journal'
import type { AiSdkModel, ModelPort } from '#models'
import { type CreateOptions, type Creation, draft, planSession, seededId, type SessionCore, settingsOf } from '#session'
import type { AgentGear } from './agent-options.ts'
import { keptAllowance, type Limit } from './allowance.ts'
import { maxChildren, openChildren } from './children.ts'
import { keptAmong } from './held-settings.ts'
import type { Hook, HookName } from './hooks.ts'
import { type ChildOrigin, keepOptions, keptOptions } from './kept-options.ts'
import { type Autonomy, readAutonomy } from './policy/autonomy.ts'
import { badConfig } from './policy/bad-config.ts'
import type { Bound } from './policy/create-judge.ts'
import type { AgentMode } from './policy/mode.ts'
import { isFolder } from './policy/real-place.ts'
import { findRole, type Role, rulesOfRole } from './roles.ts'
import type { RunRules } from './run-rules.ts'
import { checkSpawn, type SpawnOptions } from './spawn-options.ts'
import { aiSdkTools, describeTool, readTools, type Tool } from './tool.ts'

/** Whoever begins a child, as it stands when it does. */
export interface Parent {
  readonly core: SessionCore
  /** By which rules it goes. */
  readonly rules: RunRules
  /** The tools that it can run, those of recall left out, and whether it has those. */
  readonly tools: readonly Tool[]
  /** Those among them that a child of this process has by itself. */
  readonly inherited: readonly Tool[]
  readonly extensions: AgentGear['extensions']
  readonly recalls: boolean
  /** A model object, if it has one, instead of the one that the session names. */
  readonly model: string | ModelPort | AiSdkModel | null
  /** What its requests count against. */
  readonly limits: readonly Limit[]
  readonly roles: ReadonlyMap<string, Role>
  readonly cancelGraceMs: number
  /** Whether a model can be had. */
  connects(ref: string): Promise<boolean>
}

/** The call that a child is begun by. */
export interface SpawnCall {
  readonly run: RunId
  readonly turn: TurnId | null
  readonly callId: string
  /** Which of several children of the call. */
  readonly index: number
}

/** A child that is there, and what an object of it is to be given. */
export interface Spawned {
  readonly id: SessionId
  readonly gear: AgentGear
}

/**
 * Writes a sub-session and, in the same commit, that it was begun. The id of a call's child follows from the call, so beginning
 * it again finds it. Throws `session.busy` when 8 children are at work, `input.invalid` for one too deep. Law A56.
 */
export async function spawnChild(parent: Parent, options: SpawnOptions, call?: SpawnCall): Promise<Spawned> {
  checkSpawn(options)
  const { core } = parent
  const { cwd: asked } = options
  if (typeof asked === 'string' && !(await isFolder(asked))) throw badConfig('cwd', 'Expected the absolute path of a folder.')
  const row = await core.row()
  const { child: above } = await keptOptions(core)
  const role = options.role === undefined ? {} : findRole(options.role, parent.roles)
  const tools = await toolsFor(parent, row, options)
  const writer =
    role.readOnly === true && options.tools !== undefined ? tools.runnable.find(tool => tool.readOnly !== true) : undefined
  if (writer !== undefined) throw badConfig('tools', `A role that only reads has no ${writer.name}.`)
  const cwd = asked === undefined ? row.cwd : asked
  const origin: ChildOrigin = {
    linked: true,
    parent: core.id,
    run: call?.run ?? null,
    callId: call?.callId ?? null,
    role: options.role ?? null,
    bounds: [boundOf(parent.rules, row.cwd), ...(above?.bounds ?? [])],
    tools: [...tools.names],
    limits: parent.limits.map(limit => ({ ...limit, allowance: keptAllowance(limit.allowance) })),
  }
  const rules = rulesFor(parent, role, options)
  const model = await modelFor(parent, role, options)
  const gear: AgentGear = {
    ...gearAmong({ ...given({ extensions: parent.extensions }), ...options }),
    ...rules,
    ...(typeof model === 'object' && model !== null ? { modelOverride: model } : {}),
    ...(tools.names.size === 0 && !parent.recalls ? { noTools: true } : { tools: tools.runnable }),
  }
  const id = call === undefined ? undefined : childIdOf(row, call)
  const known = id === undefined ? undefined : await core.store.session(id)
  if (known !== undefined) return { id: known.id, gear }
  const created: CreateOptions = {
    ...createAmong(options),
    user: row.user,
    agent: options.agent ?? row.agent,
    cwd,
    parent: core.id,
    model: typeof model === 'string' ? model : null,
    thinking: options.thinking ?? role.thinking ?? (await settingsOf(core, row)).thinking,
    tools: tools.told,
    ...given({ context: contextOf(parent, row, options) }),
    more: keepOptions(given({ allowance: options.allowance ?? undefined, child: origin, options: keptAmong({ ...options, ...plainRules(rules) }) })), // prettier-ignore
  }
  return { id: await write(parent, created, given({ id }), call, options), gear }
}

/** One write, in the parent's journal and the child's. */
async function write(
  { core }: Parent,
  created: CreateOptions,
  creation: Creation,
  call: SpawnCall | undefined,
  { role, idempotencyKey, signal, traceId }: Pick<SpawnOptions, 'role' | 'idempotencyKey' | 'signal' | 'traceId'>,
): Promise<SessionId> {
  const { idempotencyKey: _key, signal: _signal, ...plain } = created
  const plan = await planSession(core.runtime, core.store, plain, {}, creation)
  const marks = call === undefined ? {} : { run: call.run, ...given({ turn: call.turn ?? undefined }) }
  const started = draft('child_started', { child: plan.id, callId: call?.callId ?? null, role: role ?? null }, marks)
  try {
    const { committed } = await core.side(
      async row => {
        if (row.state === 'ended') throw new SkeinError('session.ended', `Session ${core.id} has ended. Reopen it first.`)
        if ((await openChildren(core)) >= maxChildren) throw tooMany(core.id)
        return { drafts: [started], alongside: plan.changes, memo: plan.id }
      },
      given({
        idempotencyKey,
        signal,
        traceId,
        asked: idempotencyKey === undefined ? undefined : ['spawn', { ...plain, more: null }],
      }),
    )
    return committed.replayed ? (committed.memo as SessionId) : plan.id
  } catch (error) {
    // The same call, carried on by another.
    if (creation.id === undefined || !isSkeinError(error) || (await core.store.session(creation.id)) === undefined) throw error
    return creation.id
  }
}

const tooMany = (id: SessionId): SkeinError =>
  new SkeinError('session.busy', `${maxChildren} children of session ${id} are at work. Wait for one to end.`, {
    details: { by: 'children', limit: maxChildren },
  })

/** The same for whoever asks. */
const childIdOf = ({ id, createdAt }: SessionRow, { run, callId, index }: SpawnCall): SessionId =>
  seededId('ses', createdAt, `child ${canonical([id, run, callId, index])}`)

/** What a child's calls have to pass beside its own rules. An orchestrator hands on what it does not do itself. */
function boundOf({ mode = 'full', autonomy = 'safe', policy = {} }: RunRules, cwd: string | null): Bound {
  return { mode: mode === 'orchestrator' ? 'full' : mode, autonomy: readAutonomy(autonomy), policy, cwd }
}

function rulesFor({ rules }: Parent, role: Role, options: SpawnOptions): RunRules {
  const byRole = rulesOfRole(role)
  const own = <K extends keyof RunRules>(name: K): RunRules[K] => (options[name] ?? undefined) as RunRules[K]
  const above: AgentMode = rules.mode === 'orchestrator' ? 'worker' : (rules.mode ?? 'full')
  const hooks = [...(rules.hooks ?? []).filter(({ on }) => handedOn.includes(on)), ...(own('hooks') ?? [])]
  return given({
    mode: own('mode') ?? byRole.mode ?? above,
    autonomy: own('autonomy') ?? byRole.autonomy ?? (rules.autonomy as Autonomy | undefined),
    policy: own('policy') ?? byRole.policy,
    approvals: own('approvals') ?? rules.approvals,
    gates: own('gates') ?? byRole.gates,
    hooks: hooks.length === 0 ? undefined : hooks,
    guardrails: rules.guardrails ?? own('guardrails'),
    ui: own('ui') ?? rules.ui,
    task: own('task'),
    facts: own('facts'),
  })
}

/** What watches calls watches those of children, too. */
const handedOn: readonly HookName[] = ['before_call', 'after_call', 'after_file_write'] satisfies readonly Hook['on'][]

const plainRules = ({ mode, autonomy, policy, approvals, guardrails }: RunRules): object =>
  given({ mode, autonomy, policy, approvals, guardrails })

/** The one that is asked for, else the role's if it can be had, else the parent's. */
async function modelFor(parent: Parent, role: Role, options: SpawnOptions): Promise<Parent['model']> {
  if (options.modelOverride !== undefined) return options.modelOverride
  if (options.model !== undefined && options.model !== null) return options.model
  if (role.model !== undefined && (await parent.connects(role.model))) return role.model
  return parent.model
}

interface ChildTools {
  readonly names: ReadonlySet<string>
  readonly runnable: readonly Tool[]
  readonly told: readonly ToolDescription[]
}

/** Of the tools that are asked for those that the parent has; its own objects, where no other is given. */
async function toolsFor(parent: Parent, row: SessionRow, { tools: asked, noTools }: SpawnOptions): Promise<ChildTools> {
  const told = (await settingsOf(parent.core, row)).tools
  const has = new Map<string, Tool | ToolDescription>([...told, ...parent.tools].map(tool => [tool.name, tool]))
  const list =
    noTools === true ? [] : asked === undefined ? [...has.values()] : Array.isArray(asked) ? asked : aiSdkTools(asked as never)
  const chosen = (list as readonly (string | Tool | ToolDescription)[]).flatMap(item => {
    const own = has.get(typeof item === 'string' ? item : item.name)
    return own === undefined ? [] : [typeof item === 'string' ? own : item]
  })
  return {
    names: new Set(chosen.map(({ name }) => name)),
    runnable: readTools(chosen.filter(tool => 'run' in tool).filter(tool => !parent.inherited.includes(tool))),
    told: chosen.map(tool => ('run' in tool ? describeTool(tool) : tool)),
  }
}

const kept = ['id', 'title', 'platform', 'tags', 'metadata', 'system'] as const
const equipped = ['provider', 'apiKey', 'credentials', 'maxTokens', 'maxSteps', 'steering', 'cancelGraceMs', 'toolOrder', 'cache', 'extensions', 'allowance'] as const // prettier-ignore

const among = <K extends keyof SpawnOptions>(options: SpawnOptions, names: readonly K[]): Pick<SpawnOptions, K> =>
  Object.fromEntries(names.flatMap(name => (options[name] === undefined ? [] : [[name, options[name]]]))) as Pick<SpawnOptions, K>

const createAmong = (options: SpawnOptions): CreateOptions => among(options, kept) as CreateOptions
const gearAmong = (options: SpawnOptions): AgentGear => among(options, equipped)

/** Kept as its parent's, where nothing is said; without tools of recall where that has none. */
function contextOf({ recalls }: Parent, { data }: SessionRow, options: SpawnOptions): CreateOptions['context'] {
  const { context } = data
  const own = options.context ?? (isObject(context) ? (context as ContextSettingsInput) : undefined)
  return recalls ? own : { ...own, recall: false }
}
