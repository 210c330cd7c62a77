import { type Check, given, isSkeinError, type Members, oneOf, SkeinError } from '#kernel'
import { type ApprovalsMode, policyJudge } from './approvals-judge.ts'
import { type Gate, gatesOf, readGates } from './gates.ts'
import { type Hook, readHooks } from './hooks.ts'
import { beforeCallOf, runHooksOf } from './hooks-run.ts'
import { type Autonomy, readAutonomy } from './policy/autonomy.ts'
import type { JudgedTool } from './policy/call-facts.ts'
import { badConfig } from './policy/bad-config.ts'
import { type AgentMode, readMode } from './policy/mode.ts'
import { readRunPolicy, type RunPolicy } from './policy/run-policy.ts'
import { isTrust } from './policy/trust.ts'
import { type Fact, problemOfFacts, problemOfTask, type TaskContext } from './prompt/task.ts'
import type { Tool } from './tool.ts'
import { placesOf } from './tools/tool-places.ts'
import type { RunSeams } from './run-seams.ts'

/** By which rules runs go: given to a session in this process, or to one run. Source: spec/agent.md 1, 11, 12, 13, 16. */
export interface RunRules {
  /** Default `full`. */
  readonly mode?: AgentMode
  /** A level by any of its names. Default `safe`. */
  readonly autonomy?: Autonomy | (string & {})
  readonly policy?: RunPolicy
  /** What becomes of a call that a person has to allow. Default `deny`. */
  readonly approvals?: ApprovalsMode
  /** What a run has to pass before it ends as done, in this order. */
  readonly gates?: readonly Gate[]
  /** Code at the places of a run, in this order. */
  readonly hooks?: readonly Hook[]
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
  task: told(problemOfTask),
  facts: told(problemOfFacts),
}

/** The rules among options. */
export function rulesIn({ mode, autonomy, policy, approvals, gates, hooks, task, facts }: RunRules): RunRules {
  return given({ mode, autonomy, policy, approvals, gates, hooks, task, facts })
}

/** What the rules are to a run: who judges its calls, what it has to pass, and what hooks do. */
export function seamsOf(rules: RunRules): RunSeams {
  const { gates = [], hooks = [], task, approvals } = rules
  const verify = task?.verify?.trim() ?? ''
  const all: readonly Gate[] =
    verify === ''
      ? gates
      : [...gates, { id: 'task-verify', kind: 'command', command: { command: verify, ...given({ timeoutMs: task?.verifyTimeoutMs }) } }] // prettier-ignore
  return {
    judge: (place, { trust }) => {
      const { core, run, turn } = place
      // File tools say what their paths are relative to; others work where the session does.
      const cwd = async (tool: JudgedTool): Promise<string | null> => placesOf([tool as Tool])[0]?.root ?? (await core.row()).cwd
      const heard = trust === undefined ? {} : { trust: isTrust(trust) ? trust : ('unknown' as const) }
      return policyJudge({ core, run, turn, cwd, beforeCall: beforeCallOf(hooks, place) }, { ...rules, ...heard })
    },
    gates: all.length === 0 ? result => result : gatesOf(all, approvals === 'wait'),
    hooks: runHooksOf(hooks),
  }
}
