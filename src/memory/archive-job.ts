import { isId, isObject, type Json, messageOf, SkeinError } from '#kernel'
import {
  type Change,
  type Entry,
  fullUsage,
  headEffect,
  type JobRow,
  type Message,
  type SessionRow,
  type TenantStore,
} from '#journal'
import type { JobDone, JobStep } from '#jobs'
import { draft, placeDrafts } from '#session'
import type { Runtime } from '#session'
import { anchorText, rangeMessages, withCounts } from './archive-messages.ts'
import { archiveData, type StoredArchive, storedArchive } from './archive-row.ts'
import { type Paid, writeArchive } from './archive-write.ts'
import type { Archiver, ArchiveTexts } from './archiver.ts'
import type { MemoryParts } from './memory-parts.ts'
import { mergeLater, readyAfter } from './merge-plan.ts'
import { measureQuality, type Quality, type QualityInput } from './quality.ts'

/** What writing archives stands on. `measure` may be another one's. */
export interface ArchiveWorks {
  readonly runtime: Runtime
  readonly parts: MemoryParts
  measure?(input: QualityInput): Quality
}

/** Makes a sealed archive ready: overview, abstract, quality and the job's end are one transaction. Laws M20–M25. */
export async function summarizeDue(
  works: ArchiveWorks,
  store: TenantStore,
  job: JobRow,
  signal: AbortSignal,
  step: JobStep,
): Promise<JobDone> {
  const { runtime, parts } = works
  const row = await archiveIn(store, job)
  const session = row === undefined ? undefined : await store.session(row.session)
  if (row === undefined || session === undefined) return { result: { state: 'gone' } }
  if (row.data.state !== 'sealed') return { result: { state: row.data.state } }
  const core = { id: row.session, store }
  const range = await rangeMessages(core, row.fromSeq, row.data.endEntry)
  const all = (await store.archives(row.session)).map(storedArchive)
  const previous = await previousOf(store, all, row)
  const archiver = await parts.archiver().catch(missing)
  const { counter, timers } = runtime
  const written = await writeArchive(archiver, range, previous, { counter, timers, signal, step })
  if (written.why !== undefined) tellFallback(works, store, row, written.why)
  const { overview, abstract, by, why, paid } = written
  const quality =
    parts.settings.quality === 'off'
      ? undefined
      : qualityOf(works, range, { overview: written.asWritten, abstract: written.abstract }, previous)
  const data = {
    ...withCounts(row, range).data,
    state: 'ready' as const,
    overview,
    abstract,
    by,
    ...(why === undefined ? {} : { why }),
    ...(quality !== undefined && parts.settings.quality === 'archive' ? { quality } : {}),
  }
  const { id, fromSeq, toSeq, children, version } = row
  const effects: Change[] = [
    { type: 'put_archive', id, session: row.session, fromSeq, toSeq, children, data: archiveData(data), expectVersion: version },
    ...usageEntries(runtime, session, paid),
    ...(readyAfter(all, row.id, parts.settings) ? [mergeLater(runtime.ids, row.session, row.data.traceId)] : []),
  ]
  const result: Json = {
    state: 'ready',
    archive: row.id,
    by,
    ...(why === undefined ? {} : { why }),
    ...(quality === undefined ? {} : { quality: { ...quality } }),
  }
  return { result, effects }
}

async function archiveIn(store: TenantStore, job: JobRow): Promise<StoredArchive | undefined> {
  const id = isObject(job.payload) ? job.payload['archive'] : undefined
  const row = isId('arc', id) ? await store.archive(id) : undefined
  return row === undefined ? undefined : storedArchive(row)
}

/** Overview and abstract of the newest ready archive before the range on its branch. Law M20. */
async function previousOf(store: TenantStore, all: readonly StoredArchive[], row: StoredArchive): Promise<ArchiveTexts> {
  const earlier = all.filter(other => other.data.state === 'ready' && other.toSeq < row.fromSeq).sort((a, b) => b.toSeq - a.toSeq)
  const ends = new Map(earlier.map(other => [other.data.endEntry as string, other]))
  const least = Math.min(...earlier.map(({ toSeq }) => toSeq))
  for (let from = row.data.before; from !== null && ends.size > 0;) {
    const page: readonly Entry[] = await store.branch(row.session, { from, limit: 200 })
    for (const entry of page) {
      const found = ends.get(entry.id)
      if (found !== undefined) return { overview: found.data.overview, abstract: found.data.abstract }
    }
    const last = page.at(-1)
    from = page.length < 200 || last === undefined || last.seq < least ? null : last.parentId
  }
  return { overview: '', abstract: '' }
}

function qualityOf(
  { runtime, measure = measureQuality }: ArchiveWorks,
  range: readonly Entry<string, Message>[],
  { overview, abstract }: ArchiveTexts,
  previous: ArchiveTexts,
): Quality | undefined {
  try {
    return measure({
      range: anchorText(range),
      rangeTokens: range.reduce((sum, { tokens = 0 }) => sum + tokens, 0),
      overview,
      textTokens: runtime.counter.count(overview) + runtime.counter.count(abstract),
      previousOverview: previous.overview,
    })
  } catch {
    return undefined
  }
}

/** What archivers were paid for, as entries that need no lease. */
function usageEntries({ ids, clock }: Runtime, row: SessionRow, paid: readonly Paid[]): Change[] {
  if (paid.length === 0) return []
  const drafts = paid.map(({ usage, cost, model }) =>
    draft(
      'usage_recorded',
      { requestId: ids('req'), purpose: 'archive', model, entry: null, usage: fullUsage(usage), cost, outcome: 'done' },
      { by: 'job' },
    ),
  )
  const entries = placeDrafts(drafts, row, clock.now(), ids)
  return [{ type: 'append', session: row.id, entries, head: headEffect(entries, row) }]
}

function tellFallback({ runtime }: ArchiveWorks, store: TenantStore, row: StoredArchive, why: string): void {
  runtime.notice({
    level: 'warn',
    code: 'archive.fallback',
    message: `Archive ${row.id} was written without its archiver: ${why}.`,
    session: row.session,
    tenant: store.tenant,
    ...(row.data.job === null ? {} : { job: row.data.job }),
    ...(row.data.traceId === undefined ? {} : { traceId: row.data.traceId }),
  })
}

/** An archiver that can't be had is one that throws. */
function missing(error: unknown): Archiver {
  const known = error instanceof SkeinError ? error : new SkeinError('provider.unavailable', messageOf(error))
  return { id: 'missing', write: () => Promise.reject(known) }
}
