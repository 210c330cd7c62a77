import { given, type Id, invalidInput, isObject, type Json, SkeinError, toJson } from '#kernel'
import {
  type EffectReplay,
  type Entry,
  fetchParts,
  higher,
  isTrust,
  isType,
  type PartInput,
  type RunHeld,
  type SessionRow,
  type ToolCallPart,
  type Trust,
} from '#journal'
import { type Draft, draft, messageDrafts, type Plan, type SessionCore } from '#session'
import { endOrphan } from './abandon.ts'
import { RunControl } from './active-runs.ts'
import { checkAgent, type SendOptions } from './agent-options.ts'
import { readRunOptions } from './kept-options.ts'
import { type Alongside, type AtEnd, changesOf } from './alongside.ts'
import { carryOn, judgeOf } from './carry-on.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { readGear } from './run-gear.ts'
import { promptPlan } from './run-prompt.ts'
import type { CallsBefore } from './effects.ts'
import type { InputReceipt } from './input-receipt.ts'
import { putRun, runningIn, waitingFor } from './input-queue.ts'
import { joinPlans } from './join-plans.ts'
import { entriesOfRun, lostUsage } from './lost-attempts.ts'
import { followUpRuns } from './next-runs.ts'
import { type CutOff, foldCutOff, planRecovery, type RecoveryPlan } from './recovery-plan.ts'
import type { Resumed } from './run-options.ts'
import { resultOf } from './run-seams.ts'
import { type Run, runFace } from './run-face.ts'

/** What is known of a call whose outcome is not: do it again, leave it, or this was its result. */
export type RecoveryAnswer = 'rerun' | 'skip' | { readonly done: unknown }

export interface RecoverOptions {
  /** Carry the plan out and go on with the run. Default: only tell it. */
  readonly apply?: boolean
  /** For calls that must be asked for and have no answer: leave all as it is (default), skip them, or end the run. */
  readonly approvals?: 'wait' | 'deny' | 'end'
  /** By the id of the call. */
  readonly answers?: Readonly<Record<string, RecoveryAnswer>>
  /** For rooms above: rides in the commit that goes on with the run, and in the one that ends it. */
  readonly alongside?: Alongside
  readonly atEnd?: AtEnd
}

export interface Recovery {
  /** `null`: no run died here. */
  readonly plan: RecoveryPlan | null
  /** The run that goes on; `null` if none does. */
  readonly run: Run | null
}

const unknownOutcome = 'Outcome unknown: the process ended while this call was running. Check before repeating it.'

/**
 * What is to be done for a run whose process died and, with `apply`, does it: nothing that may have been carried out is
 * entered again unasked. Another one that recovers the same run gets `session.busy`. Laws A33–A36.
 */
export async function recoverRun(
  core: SessionCore,
  ports: AgentPorts,
  defaults: RunDefaults,
  options: RecoverOptions = {},
): Promise<Recovery> {
  checkAgent.recover(options)
  const { apply = false, approvals = 'wait', answers = {} } = options
  const found = apply && (await endOrphan(core)) ? undefined : await readCutOff(core, await core.row())
  if (found === undefined) {
    if (apply) void followUpRuns(core, ports, defaults)
    return { plan: null, run: null }
  }
  const { plan, cut } = found
  const said = readAnswers(plan, answers)
  const asked = plan.effects.filter(({ action, callId }) => action === 'ask' && answers[callId] === undefined)
  if (!apply || (asked.length > 0 && approvals === 'wait')) return { plan, run: null }
  if (approvals === 'end' && asked.length > 0) for (const { callId } of plan.effects) said.set(callId, 'skip')
  else for (const { callId } of asked) said.set(callId, 'skip')
  const model = defaults.model ?? plan.model
  const begunWith = { ...found.asked, ...given({ model, atEnd: options.atEnd }), provider: null }
  const gear = await readGear(core, ports, begunWith, defaults, found.held)
  const control = new RunControl()
  const { run, turn } = plan
  const judge = judgeOf(core, { run, turn, gear, control })
  if (core.activeRun !== undefined) throw busy(core, run)
  core.activeRun = run
  try {
    const mended = mend(core, cut, plan, said)
    await core.path(
      async (row): Promise<Plan> => {
        if (runningIn(row)?.run !== run || row.seq !== found.seq) throw busy(core, run)
        const kept = await promptPlan(core, row, gear)
        return {
          ...joinPlans(kept, mended.plan),
          alongside: [
            putRun(core, run),
            ...changesOf(options.alongside, core, row, { run, turn, input: found.input as Id<'inp'> }),
          ],
        }
      },
      { run },
    )
    const unpin = core.pin()
    const isEnd = approvals === 'end' && asked.length > 0
    const resumed: Resumed = {
      ...cut.resumed,
      ...(cut.open.length === 0 ? {} : { open: { calls: cut.open, before: mended.before } }),
      ...(isEnd ? { refused: reviewMessage(asked.length) } : {}),
    }
    const outcome = carryOn(core, { run, turn, index: found.index, gear, control, judge, resumed }).finally(() => {
      unpin()
      control.end()
      void followUpRuns(core, ports, defaults)
    })
    const receipt: InputReceipt = {
      inputId: found.input,
      runId: run,
      turnId: turn,
      session: core.id,
      disposition: 'duplicate',
      seq: found.startedSeq,
    }
    return { plan, run: runFace(core, control, () => run, Promise.resolve(receipt), outcome) }
  } catch (error) {
    if (core.activeRun === run) core.activeRun = undefined
    throw error
  }
}

const reviewMessage = (count: number): string =>
  `recovery requires user review: ${count} incomplete non-retryable tool side effect(s)`

const busy = (core: SessionCore, run: string): SkeinError =>
  new SkeinError('session.busy', `Run ${run} of session ${core.id} goes on.`, { details: { by: 'run', run } })

interface Found {
  readonly plan: RecoveryPlan
  readonly cut: CutOff
  readonly index: number
  readonly input: string
  readonly startedSeq: number
  readonly seq: number
  readonly asked: SendOptions
  readonly held: RunHeld | undefined
}

async function readCutOff(core: SessionCore, row: SessionRow): Promise<Found | undefined> {
  const running = runningIn(row)
  if (running === undefined || running.turn === null || core.activeRun === running.run) return undefined
  const { run, turn } = running
  const stored = await entriesOfRun(core, run)
  const [started] = stored
  if (started === undefined || !isType(started, 'run_started')) return undefined
  const { entries } = await fetchParts(core.store, stored, { files: 'trust' })
  const cut = foldCutOff(entries)
  const told = row.data['running']
  const index = isObject(told) && typeof told['index'] === 'number' ? told['index'] : 0
  const { model, input, maxSteps, options, held } = started.data
  const plan = planRecovery(cut, { run, turn, model, inputs: waitingFor(row, run).length })
  return {
    plan,
    cut,
    index,
    input,
    startedSeq: started.seq,
    seq: row.seq,
    asked: { ...readRunOptions(options), ...given({ thinking: held?.thinking }), maxSteps, trust: heardBy(entries) },
    held,
  }
}

/** How far the best of what a run was told may be trusted; what a hook has said is nobody's. Law A42. */
function heardBy(entries: readonly Entry[]): string {
  const said = entries.flatMap(entry => (isType(entry, 'message_added') && entry.data.source !== 'hook' ? [entry.data] : []))
  const trusts = said.filter(({ role }) => role === 'user').map(({ trust = 'user-instruction' }) => trust)
  return trusts.reduce<Trust>((best, trust) => higher(best, isTrust(trust) ? trust : 'unknown'), 'unknown')
}

/** Throws `input.invalid` for an answer to a call that none is asked for, or that is none. */
function readAnswers(plan: RecoveryPlan, answers: NonNullable<RecoverOptions['answers']>): Map<string, RecoveryAnswer> {
  const known = new Map(plan.effects.map(effect => [effect.callId, effect]))
  return new Map(
    Object.entries(answers).map(([callId, answer]): [string, RecoveryAnswer] => {
      if (known.get(callId)?.action !== 'ask') throw invalidInput(`answers.${callId}`, 'No outcome of this call is unknown.')
      if (answer === 'rerun' || answer === 'skip') return [callId, answer]
      if (!isObject(answer) || !('done' in answer)) throw invalidInput(`answers.${callId}`, 'Expected rerun, skip or { done }.')
      return [callId, { done: toJson(answer.done, `answers.${callId}.done`) }]
    }),
  )
}

/** What is written before anything goes on, and what the calls then know of themselves. */
function mend(
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
