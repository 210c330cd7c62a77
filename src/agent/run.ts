import { asSkeinError, every, type SkeinError } from '#kernel'
import { isType, type ToolResultPart } from '#journal'
import { draft, messageDrafts, type SessionCore } from '#session'
import { askModel } from './ask-model.ts'
import { runCalls, skipped } from './run-calls.ts'
import { type RunOptions, RunRecord, type TurnResult } from './run-record.ts'

export const maxStepsDefault = 100

/**
 * Executes an admitted turn: ask, run the calls, go on until an answer without calls. Everything that a step produced is
 * durable before the next step begins. Always resolves; how it ended is in the status.
 */
export async function executeRun(core: SessionCore, options: RunOptions): Promise<TurnResult> {
  const record = new RunRecord(core, options)
  const { timers, leaseMs } = core.runtime
  // A lease that was lost shows in the next write, which is refused.
  const stopRenewing = every(timers, leaseMs / 3, () => void core.renewLease().catch(() => undefined))
  let ending: TurnResult
  try {
    ending = await takeSteps(record)
  } catch (error) {
    const known = asSkeinError(error)
    if (known.code === 'skein.bug') {
      const message = `Run ${options.run} broke off: ${known.message}`
      core.runtime.notice({ level: 'error', code: known.code, message, session: core.id, tenant: core.store.tenant })
    }
    ending = record.result('failed', reasonOf(known), known)
  } finally {
    stopRenewing()
  }
  try {
    await record.end(ending)
    return ending
  } catch (error) {
    const known = asSkeinError(error)
    const failed = record.result('failed', known.code === 'store.fenced' ? 'lease_lost' : 'store_error', known)
    // What the last step left can't be stored; that the run has ended is told all the same, unless the store is why.
    if (!known.code.startsWith('store.')) await record.end(failed).catch(() => undefined)
    return failed
  }
}

function reasonOf(error: SkeinError): string {
  if (error.code === 'store.fenced') return 'lease_lost'
  if (error.code.startsWith('store.')) return 'store_error'
  if (error.code.startsWith('auth.')) return 'auth_failed'
  if (error.code === 'context.exhausted') return 'context_overflow'
  return error.code === 'provider.truncated' ? 'truncated' : 'provider_error'
}

async function takeSteps(record: RunRecord): Promise<TurnResult> {
  const { signal, maxSteps } = record.options
  for (;;) {
    if (signal.aborted) return record.result('cancelled', 'user_cancelled')
    if (record.steps >= maxSteps) return record.result('blocked', 'step_limit')
    const step = ++record.steps
    const { parts, finishReason, error } = await askModel(record, step)
    const calls = parts.filter(part => part.type === 'tool_call')
    if (error !== undefined) return record.result('failed', reasonOf(error), error)
    if (finishReason === 'aborted') {
      if (calls.length > 0) await writeResults(record, step, calls.map(skipped))
      return record.result('cancelled', 'user_cancelled')
    }
    if (calls.length === 0) {
      record.writeLast({ drafts: [draft('step_ended', { step, finishReason }, record.marks)] })
      if (finishReason === 'length') return record.result('done_with_concerns', 'output_limit')
      if (finishReason === 'content_filter') return record.result('blocked', 'refused')
      return record.result('done', 'answered')
    }
    await writeResults(record, step, await runCalls(record, calls))
  }
}

async function writeResults(record: RunRecord, step: number, results: readonly ToolResultPart[]): Promise<void> {
  const stowed = messageDrafts(record.core, [{ role: 'tool', parts: results }], record.marks)
  const ended = draft('step_ended', { step, finishReason: 'tool_calls' }, record.marks)
  const entries = await record.write({ ...stowed, drafts: [...stowed.drafts, ended] })
  record.entries.push(...entries.filter(entry => isType(entry, 'message_added')).map(entry => entry.id))
}
