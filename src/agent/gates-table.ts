import type { TurnResult } from './turn-result.ts'

/** How far a gate is. `blocked`: it could not say, since it took too long or could not begin. */
export type GateState = 'passed' | 'failed' | 'skipped' | 'pending' | 'running' | 'blocked'

/** What became of one gate. */
export interface GateOutcome {
  readonly gate: string
  readonly requirement: 'required' | 'optional' | 'advisory'
  readonly state: GateState
  readonly exitCode?: number | null
}

type Ending = Pick<TurnResult, 'status' | 'reason'>

const done = 'done'
const concerns: Ending = { status: 'done_with_concerns', reason: 'gate_failed' }
const blocked: Ending = { status: 'blocked', reason: 'gate_blocked' }

/** What a required gate makes of a run; total, so that a state that is missing does not compile. Source: spec/agent.md 12. */
export const endingAfter: Readonly<Record<GateState, Ending | typeof done>> = {
  passed: done,
  failed: concerns,
  skipped: concerns,
  pending: concerns,
  running: concerns,
  blocked,
}

/** What the gates make of a run, with what is said of the one that decides: a blocked one, else the first that failed. */
export function endingOf(outcomes: readonly GateOutcome[]): (Ending & { readonly message: string }) | undefined {
  const required = outcomes.filter(({ requirement }) => requirement === 'required')
  const decides = required.find(({ state }) => endingAfter[state] === blocked) ?? required.find(({ state }) => endingAfter[state] !== done) // prettier-ignore
  if (decides === undefined) return undefined
  const ending = endingAfter[decides.state]
  return ending === done ? undefined : { ...ending, message: messageOf(decides) }
}

function messageOf({ gate, state, exitCode }: GateOutcome): string {
  const exit = exitCode === undefined || exitCode === null ? '' : ` (exit ${exitCode})`
  return `required verification ${state}: ${gate}${exit}`
}
