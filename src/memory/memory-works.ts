import { isId, isObject, isSkeinError, type Json, type NewId, type SessionId, given } from '#kernel'
import type { Change, JobRow } from '#journal'
import type { JobEvent, JobWork } from '#jobs'
import { type Runtime, SessionCore } from '#session'
import { archiveText } from './archive-expand.ts'
import { type ArchiveWorks, summarizeDue } from './archive-job.ts'
import type { CommitCause } from './archive-row.ts'
import { commitSession, summarizeKind } from './commit.ts'
import { startSweep, type SweptPlace } from './commit-sweep.ts'
import { commitIfDue } from './commit-triggers.ts'
import { mergeDue } from './merge-job.ts'
import { mergeKind } from './merge-plan.ts'
import type { MemoryParts } from './memory-parts.ts'

export const commitKind = 'session.commit'

/** Seals a session in the background; one job of a session waits at a time. For rooms that can't wait, in their own commit. */
export function commitLater(ids: NewId, session: SessionId, cause: CommitCause, traceId?: string): Change {
  return {
    type: 'enqueue',
    job: {
      id: ids('job'),
      kind: commitKind,
      key: session,
      session,
      payload: { session, cause },
      maxAttempts: 3,
      ...given({ traceId }),
    },
    uniqueKey: session,
  }
}

interface Wired {
  readonly runtime: Runtime
  readonly parts: MemoryParts
  /** The core of an open session, so that what happens to it is told there. */
  core(tenant: string, session: SessionId): SessionCore | undefined
}

const causes: readonly CommitCause[] = ['manual', 'tokens', 'messages', 'age', 'idle', 'close', 'reset', 'expiry']

/** What the background does for archives: `session.commit`, `archive.summarize`, `archive.merge`. */
export function archiveJobs({ runtime, parts, core }: Wired): Record<string, JobWork> {
  const works: ArchiveWorks = { runtime, parts }
  const { store } = runtime
  return {
    [commitKind]: {
      schema: 1,
      timeoutMs: 30_000,
      run: async (job, signal) => ({ result: await commitJob(coreOf({ runtime, core }, job), parts, job, signal) }),
    },
    [summarizeKind]: {
      schema: 1,
      // An archiver has 60 s for each part of a range.
      timeoutMs: 120_000,
      run: (job, signal, step) => summarizeDue(works, store.in(job.tenant), job, signal, step),
    },
    [mergeKind]: { schema: 1, timeoutMs: 120_000, run: job => mergeDue(works, store.in(job.tenant), job) },
  }
}

function coreOf(
  { runtime, core }: Omit<Wired, 'parts'>,
  { tenant, session }: Pick<JobRow, 'tenant' | 'session'>,
): SessionCore | undefined {
  if (session === null) return undefined
  return core(tenant, session) ?? new SessionCore(session, runtime.store.in(tenant), runtime)
}

async function commitJob(core: SessionCore | undefined, parts: MemoryParts, job: JobRow, signal: AbortSignal): Promise<Json> {
  if (core === undefined) return { archived: false, reason: 'gone' }
  const asked = isObject(job.payload) ? job.payload['cause'] : undefined
  const cause = causes.find(one => one === asked) ?? 'manual'
  try {
    const result = await commitSession(core, parts, { cause, signal, ...given({ traceId: job.traceId ?? undefined }) })
    return result as unknown as Json
  } catch (error) {
    if (isSkeinError(error) && error.code === 'session.not_found') return { archived: false, reason: 'gone' }
    throw error
  }
}

/** Looks every 60 s for sessions that are due, in each store. Returns what ends it; where nothing is sealed by itself nothing is looked at. */
export function sweepCommits(wired: Wired, ...others: readonly Wired[]): () => void {
  const { runtime, parts } = wired
  if (!parts.settings.configured) return () => undefined
  return startSweep({
    places: [wired, ...others].map(sweptPlace),
    timers: runtime.timers,
    parts,
    now: () => runtime.clock.now(),
  })
}

const sweptPlace = ({ runtime, parts, core }: Wired): SweptPlace => ({
  store: runtime.store,
  check: async (tenant, session) => {
    const one = coreOf({ runtime, core }, { tenant, session })
    if (one !== undefined) await commitIfDue(one, parts)
  },
})

/** What a ref of an archive stands for. */
export const archiveRefs =
  (runtime: () => Pick<Runtime, 'counter'>): NonNullable<Runtime['refReaders']['archive']> =>
  (store, session, ref, view) =>
    archiveText(runtime(), store, session, ref, view)

/** Says to the events of an open session that rows of its archives changed. */
export function tellArchives(core: SessionCore | undefined, { type, job }: JobEvent): void {
  if (core === undefined || type !== 'job_ended' || !isObject(job.result)) return
  const { archive, state, by, sources } = job.result
  if (!isId('arc', archive)) return
  if (job.kind === summarizeKind && state === 'ready')
    core.live.emit({ type: 'archive_ready', session: core.id, archive, by: typeof by === 'string' ? by : '' })
  if (job.kind === mergeKind && Array.isArray(sources))
    core.live.emit({ type: 'archives_merged', session: core.id, archive, sources: sources.map(String) })
}
