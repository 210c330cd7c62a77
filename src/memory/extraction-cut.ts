import { given, type EntryId, type JobId, type SessionId } from '#kernel'
import type { Change, SessionRow, TenantStore } from '#journal'
import type { Runtime } from '#session'
import type { ExtractionPlan } from './commit-ports.ts'
import { planRanges, type PlannedRange } from './extraction-plan.ts'
import { heard, messagesIn, newestMessage } from './extraction-read.ts'
import { defaultInputTokens, type Extractor } from './extractor.ts'
import { extractKind, nothingSpent, type Outcome, ofExtractor, putRange, queuedReader, type RangeRow } from './ranges.ts'

export type ExtractorName = Pick<Extractor, 'name' | 'version' | 'maxInputTokens'>

export interface CutAsk {
  readonly runtime: Runtime
  readonly store: TenantStore
  readonly extractor: ExtractorName
  readonly session: SessionId
  readonly toSeq: number
  readonly endEntry: EntryId
  readonly extract: boolean
  readonly sessionTime?: string
  readonly traceId?: string
}

export const extractAttempts = 5

/**
 * What puts ranges from `queuedTo + 1` to `toSeq` into the queue, a job each. Who cuts at the same time meets a conflict of
 * the watermark, reads again and finds nothing left.
 */
export async function cutRanges(ask: CutAsk): Promise<ExtractionPlan> {
  const { store, session, extractor, toSeq } = ask
  const queued = await store.watermark(session, queuedReader(extractor.name))
  if (toSeq <= queued || (await newestMessage(store, session, queued, toSeq)) === undefined) return nothing
  const { changes, jobs } = await rangeChanges(ask, queued + 1, toSeq)
  const mark: Change = { type: 'put_watermark', session, reader: queuedReader(extractor.name), seq: toSeq, expect: queued }
  return { changes: [mark, ...changes], jobs, extraction: jobs.length > 0 ? 'queued' : 'skipped' }
}

const nothing: ExtractionPlan = { changes: [], jobs: [], extraction: 'none' }

/** The ranges and jobs of fromSeq…toSeq, without a watermark. */
export async function rangeChanges(
  ask: CutAsk,
  fromSeq: number,
  toSeq: number,
): Promise<{ readonly changes: Change[]; readonly jobs: JobId[] }> {
  const { runtime, store, session, extractor } = ask
  const messages = await messagesIn(store, session, ask.endEntry, fromSeq - 1, toSeq)
  const { counter } = runtime
  const planned = planRanges(
    messages.map(message => heard(message, counter)),
    fromSeq,
    toSeq,
    extractor.maxInputTokens ?? defaultInputTokens,
    text => counter.count(text),
  )
  const changes: Change[] = []
  const jobs: JobId[] = []
  for (const plan of planned) {
    const range = newRange(ask, plan)
    changes.push(putRange(range, { expectVersion: 0 }))
    if (range.job === null) continue
    jobs.push(range.job)
    changes.push(enqueueRange(range, range.job, ask.traceId))
  }
  return { changes, jobs }
}

export function enqueueRange(range: RangeRow, job: JobId, traceId?: string): Change {
  const { session, extractor, id } = range
  return {
    type: 'enqueue',
    job: {
      id: job,
      kind: extractKind,
      key: ofExtractor(session, extractor),
      session,
      payload: { session, range: id },
      maxAttempts: extractAttempts,
      ...given({ traceId }),
    },
  }
}

function newRange({ runtime, session, extractor, endEntry, extract, sessionTime }: CutAsk, plan: PlannedRange): RangeRow {
  const skipped = !extract ? 'by_caller' : plan.heard ? undefined : 'no_user_text'
  return {
    id: runtime.ids('rng'),
    session,
    extractor: extractor.name,
    version: extractor.version,
    fromSeq: plan.fromSeq,
    toSeq: plan.toSeq,
    piece: plan.piece,
    leaf: endEntry,
    job: skipped === undefined ? runtime.ids('job') : null,
    sessionTime: sessionTime ?? null,
    createdAt: runtime.clock.now(),
    failure: null,
    spent: nothingSpent,
    outcome: skipped === undefined ? null : skippedOutcome(skipped, runtime.clock.now()),
  }
}

export function skippedOutcome(reason: string, at: number, attempts: number = 0): Outcome {
  const none = { candidates: 0, belowThreshold: 0, applied: [], rejected: [], ignored: [] }
  return { state: 'skipped', reason, at, attempts, ...none }
}

/** Where a session that is learnt from as a whole ends: its newest message, if there is one, and its leaf. */
export async function wholeSession(
  store: TenantStore,
  row: SessionRow,
): Promise<{ readonly toSeq: number; readonly endEntry: EntryId } | undefined> {
  const toSeq = await newestMessage(store, row.id, 0)
  return toSeq === undefined || row.leafId === null ? undefined : { toSeq, endEntry: row.leafId }
}
