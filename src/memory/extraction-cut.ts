import { given, type EntryId, type JobId, type SessionId } from '#kernel'
import type { Change, SessionRow, TenantStore } from '#journal'
import type { TokenCounter } from '#context'
import type { Runtime } from '#session'
import type { ExtractionPlan } from './commit-ports.ts'
import { planRanges, type PlannedRange } from './extraction-plan.ts'
import { heard, type Message, newestMessage, spokenIn, withParts } from './extraction-read.ts'
import { defaultInputTokens, type Extractor } from './extractor.ts'
import {
  extractKind,
  nothingSpent,
  type Outcome,
  ofExtractor,
  putRange,
  queuedReader,
  rangeCollection,
  rangeOf,
  type RangeRow,
} from './ranges.ts'

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

/** So much is cut in the call; what is more by a job. */
const mostMessages = 32
const mostTokens = defaultInputTokens

/**
 * The ranges and jobs of fromSeq…toSeq, without a watermark. However long that is, no more is read of it than what is quickly
 * read: a longer one is one range for now, which its job cuts.
 */
export async function rangeChanges(
  ask: CutAsk,
  fromSeq: number,
  toSeq: number,
): Promise<{ readonly changes: Change[]; readonly jobs: JobId[] }> {
  const whole: PlannedRange = { fromSeq, toSeq, piece: null, heard: true }
  const messages = ask.extract && !(await hasUncut(ask)) ? await fewMessages(ask, fromSeq, toSeq) : undefined
  if (messages === undefined) return rangesAs(ask, [whole], ask.extract)
  const { counter } = ask.runtime
  return rangesAs(ask, plannedFor(ask, messages, whole, counter), false)
}

export function plannedFor(
  { extractor }: Pick<CutAsk, 'extractor'>,
  messages: readonly Message[],
  { fromSeq, toSeq }: Pick<PlannedRange, 'fromSeq' | 'toSeq'>,
  counter: TokenCounter,
): PlannedRange[] {
  return planRanges(
    messages.map(message => heard(message, counter)),
    fromSeq,
    toSeq,
    extractor.maxInputTokens ?? defaultInputTokens,
    text => counter.count(text),
  )
}

/** Undefined where that is more than a call should read. */
async function fewMessages({ store, session, endEntry }: CutAsk, fromSeq: number, toSeq: number): Promise<Message[] | undefined> {
  const entries = await spokenIn(store, session, endEntry, fromSeq - 1, toSeq, mostMessages)
  const isMuch = entries === undefined || entries.reduce((sum, { tokens = 0 }) => sum + tokens, 0) > mostTokens
  return isMuch ? undefined : await withParts(store, entries)
}

/** Ranges are learnt from in order, so behind one that is still to be cut the next is cut by a job, too. */
async function hasUncut({ store, session, extractor }: CutAsk): Promise<boolean> {
  const query = { tag: ofExtractor(session, extractor.name), order: 'desc', limit: 1 } as const
  const [newest] = (await store.records(rangeCollection, query)).items
  return newest !== undefined && rangeOf(newest).row.uncut === true
}

function rangesAs(
  ask: CutAsk,
  planned: readonly PlannedRange[],
  uncut: boolean,
): { readonly changes: Change[]; readonly jobs: JobId[] } {
  const changes: Change[] = []
  const jobs: JobId[] = []
  for (const plan of planned) {
    const range: RangeRow = { ...newRange(ask, plan), ...(uncut ? { uncut } : {}) }
    changes.push(putRange(range, { expectVersion: 0 }))
    if (range.job === null) continue
    jobs.push(range.job)
    changes.push(enqueueRange(range, range.job, ask.traceId, uncut ? { most: ask.extractor.maxInputTokens ?? null } : undefined))
  }
  return { changes, jobs }
}

/** Payloads of this version ask to cut a range; a worker that only knows older ones leaves them alone. */
export const cutSchema = 2

export function enqueueRange(range: RangeRow, job: JobId, traceId?: string, cut?: { readonly most: number | null }): Change {
  const { session, extractor, id } = range
  const key = ofExtractor(session, extractor)
  return {
    type: 'enqueue',
    job: {
      id: job,
      kind: extractKind,
      // What cuts waits for nobody that learns.
      key: cut === undefined ? key : `${key}/cut`,
      session,
      payload: { session, range: id, ...(cut === undefined ? {} : { cut: { ...cut } }) },
      ...(cut === undefined ? {} : { schema: cutSchema }),
      maxAttempts: extractAttempts,
      ...given({ traceId }),
    },
  }
}

export function newRange(
  {
    runtime,
    session,
    extractor,
    endEntry,
    extract,
    sessionTime,
  }: Pick<CutAsk, 'runtime' | 'session' | 'extractor' | 'endEntry' | 'extract' | 'sessionTime'>,
  plan: PlannedRange,
): RangeRow {
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
