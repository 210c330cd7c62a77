import { given, isId, isObject, type EntryId, type JobId, type Json, type SessionId } from '#kernel'
import type { Change, JobRow, RecordRow, TenantStore, Usage } from '#journal'

export const extractKind = 'memory.extract'
export const rangeCollection = 'memory_range'
/** Tag of the ranges that a rewind has not replaced. */
export const activeTag = 'active'

export const rangeStates = ['pending', 'running', 'ok', 'empty', 'partial', 'failed', 'parked', 'skipped'] as const
export type RangeState = (typeof rangeStates)[number]
/** Nothing more comes of these. */
export const settledStates: readonly RangeState[] = ['ok', 'empty', 'partial', 'skipped']

export type Failure = 'model' | 'timeout' | 'parse' | 'store' | 'auth'
export type Action = 'add' | 'same' | 'supersede' | 'contradict'

export interface Applied {
  /** Of the candidate. */
  readonly index: number
  readonly action: Action
  readonly uri: string
}
export interface Fault {
  readonly index: number
  readonly code: string
}

/** How a range was settled. */
export interface Outcome {
  readonly state: 'ok' | 'empty' | 'partial' | 'skipped'
  readonly reason?: string
  readonly at: number
  readonly attempts: number
  readonly candidates: number
  readonly belowThreshold: number
  readonly applied: readonly Applied[]
  readonly rejected: readonly Fault[]
  /** Relations that were not heeded; the candidate was treated as if it had none. */
  readonly ignored: readonly Fault[]
}

/** A piece of one entry's text, in UTF-16 units; `last` says whether the entry ends with it. */
export interface EntryPiece {
  readonly from: number
  readonly to: number
  readonly last: boolean
}

/** What the requests of a range's attempts used. */
export interface Spent {
  readonly calls: number
  readonly usage: Usage | null
  readonly cost: number | null
  readonly model: string | null
  readonly promptHash: string | null
}

/** A range of a journal that is learnt from, as it is stored. Beside it its job says how far that has come. */
export interface RangeRow {
  readonly id: string
  readonly session: SessionId
  readonly extractor: string
  readonly version: string
  readonly fromSeq: number
  readonly toSeq: number
  readonly piece: EntryPiece | null
  /** The branch that ended here when the range was queued. */
  readonly leaf: EntryId
  /** Nobody has looked yet whether it is too large; its job cuts it, and each piece gets a job of its own. */
  readonly uncut?: true
  /** What it was cut from, and by which job. */
  readonly of?: { readonly range: string; readonly job: JobId }
  readonly job: JobId | null
  readonly sessionTime: string | null
  readonly createdAt: number
  readonly failure: Failure | null
  readonly spent: Spent
  readonly outcome: Outcome | null
  /** Where it ended before a rewind into it. */
  readonly wasTo?: number
}

export const nothingSpent: Spent = { calls: 0, usage: null, cost: null, model: null, promptHash: null }

/** Watermarks of an extractor; a new version goes on where the old one was. */
export const queuedReader = (name: string): string => `extraction.${name}.queued`
export const extractedReader = (name: string): string => `extraction.${name}.extracted`

export const ofExtractor = (session: SessionId, name: string): string => `${session}/${name}`

/** `replaced`: a rewind has put others in its place. */
export function putRange(
  range: RangeRow,
  options: { readonly expectVersion?: number; readonly replaced?: boolean } = {},
): Change {
  return {
    type: 'put_record',
    collection: rangeCollection,
    key: range.id,
    value: range as unknown as Json,
    tags: [range.session, ...(options.replaced === true ? [] : [ofExtractor(range.session, range.extractor), activeTag])],
    sort: range.fromSeq,
    ...given({ expectVersion: options.expectVersion }),
  }
}

export interface StoredRange {
  readonly row: RangeRow
  readonly version: number
}

export const rangeOf = (record: RecordRow): StoredRange => ({ row: record.value as unknown as RangeRow, version: record.version })

/** All ranges of a session, or of all, with their records, also those that a rewind replaced: what they taught is still there. */
export async function rangesOf(
  store: TenantStore,
  session?: SessionId,
): Promise<{ readonly row: RangeRow; readonly record: RecordRow }[]> {
  const found: { readonly row: RangeRow; readonly record: RecordRow }[] = []
  for (let cursor: string | undefined; ;) {
    const page = await store.records(rangeCollection, { limit: 500, ...given({ tag: session, cursor }) })
    found.push(...page.items.map(record => ({ row: rangeOf(record).row, record })))
    if (page.next === undefined) return found
    cursor = page.next
  }
}

/** The active ranges of a session that begin at `fromSeq` or later, in order. */
export async function activeRanges(
  store: TenantStore,
  session: SessionId,
  name: string,
  fromSeq: number = 0,
): Promise<StoredRange[]> {
  const found: StoredRange[] = []
  for (let cursor: string | undefined; ;) {
    const page = await store.records(rangeCollection, {
      tag: ofExtractor(session, name),
      sortFrom: fromSeq,
      limit: 500,
      ...given({ cursor }),
    })
    found.push(...page.items.map(rangeOf))
    if (page.next === undefined) return found
    cursor = page.next
  }
}

/** The state of a range: of what it came to, else of its job. A job that is gone was given up. */
export function stateOf(range: RangeRow, job: JobRow | undefined, now: number): RangeState {
  if (range.outcome !== null) return range.outcome.state
  switch (job?.state) {
    case 'running':
      return 'running'
    case 'parked':
      return 'parked'
    case 'queued':
      return job.lastError !== null && job.runAfter > now ? 'failed' : 'pending'
    default:
      return 'skipped'
  }
}

/** Why the newest attempt failed, if one did. */
export function failureOf(range: RangeRow, job: JobRow | undefined): Failure | null {
  const code = isObject(job?.lastError) ? job.lastError['code'] : undefined
  if (range.outcome !== null || typeof code !== 'string') return null
  if (code === 'server.timeout' || code === 'job.lost') return 'timeout'
  if (code.startsWith('auth.')) return 'auth'
  if (code.startsWith('store.')) return 'store'
  return range.failure ?? 'model'
}

export async function jobOf(store: TenantStore, { outcome, job }: RangeRow): Promise<JobRow | undefined> {
  return outcome !== null || !isId('job', job) ? undefined : await store.job(job)
}

/**
 * The end of the longest prefix of settled ranges, going on from `from`. `ranges` are dense and in order; an entry in pieces is
 * done with its last. Law M50.
 */
export function settledTo(from: number, ranges: readonly { readonly row: RangeRow; readonly state: RangeState }[]): number {
  let end = from
  for (const { row, state } of ranges) {
    if (row.toSeq <= from) continue
    if (!settledStates.includes(state)) break
    if (row.piece === null || row.piece.last) end = Math.max(end, row.toSeq)
  }
  return end
}
