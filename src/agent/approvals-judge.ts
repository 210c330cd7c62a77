import { cutCodePoints, given, isSkeinError, type Json, messageOf, type RunId, type TurnId } from '#kernel'
import type { ToolCallPart, ToolResultStatus } from '#journal'
import { draft, type Draft, type SessionCore } from '#session'
import { askPerson } from './approvals-ask.ts'
import { type Approval, callHash, readableInput } from './approvals-row.ts'
import type { AskedCall, Judge, RunEnding, Ruling } from './judge.ts'
import { createJudge, type JudgeOptions, type PolicyOptions } from './policy/create-judge.ts'
import type { Places } from './policy/real-place.ts'
import { isTrust, type Trust } from '#journal'
import type { Verdict } from './policy/verdict.ts'
import { readArguments, type Tool, type UserInterface } from './tool.ts'

/** What becomes of a question: wait for a person, take it for a no, or end the run for it. */
export type ApprovalsMode = 'wait' | 'deny' | 'end'

/** What a hook before a call may do: refuse it, or give it another input, which is checked again. */
export type BeforeCall = (
  call: ToolCallPart,
  tool: Tool,
) => Promise<{ readonly block?: string; readonly input?: Json } | undefined>

export interface RunPolicyOptions extends PolicyOptions, Pick<JudgeOptions, 'capabilities'> {
  /** Default `deny`. */
  readonly approvals?: ApprovalsMode
  /** Of the input that began the run. */
  readonly trust?: Trust
  readonly bounds?: NonNullable<JudgeOptions['bounds']>
}

/** The run that is judged. */
export interface JudgedRun {
  readonly core: SessionCore
  readonly run: RunId
  readonly turn: TurnId
  readonly cwd: JudgeOptions['cwd']
  readonly placed?: JudgeOptions['placed']
  readonly places?: Places
  readonly beforeCall?: BeforeCall | undefined
  /** Is asked, too; whoever answers first has answered. */
  readonly ui?: Partial<UserInterface> | undefined
}

const maxMessage = 16_384

/**
 * Judges the calls of a run: its arguments, hooks, policy, and a person where one is asked. A question is bound to the call as
 * it was judged; when the answer comes the call is judged again. Source: spec/agent.md 11, laws A40 to A44.
 */
export function policyJudge(judged: JudgedRun, options: RunPolicyOptions): Judge {
  const { core, run, turn, cwd, placed, places, beforeCall } = judged
  const { approvals = 'deny', ...rest } = options
  const policy = createJudge({ ...rest, cwd, ...given({ placed, places }) })
  const told = (call: ToolCallPart, verdict: Verdict, approval?: Approval): Draft =>
    draft(
      'policy_decided',
      { callId: call.callId, tool: call.tool, ...verdict, ...(approval === undefined ? {} : { approval: approval.id }) },
      { run, turn },
    )

  const ruleOn = async (call: ToolCallPart, tool: Tool, signal: AbortSignal): Promise<Ruling> => {
    const input = await readArguments(tool, call)
    const verdict = await policy.judgeCall({ tool, input })
    if (verdict.decision === 'allow') return { allowed: true, input: call.input, drafts: [told(call, verdict)] }
    if (verdict.decision !== 'ask') return refuse(call, 'denied', denialText(verdict), [told(call, verdict)])
    if (approvals === 'deny') {
      const message = `${verdict.message} Nobody can be asked.`
      const denial: Verdict = { ...verdict, decision: 'deny', message }
      return refuse(call, 'denied', denialText(denial), [told(call, denial)])
    }
    if (approvals === 'end')
      return refuse(call, 'denied', 'Not run: approval needed.', [told(call, verdict)], {
        status: 'needs_user_input',
        reason: 'approval_open',
      })
    const { callId, tool: name } = call
    const { source, code, message } = verdict
    const bound = { tool: name, callId, input: call.input, policy: policy.version }
    const question = { ...bound, input: readableInput(call.input), hash: callHash(bound), run, turn, source, code, message }
    const approval = await askPerson(core, question, [told(call, verdict)], signal, judged.ui)
    if (approval.state !== 'answered') return refuse(call, 'skipped', 'Not run: the question about this call was withdrawn.', [])
    if (approval.answer?.decision !== 'allow') {
      const reason = approval.answer?.reason ?? null
      const no: Verdict = { ...verdict, decision: 'deny', message: reason === null ? 'A person said no.' : `A person said no: ${reason}` } // prettier-ignore
      return refuse(call, 'denied', no.message, [told(call, no, approval)])
    }
    const now = await policy.judgeCall({ tool, input, approved: true })
    return now.decision === 'allow'
      ? { allowed: true, input: call.input, drafts: [told(call, now, approval)] }
      : refuse(call, 'denied', denialText(now), [told(call, now, approval)])
  }

  return {
    waits: approvals === 'wait' || beforeCall !== undefined,
    offers: tool => policy.offers(tool),
    get trust() {
      return policy.trust
    },
    heard: trust => policy.heard(isTrust(trust) ? trust : 'unknown'),
    async judge({ call, tool, signal }: AskedCall) {
      if (tool === undefined) return refuse(call, 'error', `There is no tool named ${call.tool}.`, [])
      try {
        if (beforeCall === undefined) return await ruleOn(call, tool, signal)
        await readArguments(tool, call)
        const { block, input } = (await beforeCall(call, tool)) ?? {}
        if (block !== undefined) {
          const verdict: Verdict = { decision: 'deny', source: 'hooks', code: 'hook_blocked', message: block }
          return refuse(call, 'denied', denialText(verdict), [told(call, verdict)])
        }
        return await ruleOn(input === undefined ? call : { ...call, input }, tool, signal)
      } catch (error) {
        if (isSkeinError(error) && error.code === 'input.invalid')
          return refuse(call, 'error', cutCodePoints(argumentText(messageOf(error)), maxMessage), [])
        throw error
      }
    },
  }
}

const argumentText = (message: string): string =>
  message.startsWith('The arguments are not JSON') ? message : `Invalid arguments: ${message}`

const denialText = ({ code, message, suggestion }: Verdict): string =>
  `Denied (${code}): ${message}${suggestion === undefined ? '' : ` ${suggestion}`}`

function refuse(
  call: ToolCallPart,
  status: ToolResultStatus,
  output: string,
  drafts: readonly Draft[],
  ends?: RunEnding,
): Ruling {
  const result = { type: 'tool_result', callId: call.callId, tool: call.tool, status, output } as const
  return { allowed: false, result, drafts, ...(ends === undefined ? {} : { ends }) }
}
