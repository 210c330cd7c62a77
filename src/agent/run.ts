import { asSkeinError, every, isSkeinError, SkeinError } from '#kernel'
import { type FinishReason, isType, type ToolCallPart } from '#journal'
import { draft, messageDrafts, type Plan, type SessionCore } from '#session'
import type { Reached } from './allowance.ts'
import { askModel } from './ask-model.ts'
import type { CallsBefore } from './effects.ts'
import { type CallsOutcome, runCalls, skipCalls } from './run-calls.ts'
import { joinPlans } from './join-plans.ts'
import type { RunOptions } from './run-options.ts'
import { InputCame, RunRecord } from './run-record.ts'
import { goesOn, type TurnResult } from './turn-result.ts'
import { maxContinuations } from './run-seams.ts'

/**
 * Executes an admitted turn: ask, run the calls, go on until an answer without calls. Everything that a step produced is
 * durable before the next step begins. Always resolves; how it ended is in the status.
 */
export async function executeRun(core: SessionCore, options: RunOptions): Promise<TurnResult> {
  const record = new RunRecord(core, options)
  const { timers, leaseMs } = core.runtime
  // A lease that was lost shows in the next write, which is refused.
  const stopRenewing = every(timers, leaseMs / 3, () => void core.renewLease().catch(() => undefined))
  const { hooks } = options.seams
  const { run, turn, model } = options
  record.span = await options.telemetry?.run({ session: core.id, run, turn, model: model.info })
  if (hooks.runStarted !== undefined) await record.hook('runStarted', () => hooks.runStarted?.(record.place))
  for (let again = false; ; again = true) {
    const ending = await takeAll(record, again)
    try {
      await record.end(ending)
      stopRenewing()
      record.span?.end(ending)
      if (hooks.runEnded !== undefined) await record.hook('runEnded', () => hooks.runEnded?.(ending, record.place))
      return ending
    } catch (error) {
      // It goes on with what came.
      if (error instanceof InputCame) continue
      stopRenewing()
      const known = asSkeinError(error)
      const failed = record.result('failed', known.code === 'store.fenced' ? 'lease_lost' : 'store_error', known)
      // What the last step left can't be stored; that the run has ended is told all the same, unless the store is why.
      if (!known.code.startsWith('store.')) {
        record.forgetLast()
        await record.end(failed).catch(() => undefined)
      }
      record.span?.end(failed)
      return failed
    }
  }
}

async function takeAll(record: RunRecord, again: boolean): Promise<TurnResult> {
  const { core, options } = record
  try {
    // What came when the run was about to end.
    if (again) await record.deliverAtEnd()
    return await takeSteps(record)
  } catch (error) {
    const known = asSkeinError(error)
    if (known.code === 'skein.bug') {
      const message = `Run ${options.run} broke off: ${known.message}`
      core.runtime.notice({ level: 'error', code: known.code, message, session: core.id, tenant: core.store.tenant })
    }
    const reason = reasonOf(known)
    return record.result(reason === 'context_overflow' ? 'blocked' : 'failed', reason, known)
  }
}

function reasonOf(error: SkeinError): string {
  if (error.code === 'store.fenced') return 'lease_lost'
  if (error.code.startsWith('store.')) return 'store_error'
  if (error.code.startsWith('auth.')) return 'auth_failed'
  if (error.code === 'context.exhausted') return 'context_overflow'
  return error.code === 'provider.truncated' ? 'truncated' : 'provider_error'
}

/** Goes on until nothing is left to go on with: no call, no input that waits, no hook, no gate. */
async function takeSteps(record: RunRecord): Promise<TurnResult> {
  const { gates, hooks } = record.options.seams
  for (let first = true; ; first = false) {
    const answered = (first ? await resume(record) : undefined) ?? (await untilAnswer(record))
    if (!goesOn(answered)) return answered
    if (await record.deliverAtEnd()) continue
    const hooked = hooks.stepEnded && (await record.hook('stepEnded', () => hooks.stepEnded?.(record.steps, record.place)))
    const text = hooked?.continueWith
    if (text !== undefined && text.trim() !== '' && record.continuations < maxContinuations) {
      record.continuations++
      await record.goOnWith(text)
      continue
    }
    if (answered.status !== 'done') return answered
    const since = record.core.runtime.clock.now()
    const result = await gates(answered, record.place)
    record.timed('closing', since)
    if (record.options.signal.aborted) return cancelled(record)
    if (!(await record.deliverAtEnd())) return result
  }
}

function cancelled(record: RunRecord): TurnResult {
  const { signal, aborted } = record.options
  const why: unknown = signal.reason
  if (isSkeinError(why) && why.details['reason'] === 'parent_cancelled') return record.result('cancelled', 'parent_cancelled')
  return record.result('cancelled', aborted.aborted ? 'aborted' : 'user_cancelled')
}

/** Steps until an answer without calls, or something else that ends the run. */
async function untilAnswer(record: RunRecord): Promise<TurnResult> {
  const { signal, maxSteps, seams } = record.options
  const { beforeRequest } = seams.hooks
  for (;;) {
    if (signal.aborted) return cancelled(record)
    if (record.steps >= maxSteps) return record.result('blocked', 'step_limit')
    if (record.steps > 0 || record.options.resumed !== undefined) await record.deliverSteers()
    const reached = await record.options.spending.reached()
    if (reached !== undefined) return spent(record, reached)
    const step = ++record.steps
    if (beforeRequest !== undefined) await record.hook('beforeRequest', () => beforeRequest(step, record.place))
    const answer = await askModel(record, step)
    if ('reached' in answer) {
      // It was reached while the context was made, so the step made no request.
      if (answer.requests === 0) record.steps--
      return spent(record, answer.reached)
    }
    const { parts, finishReason, error } = answer
    const calls = parts.filter(part => part.type === 'tool_call')
    if (error !== undefined) return record.result('failed', reasonOf(error), error)
    if (finishReason === 'aborted') {
      if (calls.length > 0) await writeResults(record, step, calls, skipCalls(record, calls))
      return cancelled(record)
    }
    if (calls.length === 0) return answeredWith(record, step, finishReason)
    const ended = await actOn(record, step, calls)
    // It goes on or ends whatever a hook says here.
    const { stepEnded } = seams.hooks
    if (stepEnded !== undefined) await record.hook('stepEnded', () => stepEnded(step, record.place))
    if (ended !== undefined) return ended
  }
}

/** No request is made any more. Law A53. */
function spent(record: RunRecord, reached: Reached): TurnResult {
  record.writeLast({ drafts: [draft('allowance_reached', reached, record.marks)] })
  if (reached.spent !== null) return record.result('blocked', 'allowance_reached')
  const error = new SkeinError('allowance.unpriced', 'What a request cost is not known, so what is spent cannot be limited.')
  return record.result('blocked', 'allowance_reached', error)
}

/** The end that an answer without calls would be. */
function answeredWith(record: RunRecord, step: number, finishReason: FinishReason): TurnResult {
  record.writeLast({ drafts: [draft('step_ended', { step, finishReason }, record.marks)] })
  if (finishReason === 'length') return record.result('done_with_concerns', 'output_limit')
  if (finishReason === 'content_filter') return record.result('blocked', 'refused')
  if (finishReason === 'aborted') return cancelled(record)
  return record.result('done', 'answered')
}

/** Where a crash cut a run off in the middle of a step, the rest of that step; undefined if a request comes next. */
async function resume(record: RunRecord): Promise<TurnResult | undefined> {
  const { resumed } = record.options
  if (resumed === undefined) return undefined
  const { open, answered, refused } = resumed
  const ended = open === undefined ? undefined : await actOn(record, ++record.steps, open.calls, open.before)
  if (refused !== undefined)
    return { ...record.result('blocked', 'recovery_unsafe'), error: { code: 'recovery_unsafe', message: refused } }
  if (open !== undefined) return ended
  return answered === null ? undefined : answeredWith(record, ++record.steps, answered)
}

/** Runs the calls of a step and writes what came of them; what ends the run, if they do. */
async function actOn(
  record: RunRecord,
  step: number,
  calls: readonly ToolCallPart[],
  before?: CallsBefore,
): Promise<TurnResult | undefined> {
  const outcome = await runCalls(record, step, calls, before)
  await writeResults(record, step, calls, outcome)
  const { ends } = outcome
  // What a call that was cut short made of it counts for nothing.
  if (ends !== undefined && record.options.signal.aborted) return cancelled(record)
  return ends === undefined ? undefined : record.result(ends.status, ends.reason)
}

/** The results in the order of their calls, the end of the step, and the steers that came meanwhile. Laws A9, A17, A22. */
async function writeResults(
  record: RunRecord,
  step: number,
  calls: readonly ToolCallPart[],
  { plan, partsOf }: CallsOutcome,
): Promise<void> {
  const stowed = messageDrafts(record.core, [{ role: 'tool', parts: calls.flatMap(partsOf) }], record.marks)
  const ended = draft('step_ended', { step, finishReason: 'tool_calls' }, record.marks)
  const results: Plan = joinPlans(plan, { ...stowed, drafts: [...stowed.drafts, ended] })
  const entries = await record.write(async () => joinPlans(results, await record.steers()))
  const isResult = (entry: (typeof entries)[number]): boolean => isType(entry, 'message_added') && entry.data.role === 'tool'
  record.entries.push(...entries.filter(isResult).map(entry => entry.id))
}
