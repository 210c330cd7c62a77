import { type Autonomy, autonomyTable, type Cell, type Reach, worktreeRequired } from './autonomy.ts'
import type { CallFacts } from './call-facts.ts'
import { type AgentMode, modeHas } from './mode.ts'
import { isRail, rails } from './rails.ts'
import { policyHas, type Rules } from './run-policy.ts'
import { isLow, type Trust } from '#journal'
import { denied, type Source, type Verdict } from './verdict.ts'

/** What an extension may do beside giving tools. */
export interface Capabilities {
  readonly network?: boolean
  readonly secrets?: boolean
}

/** What a call is judged by. */
export interface Standards {
  readonly mode: AgentMode
  readonly autonomy: Autonomy
  readonly rules: Rules
  /** The highest trust of the inputs that the run has heard. */
  readonly trust: Trust
  readonly isWorktree: boolean
  /** Of the extension that a tool comes from; absent for other tools. */
  capabilitiesOf(tool: string): Capabilities | undefined
}

type JudgeOf = (facts: CallFacts, standards: Standards) => Verdict | undefined

const byMode: JudgeOf = ({ tool }, { mode }) =>
  modeHas(mode, tool) ? undefined : denied('mode', 'agent_mode_tool_denied', `Mode ${mode} has no ${tool.name}.`)

const byExtensionSecrets: JudgeOf = (facts, standards) =>
  facts.reaches.has('secret') && isBare(facts, standards, 'secrets')
    ? denied('extension_secrets', 'extension_secret_denied', `The extension of ${facts.tool.name} may not use secrets.`)
    : undefined

const byPolicyTools: JudgeOf = ({ tool }, { rules }) =>
  policyHas(rules, tool.name)
    ? undefined
    : denied('policy_tools', 'run_policy_tool_denied', `The run policy does not allow ${tool.name}.`)

const byPolicyPaths: JudgeOf = ({ writes }, { rules }) => {
  const kept = rules.limitsWrites ? writes.find(({ relative }) => !rules.maySave(relative)) : undefined
  return kept === undefined
    ? undefined
    : denied('policy_paths', 'run_policy_write_path_denied', `The run policy does not allow writing ${kept.asked}.`)
}

const byExtensionNetwork: JudgeOf = (facts, standards) =>
  facts.reaches.has('network') && isBare(facts, standards, 'network')
    ? denied('extension_network', 'extension_network_denied', `The extension of ${facts.tool.name} may not use the network.`)
    : undefined

const byRails: JudgeOf = ({ rails: touched }, { rules }) => {
  const rail = touched.find(name => !rules.grants.has(name.trim().toLowerCase()))
  if (rail === undefined) return undefined
  const what = isRail(rail) ? rails[rail] : 'do what is kept back'
  return denied('rails', `dangerous_${rail}`, `This would ${what}.`, `Grant ${rail} in the run policy.`)
}

const byTrust: JudgeOf = ({ kind, reaches }, { trust }) => {
  if (!isLow(trust)) return undefined
  const reached = (['outside', 'change', 'secret'] as const).some(reach => reaches.has(reach))
  if (reached || kind === 'extension')
    return denied('trust', 'low_trust_escalation_denied', `Nobody who may be trusted has asked for this; heard: ${trust}.`)
  if (!reaches.has('network')) return undefined
  return {
    decision: 'ask',
    source: 'trust',
    code: 'low_trust_network_requires_approval',
    message: `Nobody who may be trusted has asked for the network; heard: ${trust}.`,
  }
}

const inOrder: readonly Exclude<Reach, 'asks'>[] = ['read', 'change', 'network', 'secret', 'outside']

/** Each is a judge of its own: a person who agrees to one has not agreed to the next. */
const byAutonomy =
  (reach: Reach): JudgeOf =>
  ({ reaches }, { autonomy, isWorktree }) => {
    if (!reaches.has(reach)) return undefined
    const elsewhere = autonomy === 'worktree-auto' && reach === 'change' && !isWorktree
    return verdictOf(elsewhere ? worktreeRequired : autonomyTable[autonomy][reach], 'autonomy', autonomy)
  }

const byApproval: JudgeOf = ({ reaches }, { autonomy }) =>
  reaches.has('asks') ? verdictOf(autonomyTable[autonomy].asks, 'approval', autonomy) : undefined

const said: Readonly<Record<Extract<Cell, object>['decision'], string>> = {
  deny: 'does not allow this',
  ask: 'asks a person about this',
  dryRun: 'allows a dry run of this alone',
  sandbox: 'allows this in a sandbox or work tree alone',
}

function verdictOf(cell: Cell, source: Source, autonomy: Autonomy): Verdict | undefined {
  if (cell === 'allow') return undefined
  return { ...cell, source, message: `Autonomy ${autonomy} ${said[cell.decision]}.` }
}

const isBare = ({ kind, tool }: CallFacts, { capabilitiesOf }: Standards, capability: keyof Capabilities): boolean => {
  const has = capabilitiesOf(tool.name) ?? (kind === 'extension' ? {} : undefined)
  return has !== undefined && has[capability] !== true
}

/** The order of spec/agent.md 11 from the mode on; what comes before needs no policy. The first that does not allow decides. */
export const judges: readonly JudgeOf[] = [
  byMode,
  byExtensionSecrets,
  byPolicyTools,
  byPolicyPaths,
  byExtensionNetwork,
  byRails,
  byTrust,
  ...inOrder.map(byAutonomy),
  byApproval,
]
