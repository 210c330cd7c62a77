import { given, isObject, type JobId, parseSessionRef, type SessionId } from '#kernel'
import type { JobRow, TenantStore, Usage } from '#journal'
import {
  activeTag,
  type Applied,
  type EntryPiece,
  type Failure,
  failureOf,
  type Fault,
  jobOf,
  rangeCollection,
  rangeOf,
  type RangeRow,
  type RangeState,
  stateOf,
} from './ranges.ts'

/** A range of a session that is or was learnt from. Times in epoch milliseconds, cost in nano-dollars (`null`: unknown). */
export interface Range {
  readonly id: string
  readonly session: SessionId
  /** Name and version, such as `rules@1`. */
  readonly extractor: string
  readonly fromSeq: number
  readonly toSeq: number
  /** Of one entry that is too large for one range: from where to where in its text. */
  readonly piece?: EntryPiece
  readonly state: RangeState
  /** Why it was skipped. */
  readonly reason?: string
  /** Why the newest attempt failed. */
  readonly failure?: Failure
  readonly attempts: number
  readonly usage: Usage | null
  readonly cost: number | null
  readonly model: string | null
  readonly promptHash: string | null
  readonly counts: {
    readonly candidates: number
    readonly applied: number
    readonly belowThreshold: number
    readonly rejected: number
  }
  readonly belowThreshold: number
  readonly applied: readonly Applied[]
  readonly rejected: readonly Fault[]
  /** Relations that were not heeded. */
  readonly ignored: readonly Fault[]
  readonly job: JobId | null
  readonly lastError?: { readonly code: string; readonly message: string }
  readonly createdAt: number
  readonly endedAt: number | null
}

export interface RangesFilter {
  /** By id or alias. */
  readonly session?: string
  readonly state?: RangeState
  /** By name, without the version. */
  readonly extractor?: string
  /** Those that a rewind has replaced, too. */
  readonly all?: boolean
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
}

/** One page, in the order of the journal. `fits` says whose may be seen. */
export async function pageOfRanges(
  store: TenantStore,
  filter: RangesFilter,
  now: number,
  fits: (row: RangeRow) => Promise<boolean>,
): Promise<{ readonly items: readonly Range[]; readonly next?: string }> {
  const { state, extractor, all = false, limit = 50 } = filter
  const ref = filter.session === undefined ? undefined : parseSessionRef(filter.session, 'session')
  const session = typeof ref === 'object' ? (await store.session(ref))?.id : ref
  if (ref !== undefined && session === undefined) return { items: [] }
  const found: Range[] = []
  for (let { cursor } = filter; ;) {
    const page = await store.records(rangeCollection, {
      limit: limit - found.length,
      ...given({ cursor, tag: session ?? (all ? undefined : activeTag) }),
    })
    for (const record of page.items) {
      const { row } = rangeOf(record)
      if (!all && !record.tags.includes(activeTag)) continue
      if ((extractor !== undefined && row.extractor !== extractor) || !(await fits(row))) continue
      const range = viewOf(row, await jobOf(store, row), now)
      if (state === undefined || range.state === state) found.push(range)
    }
    if (page.next === undefined) return { items: found }
    if (found.length >= limit) return { items: found, next: page.next }
    cursor = page.next
  }
}

function viewOf(row: RangeRow, job: JobRow | undefined, now: number): Range {
  const { outcome, spent } = row
  const failure = failureOf(row, job)
  const state = stateOf(row, job, now)
  const reason = outcome?.reason ?? (state === 'skipped' ? 'given_up' : undefined)
  return {
    id: row.id,
    session: row.session,
    extractor: `${row.extractor}@${row.version}`,
    fromSeq: row.fromSeq,
    toSeq: row.toSeq,
    ...given({ piece: row.piece ?? undefined }),
    state,
    ...given({ reason, failure: failure ?? undefined }),
    attempts: outcome?.attempts ?? job?.attempts ?? 0,
    usage: spent.usage,
    cost: spent.cost,
    model: spent.model,
    promptHash: spent.promptHash,
    counts: {
      candidates: outcome?.candidates ?? 0,
      applied: outcome?.applied.length ?? 0,
      belowThreshold: outcome?.belowThreshold ?? 0,
      rejected: outcome?.rejected.length ?? 0,
    },
    belowThreshold: outcome?.belowThreshold ?? 0,
    applied: outcome?.applied ?? [],
    rejected: outcome?.rejected ?? [],
    ignored: outcome?.ignored ?? [],
    job: row.job,
    ...(isObject(job?.lastError) ? { lastError: job.lastError as unknown as NonNullable<Range['lastError']> } : {}),
    createdAt: row.createdAt,
    endedAt: outcome?.at ?? job?.endedAt ?? null,
  }
}
