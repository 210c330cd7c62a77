import { isId, isObject, SkeinError } from '#kernel'
import type { Change, CompactionResult, JobRow } from '#journal'
import type { SessionCore } from './core.ts'

export const compactKind = 'context.compact'

/** Prepares summaries in the background; one job of a session waits at a time. */
export function compactLater(core: SessionCore): Change {
  return {
    type: 'enqueue',
    job: {
      id: core.runtime.ids('job'),
      kind: compactKind,
      key: core.id,
      session: core.id,
      payload: { session: core.id },
      maxAttempts: 1_000,
    },
    uniqueKey: core.id,
  }
}

/** Ends after which the job stays. */
const undone: readonly CompactionResult['status'][] = ['deferred', 'failed', 'aborted']

const firstWaitMs = 60_000
const longestWaitMs = 30 * 60_000

/** Does the job of a session; one whose summarizer does not answer is tried again after a minute, doubling to 30. */
export async function compactDue(
  job: JobRow,
  prepare: (session: string) => Promise<CompactionResult | undefined>,
): Promise<{ readonly result: string }> {
  const session = isObject(job.payload) ? job.payload['session'] : undefined
  const result = isId('ses', session) ? await prepare(session) : undefined
  if (result !== undefined && undone.includes(result.status)) {
    const retryAfterMs = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(10, job.attempts - 1))
    throw new SkeinError('provider.unavailable', `Compaction of ${job.key} was ${result.status}.`, { details: { retryAfterMs } })
  }
  return { result: result?.status ?? 'nothing' }
}
