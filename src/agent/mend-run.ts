import { isObject, type Json } from '#kernel'
import type { EffectReplay, PartInput, ToolCallPart } from '#journal'
import { type Draft, draft, messageDrafts, type Plan, type SessionCore } from '#session'
import type { CallsBefore } from './effects.ts'
import { joinPlans } from './join-plans.ts'
import { lostUsage } from './lost-attempts.ts'
import type { CutOff, RecoveryPlan } from './recovery-plan.ts'
import { resultOf } from './run-seams.ts'

/** What is known of a call whose outcome is not: do it again, leave it, or this was its result. */
export type RecoveryAnswer = 'rerun' | 'skip' | { readonly done: unknown }

const unknownOutcome = 'Outcome unknown: the process ended while this call was running. Check before repeating it.'

/** What is written before anything goes on, and what the calls then know of themselves. */
export function mend(
  core: SessionCore,
  cut: CutOff,
  plan: RecoveryPlan,
  answers: ReadonlyMap<string, RecoveryAnswer>,
): { readonly plan: Plan; readonly before: CallsBefore } {
  const marks = { run: plan.run, turn: plan.turn }
  const results = new Map<string, readonly PartInput[]>(cut.results)
  const attempts = new Map<string, number>()
  let written: Plan = { drafts: cut.lost.map(lostUsage) }
  const write = (...drafts: Draft[]): void => void (written = joinPlans(written, { drafts }))
  const settle = (call: ToolCallPart, state: 'ready' | 'unknown', status: 'ok' | 'interrupted', output: Json): void => {
    const result = resultOf(call, status, output)
    const stowed = messageDrafts(core, [{ role: 'tool', parts: [result] }])
    const { parts } = stowed.drafts[0]?.data as { parts: never }
    const settled = { callId: call.callId, attempt: cut.effects.get(call.callId)?.attempt ?? 1, state, status, parts }
    written = joinPlans(written, { ...stowed, drafts: [draft('effect_settled', settled, marks)] })
    results.set(call.callId, [result])
  }
  for (const [at, call] of cut.open.entries()) {
    const effect = cut.effects.get(call.callId)
    const action = plan.effects[at]?.action
    const answer = answers.get(call.callId)
    const attempt = effect?.attempt ?? 1
    attempts.set(call.callId, attempt)
    const isRerun = action === 'rerun' || (action === 'ask' && answer === 'rerun')
    if (answer === 'skip' && action !== 'append') {
      if (effect?.state === 'pending') settle(call, 'unknown', 'interrupted', unknownOutcome)
      else results.set(call.callId, [resultOf(call, 'skipped', 'Not run: the run was ended before this call began.')])
    } else if (action === 'ask' && isObject(answer)) settle(call, 'ready', 'ok', answer['done'] as Json)
    else if (isRerun) {
      const replay: EffectReplay = effect?.replay ?? 'never'
      attempts.set(call.callId, attempt + 1)
      write(
        draft('effect_settled', { callId: call.callId, attempt, state: 'unknown' }, marks),
        draft('effect_planned', { callId: call.callId, tool: call.tool, step: plan.step, attempt: attempt + 1, replay }, marks),
      )
    }
  }
  return { plan: written, before: { results, attempts } }
}
