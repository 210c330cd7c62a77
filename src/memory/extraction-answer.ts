import { asSkeinError, isObject, isSkeinError, type Json, SkeinError } from '#kernel'
import { addUsage, fullUsage, headEffect, noUsage, type Change, type JobRow, type SessionRow, type TenantStore } from '#journal'
import { stepCollection } from '#jobs'
import { draft, placeDrafts, type Runtime } from '#session'
import type { ExtractorAnswer } from './extractor.ts'
export { plainCandidates } from './extraction-limits.ts'
import { type Failure, putRange, type Spent, type StoredRange } from './ranges.ts'

/** What a range was answered, with the ids of the memories that its numbers mean. */
export interface StoredAnswer {
  /** Where the range ended that was asked about. */
  readonly toSeq: number
  readonly candidates: readonly Json[]
  readonly known: readonly (readonly [n: number, id: string])[]
}

const answerKey = (job: JobRow): string => `${job.id}/answer`

/** An answer about more than the range is by now is none. */
export async function storedAnswer(store: TenantStore, job: JobRow, { row }: StoredRange): Promise<StoredAnswer | undefined> {
  const record = await store.record(stepCollection, answerKey(job))
  if (record === undefined || !isObject(record.value) || record.value['toSeq'] !== row.toSeq) return undefined
  return record.value as unknown as StoredAnswer
}

export const forgetAnswer = (job: JobRow): Change => ({ type: 'delete_record', collection: stepCollection, key: answerKey(job) })

/**
 * Keeps what was paid for before anything is made of it: the answer, what it used, and the session's bill, in one transaction
 * under the job's claim. Law M54.
 */
export async function keepAnswer(
  runtime: Runtime,
  store: TenantStore,
  job: JobRow,
  row: SessionRow,
  range: StoredRange,
  spent: Omit<ExtractorAnswer, 'candidates'> | undefined,
  answer: StoredAnswer | Failure,
): Promise<StoredRange> {
  const failed = typeof answer === 'string' ? answer : null
  const next: StoredRange = {
    ...range,
    version: range.version + 1,
    row: { ...range.row, failure: failed, spent: addSpent(range.row.spent, spent) },
  }
  const entries =
    spent?.usage === undefined ? [] : placeDrafts([usageDraft(runtime, spent, failed)], row, runtime.clock.now(), runtime.ids)
  const claim = { job: job.id, fence: job.fence }
  await store.commit([
    { type: 'require', that: { claim } },
    putRange(next.row, { expectVersion: range.version }),
    ...(typeof answer === 'string'
      ? []
      : [
          {
            type: 'put_record' as const,
            collection: stepCollection,
            key: answerKey(job),
            value: answer as unknown as Json,
            tags: [row.id],
          },
        ]),
    ...(entries.length === 0 ? [] : [{ type: 'append' as const, session: row.id, entries, head: headEffect(entries, row) }]),
  ])
  return next
}

function addSpent(before: Spent, spent: Omit<ExtractorAnswer, 'candidates'> | undefined): Spent {
  if (spent === undefined) return { ...before, calls: before.calls + 1 }
  const usage = spent.usage === undefined ? null : fullUsage(spent.usage)
  const isFirst = before.calls === 0
  const cost = spent.cost ?? null
  return {
    calls: before.calls + 1,
    usage: usage === null ? before.usage : addUsage(before.usage ?? noUsage, usage),
    // A sum of which a part is unknown is unknown.
    cost: isFirst ? cost : before.cost === null || cost === null ? null : before.cost + cost,
    model: spent.model ?? before.model,
    promptHash: spent.promptHash ?? before.promptHash,
  }
}

function usageDraft(
  runtime: Runtime,
  spent: Omit<ExtractorAnswer, 'candidates'>,
  failed: Failure | null,
): ReturnType<typeof draft> {
  return draft(
    'usage_recorded',
    {
      requestId: runtime.ids('req'),
      purpose: 'extraction',
      model: spent.model ?? null,
      entry: null,
      usage: fullUsage(spent.usage ?? {}),
      cost: spent.cost ?? null,
      outcome: failed ?? 'ok',
    },
    { by: 'extraction' },
  )
}

export function failureIn(error: unknown): Failure {
  const { code } = asSkeinError(error)
  if (code.startsWith('auth.')) return 'auth'
  if (code.startsWith('store.')) return 'store'
  return code === 'server.timeout' ? 'timeout' : 'model'
}

/** How the job's attempt ends: `auth` waits for a person at once, everything else is tried again. Law M45. */
export function attemptError(failure: Failure, error: unknown): SkeinError {
  const { code } = asSkeinError(error)
  if (failure === 'auth') return new SkeinError('auth.rejected', `The extractor is not let in: ${code}.`, { cause: error })
  if (failure === 'parse') return new SkeinError('provider.truncated', 'The extractor answered without a list of candidates.')
  if (failure === 'store' && isSkeinError(error)) return error
  const asked = isSkeinError(error) ? error.details['retryAfterMs'] : undefined
  return new SkeinError('provider.unavailable', `The extractor failed: ${code}.`, {
    cause: error,
    ...(typeof asked === 'number' ? { details: { retryAfterMs: asked } } : {}),
  })
}
