import { type Check, given, isSkeinError, type Members, oneOf, SkeinError } from '#kernel'
import { type ApprovalsMode, policyJudge } from './approvals-judge.ts'
import { type Extended, notExtended } from './extensions.ts'
import { type Gate, gatesOf, readGates } from './gates.ts'
import { type Guardrails, readGuardrails } from './guardrails.ts'
import type { HeldSettings } from './held-settings.ts'
import { type Hook, readHooks } from './hooks.ts'
import { beforeCallOf, runHooksOf } from './hooks-run.ts'
import { type Autonomy, readAutonomy } from './policy/autonomy.ts'
import type { JudgedTool } from './policy/call-facts.ts'
import { badConfig } from './policy/bad-config.ts'
import type { Bound } from './policy/create-judge.ts'
import { type AgentMode, readMode } from './policy/mode.ts'
import { readRunPolicy, type RunPolicy } from './policy/run-policy.ts'
import { isTrust } from '#journal'
import { type Fact, problemOfFacts, problemOfTask, type TaskContext } from './prompt/task.ts'
import type { Tool, UserInterface } from './tool.ts'
import { placesOf } from './tools/tool-places.ts'
import type { RunSeams } from './run-seams.ts'
import { hasUi, readUi } from './ui.ts'

/** By which rules runs go: given to a session in this process, or to one run. Source: spec/agent.md 1, 11, 12, 13, 16. */
export interface RunRules {
  /** Default `full`. */
  readonly mode?: AgentMode
  /** A level by any of its names. Default `safe`. */
  readonly autonomy?: Autonomy | (string & {})
  readonly policy?: RunPolicy
  /** What becomes of a call that a person has to allow. Default: `wait` under a user interface, else `deny`. */
  readonly approvals?: ApprovalsMode
  /** What a run has to pass before it ends as done, in this order. */
  readonly gates?: readonly Gate[]
  /** Code at the places of a run, in this order. */
  readonly hooks?: readonly Hook[]
  /** What is checked after each file that tools write. Default: nothing. */
  readonly guardrails?: Guardrails
  /** By which people are shown and asked something. Default: nobody can be. */
  readonly ui?: Partial<UserInterface>
  /** What the agent works on. */
  readonly task?: TaskContext
  /** What is known to be so. */
  readonly facts?: readonly Fact[]
}

/** Refuses with `config.invalid` and the key, whoever checks. Law A3. */
export const asConfig =
  (check: Check): Check =>
  (value, path) => {
    try {
      check(value, path)
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'input.invalid') throw error
      const { message, details } = error
      throw new SkeinError('config.invalid', message, {
        details: { key: typeof details['path'] === 'string' ? details['path'] : path, layer: 'options' },
      })
    }
  }

const told =
  (problemOf: (value: unknown) => { readonly key: string; readonly problem: string } | undefined): Check =>
  value => {
    const found = problemOf(value)
    if (found !== undefined) throw badConfig(found.key, found.problem)
  }

export const ruleMembers: Members<RunRules> = {
  mode: value => void readMode(value),
  autonomy: value => void readAutonomy(value),
  policy: value => void readRunPolicy(value),
  approvals: asConfig(oneOf('wait', 'deny', 'end')),
  gates: value => void readGates(value),
  hooks: value => void readHooks(value),
  guardrails: value => void readGuardrails(value),
  ui: value => void readUi(value),
  task: told(problemOfTask),
  facts: told(problemOfFacts),
}

const ruleNames = Object.keys(ruleMembers) as readonly (keyof RunRules)[]

/** The rules among options, each from the last that says it: `null` takes it back. What the layers hold stands above them. */
export function joinRules(
  options: readonly { readonly [K in keyof RunRules]?: RunRules[K] | null | undefined }[],
  {
    mode,
    autonomy,
    policy,
    approvals,
    guardrails,
  }: Pick<HeldSettings, 'mode' | 'autonomy' | 'policy' | 'approvals' | 'guardrails'>,
): RunRules {
  const said = ruleNames.map(name => [name, options.findLast(given => given[name] !== undefined)?.[name]] as const)
  const {
    approvals: _approvals,
    guardrails: _guardrails,
    ...rules
  } = Object.fromEntries(said.filter(([, value]) => value !== undefined && value !== null)) as RunRules
  return { ...rules, mode, autonomy, policy, ...given({ approvals, guardrails }) }
}

/** What a run has to pass: what extensions ask for, what its rules do, and what its task does. */
export function gatesAmong({ task, gates = [] }: RunRules, extended: Extended): readonly Gate[] {
  const all = [...extended.gates, ...gates]
  const verify = task?.verify?.trim() ?? ''
  if (verify === '') return all
  const command = { command: verify, ...given({ timeoutMs: task?.verifyTimeoutMs }) }
  return [...all, { id: 'task-verify', kind: 'command', command }]
}

/** What stands around the rules of a run. */
export interface AroundRules {
  readonly gates?: readonly Gate[]
  readonly hooks?: readonly Hook[]
  /** What extensions of the session added. */
  readonly extended?: Extended
  /** The rules of whoever began the session. */
  readonly bounds?: readonly Bound[] | undefined
}

/** What the rules are to a run: who judges its calls, what it has to pass, and what hooks do. */
export function seamsOf(rules: RunRules, { gates = [], hooks = [], extended = notExtended, bounds }: AroundRules = {}): RunSeams {
  const { ui, guardrails, approvals = hasUi(ui) ? 'wait' : 'deny' } = rules
  const capabilities = new Map(extended.tools.map(({ name }) => [name, {}]))
  return {
    judge: (place, { trust }) => {
      const { core, run, turn } = place
      // File tools say what their paths are relative to; others work where the session does.
      const placed = (tool: JudgedTool): string | undefined => placesOf([tool as Tool])[0]?.root
      const cwd = async (tool: JudgedTool): Promise<string | null> => placed(tool) ?? (await core.row()).cwd
      const heard = trust === undefined ? {} : { trust: isTrust(trust) ? trust : ('unknown' as const) }
      const judged = { core, run, turn, cwd, placed, beforeCall: beforeCallOf(hooks, place), ui }
      return policyJudge(judged, { ...rules, approvals, capabilities, ...heard, ...given({ bounds }) })
    },
    gates: gates.length === 0 ? result => result : gatesOf(gates, approvals === 'wait', ui),
    hooks: runHooksOf(hooks),
    ...given({ guardrails }),
  }
}
