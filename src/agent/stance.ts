import { given, type RunId } from '#kernel'
import type { RunHeld, SessionRow } from '#journal'
import type { SessionCore } from '#session'
import type { SendOptions } from './agent-options.ts'
import type { Allowance, Limit } from './allowance.ts'
import { type Extended, notExtended } from './extensions.ts'
import type { Gate } from './gates.ts'
import { type HeldSettings, heldSettings, layeredSettings, nothingFound, type settingsAmong } from './held-settings.ts'
import type { Hook } from './hooks.ts'
import { type ChildOrigin, keptOptions } from './kept-options.ts'
import { badConfig } from './policy/bad-config.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { gatesAmong, joinRules, type RunRules } from './run-rules.ts'
import { readTools, type Tool } from './tool.ts'

/** How a session stands towards a run, or towards a child that it begins. */
export interface Stance {
  readonly row: SessionRow
  readonly held: HeldSettings
  readonly rules: RunRules
  readonly extended: Extended
  /** What its runs have to pass, and the hooks around them: the host's first. */
  readonly gates: readonly Gate[]
  readonly hooks: readonly Hook[]
  /** Tools of its own, and whether it has those of recall beside them. */
  readonly own: readonly Tool[]
  readonly recalls: boolean
  readonly child: ChildOrigin | undefined
  limitsOf(run: RunId): readonly Limit[]
}

/** The session as it stood when a run began that is carried on: what was set since then holds from the next one on. */
const rowOf = (row: SessionRow, carried: RunHeld | undefined): SessionRow =>
  carried === undefined
    ? row
    : { ...row, data: { ...row.data, settings: given({ system: carried.system, tools: carried.tools }) } }

/** Whoever was begun by another has no tool beside those that it was given then. Law A56. */
export async function readStance(
  core: SessionCore,
  ports: AgentPorts,
  options: SendOptions,
  defaults: RunDefaults,
  carried?: RunHeld,
): Promise<Stance> {
  const row = rowOf(await core.row(), carried)
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
    gates: gatesAmong(rules, extended),
    hooks: [...(ports.hooks ?? []), ...extended.hooks, ...(rules.hooks ?? [])],
    own,
    recalls: !held.noTools && (core.keeping.context.recall ?? true),
    child,
    limitsOf: await readLimits(core, options.allowance ?? held.allowance, defaults.allowance),
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
async function settingsForRun(
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

/** What a run's requests count against: its own allowance, its session's, and those of whoever began that. Law A53. */
export async function readLimits(
  core: SessionCore,
  ofRun: Allowance | undefined,
  given: Allowance | null | undefined,
): Promise<Stance['limitsOf']> {
  const kept = await keptOptions(core)
  const ofSession = given === undefined ? kept.allowance : (given ?? undefined)
  const session = core.id
  return run => [
    ...(ofRun === undefined ? [] : [{ session, run, allowance: ofRun }]),
    ...(ofSession === undefined ? [] : [{ session, run: null, allowance: ofSession }]),
    ...(kept.child?.limits ?? []),
  ]
}
