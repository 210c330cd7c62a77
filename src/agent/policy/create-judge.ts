import { canonical, sha256, toJson } from '#kernel'
import { type Autonomy, readAutonomy } from './autonomy.ts'
import { type CallFacts, type JudgedTool, readCall } from './call-facts.ts'
import { type Capabilities, judges, type Standards } from './judges.ts'
import { type AgentMode, modeHas, readMode } from './mode.ts'
import { diskPlaces, type Places } from './real-place.ts'
import { policyHas, readRunPolicy, rulesOf, type RunPolicy } from './run-policy.ts'
import { higher, type Trust } from '#journal'
import { allowed, denied, type Verdict } from './verdict.ts'

export interface PolicyOptions {
  readonly mode?: AgentMode
  /** A level by any of its names. */
  readonly autonomy?: Autonomy | (string & {})
  readonly policy?: RunPolicy
}

/** The rules of whoever began a session, and where they work: what the session may do must be allowed there, too. */
export interface Bound {
  readonly mode: AgentMode
  readonly autonomy: Autonomy
  readonly policy: RunPolicy
  readonly cwd: string | null
}

export interface JudgeOptions extends PolicyOptions {
  readonly bounds?: readonly Bound[]
  /** Of the input that began the run. Default `user-instruction`. */
  readonly trust?: Trust
  /** Where the session works; `null`: every path lies outside. */
  readonly cwd: string | null | ((tool: JudgedTool) => Promise<string | null>)
  /** Where a tool works, whoever uses it; undefined for one that works where the session does. */
  readonly placed?: (tool: JudgedTool) => string | undefined
  readonly places?: Places
  /** What the extensions of tools may do, by the tool's name. */
  readonly capabilities?: ReadonlyMap<string, Capabilities>
}

/** Judges the calls of one run by its policy; writes nothing and asks nobody. */
export interface PolicyJudge {
  /** Of mode, autonomy and run policy: a call that was approved under another one is judged again. */
  readonly version: string
  offers(tool: Pick<JudgedTool, 'name' | 'readOnly'>): boolean
  /** `input` as the tool would get it. With `approved` a person has agreed: what would ask allows, what denies still does. */
  judgeCall(call: { readonly tool: JudgedTool; readonly input: unknown; readonly approved?: boolean }): Promise<Verdict>
  /** An input of this trust was delivered to the run; the highest counts. */
  heard(trust: Trust): void
  /** The highest trust that it has heard. */
  readonly trust: Trust
}

/** Throws `config.invalid` for a mode, level or policy that is none. Source: spec/agent.md 11. */
export function createJudge({
  cwd,
  places = diskPlaces,
  placed,
  capabilities,
  bounds = [],
  ...options
}: JudgeOptions): PolicyJudge {
  const mode = readMode(options.mode ?? 'full')
  const autonomy = readAutonomy(options.autonomy ?? 'safe')
  const policy = readRunPolicy(options.policy ?? {})
  const rules = rulesOf(policy)
  let trust = options.trust ?? 'user-instruction'
  const placeOf = async (tool: JudgedTool): Promise<string | null> => (typeof cwd === 'function' ? await cwd(tool) : cwd)
  const own = { mode, autonomy, rules }
  const outer = bounds.map(bound => ({ ...bound, rules: rulesOf(bound.policy) }))
  const all = [own, ...outer]
  const judgeBy = async (
    { tool, input, approved = false }: Parameters<PolicyJudge['judgeCall']>[0],
    by: Pick<Standards, 'mode' | 'autonomy' | 'rules'>,
    place: string | null,
    root: string | null,
  ): Promise<Verdict> => {
    const isWorktree = by.autonomy === 'worktree-auto' && root !== null && (await places.isWorktree(root))
    let facts: CallFacts
    try {
      facts = await readCall(tool, input, place, places, root)
    } catch {
      // What it touches cannot be told, so nothing may be assumed of it.
      return denied('tools', 'tool_resources_failed', `What this call of ${tool.name} touches cannot be told.`)
    }
    return decide(facts, { ...by, trust, isWorktree, capabilitiesOf: name => capabilities?.get(name) }, approved)
  }
  return {
    version: sha256(canonical(toJson({ mode, autonomy, policy, ...(bounds.length === 0 ? {} : { bounds }) }))).slice(0, 16),
    offers: tool => all.every(by => modeHas(by.mode, tool) && policyHas(by.rules, tool.name)),
    heard: heard => void (trust = higher(trust, heard)),
    get trust() {
      return trust
    },
    async judgeCall(call) {
      const place = await placeOf(call.tool)
      const verdicts = [await judgeBy(call, own, place, place)]
      // A tool that has a place of its own has it whoever uses it.
      const kept = placed?.(call.tool)
      for (const bound of outer) verdicts.push(await judgeBy(call, bound, place, kept ?? bound.cwd))
      return strictest(verdicts)
    },
  }
}

const strictness: Readonly<Record<Verdict['decision'], number>> = { allow: 0, ask: 1, dryRun: 2, sandbox: 2, deny: 3 }

/** Of several judges: who denies wins over who asks, and of equals the first. */
const strictest = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.reduce((most, verdict) => (strictness[verdict.decision] > strictness[most.decision] ? verdict : most))

/** The first judge that does not allow. Law A40. */
export function decide(facts: CallFacts, standards: Standards, approved: boolean = false): Verdict {
  for (const judge of judges) {
    const verdict = judge(facts, standards)
    if (verdict !== undefined && !(approved && verdict.decision === 'ask')) return verdict
  }
  return allowed
}
