import type { JobWork } from '#jobs'
import { isId, isObject, type SessionId } from '#kernel'
import {
  archiveJobs,
  eraseMemoryKind,
  eraseWork,
  forgetLearnt,
  type MemorySession,
  type openLearning,
  refreshKind,
  refreshWork,
} from '#memory'
import { compactDue, compactKind, type Erased, eraseDue, eraseKind, type Runtime, sweepKind } from '#session'

/** What becomes of each kind of job. */
export function worksOf(parts: {
  readonly runtime: Runtime
  readonly learning: ReturnType<typeof openLearning>
  readonly archived: Parameters<typeof archiveJobs>[0]
  readonly refresh: Parameters<typeof refreshWork>[0]
  eraseSession(tenant: string, session: SessionId): Promise<Erased>
  open(tenant: string, session: string): Promise<MemorySession>
  readonly gateway: Readonly<Record<string, JobWork>>
}): Readonly<Record<string, JobWork>> {
  const { store, clock, ids } = parts.runtime
  const erasing: JobWork = {
    schema: 1,
    timeoutMs: 60_000,
    run: async job => {
      const session = isObject(job.payload) ? job.payload['session'] : undefined
      // One that is gone by now was erased; what was learnt from it is still to go.
      if (isId('ses', session) && (await store.in(job.tenant).session(session)) === undefined)
        await forgetLearnt(store.in(job.tenant), session)
      return await eraseDue(store, clock, ids, job)
    },
  }
  return {
    ...parts.learning.works,
    ...archiveJobs(parts.archived),
    ...parts.gateway,
    [refreshKind]: refreshWork(parts.refresh),
    [eraseMemoryKind]: eraseWork({ runtime: parts.runtime, eraseSession: (tenant, id) => parts.eraseSession(tenant, id) }),
    [eraseKind]: erasing,
    [sweepKind]: erasing,
    [compactKind]: {
      schema: 1,
      timeoutMs: 30 * 60_000,
      run: (job, signal) => compactDue(job, async id => await (await parts.open(job.tenant, id)).prepareContext(signal)),
    },
  }
}
