import { given, type Id, invalidInput, isObject, SkeinError, toJson } from '#kernel'
import { type Entry, fetchParts, higher, isTrust, isType, type RunHeld, type SessionRow, type Trust } from '#journal'
import type { Plan, SessionCore } from '#session'
import { endAsAsked, endOrphan } from './abandon.ts'
import { RunControl } from './active-runs.ts'
import { checkAgent, type SendOptions } from './agent-options.ts'
import { type Alongside, type AtEnd, changesOf } from './alongside.ts'
import { carryOn, judgeOf } from './carry-on.ts'
import { runningIn, waitingFor } from './input-queue.ts'
import type { InputReceipt } from './input-receipt.ts'
import { joinPlans, listOrNone } from './join-plans.ts'
import { readRunOptions } from './kept-options.ts'
import { entriesOfRun } from './lost-attempts.ts'
import { mend, type RecoveryAnswer } from './mend-run.ts'
import { followUpRuns } from './next-runs.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { type CutOff, foldCutOff, planRecovery, type RecoveryPlan } from './recovery-plan.ts'
import { recallDescriptions } from './recall-tools.ts'
import { type MissingCode, missingCode } from './run-code.ts'
import { type Run, runFace } from './run-face.ts'
import { readGear } from './run-gear.ts'
import type { Resumed } from './run-options.ts'
import { promptPlan } from './run-prompt.ts'
import { putRun, readRunRow } from './run-row.ts'
import { readStance } from './stance.ts'

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
  const found =
    apply && ((await endAsAsked(core)) || (await endOrphan(core)))
      ? undefined
      : await readCutOff(core, ports, defaults, await core.row())
  if (found === undefined) {
    if (apply) void followUpRuns(core, ports, defaults)
    return { plan: null, run: null }
  }
  const { plan, cut } = found
  const said = readAnswers(plan, answers)
  const asked = plan.effects.filter(({ action, callId }) => action === 'ask' && answers[callId] === undefined)
  const { missing = [] } = plan
  const isOpen = asked.length + missing.length > 0
  if (!apply || (isOpen && approvals === 'wait')) return { plan, run: null }
  if (approvals === 'end' && isOpen) for (const { callId } of plan.effects) said.set(callId, 'skip')
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
        const { version, asked: toEnd } = await readRunRow(core)
        // Whoever recovers it next ends it.
        if (toEnd !== undefined) throw busy(core, run)
        const kept = await promptPlan(core, row, gear)
        return {
          ...joinPlans(kept, mended.plan),
          alongside: [
            putRun(core, run, { expectVersion: version }),
            ...changesOf(options.alongside, core, row, { run, turn, input: found.input as Id<'inp'> }),
          ],
        }
      },
      { run },
    )
    const unpin = core.pin()
    const resumed: Resumed = {
      ...cut.resumed,
      ...(cut.open.length === 0 ? {} : { open: { calls: cut.open, before: mended.before } }),
      ...(approvals === 'end' && isOpen ? { refused: reviewMessage(asked.length, missing) } : {}),
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

function reviewMessage(count: number, missing: readonly MissingCode[]): string {
  const effects = `${count} incomplete non-retryable tool side effect(s)`
  const code = missing.map(({ kind, name }) => `${kind} ${name}`).join(', ')
  const why = [...(count > 0 ? [effects] : []), ...(code === '' ? [] : [`code that is not there any more: ${code}`])]
  return `recovery requires user review: ${why.join('; ')}`
}

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

async function readCutOff(
  core: SessionCore,
  ports: AgentPorts,
  defaults: RunDefaults,
  row: SessionRow,
): Promise<Found | undefined> {
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
  const kept = { ...readRunOptions(options), ...given({ thinking: held?.thinking }), maxSteps, trust: heardBy(entries) }
  // What cannot be read now is refused by whoever goes on with it.
  const stance = await readStance(core, ports, kept, defaults, held).catch(() => undefined)
  const missing = stance === undefined ? [] : missingCode(held?.code, { ...stance, tools: stance.own })
  const names = stance && new Set([...stance.own, ...(stance.recalls ? recallDescriptions : [])].map(({ name }) => name))
  const about = { run, turn, model, inputs: waitingFor(row, run).length, ...given({ missing: listOrNone(missing) }) }
  const plan = planRecovery(cut, about, tool => names?.has(tool) ?? true)
  return {
    plan,
    cut,
    index,
    input,
    startedSeq: started.seq,
    seq: row.seq,
    asked: kept,
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
