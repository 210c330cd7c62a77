import type { JobWork } from '#jobs'
import { archiveJobs, type MemorySession, type openLearning, refreshKind, refreshWork } from '#memory'
import { compactDue, compactKind, eraseDue, eraseKind, type Runtime, sweepKind } from '#session'

/** What becomes of each kind of job. */
export function worksOf(parts: {
  readonly runtime: Runtime
  readonly learning: ReturnType<typeof openLearning>
  readonly archived: Parameters<typeof archiveJobs>[0]
  readonly refresh: Parameters<typeof refreshWork>[0]
  open(tenant: string, session: string): Promise<MemorySession>
  readonly gateway: Readonly<Record<string, JobWork>>
}): Readonly<Record<string, JobWork>> {
  const { store, clock, ids } = parts.runtime
  const erasing: JobWork = { schema: 1, timeoutMs: 60_000, run: job => eraseDue(store, clock, ids, job) }
  return {
    ...parts.learning.works,
    ...archiveJobs(parts.archived),
    ...parts.gateway,
    [refreshKind]: refreshWork(parts.refresh),
    [eraseKind]: erasing,
    [sweepKind]: erasing,
    [compactKind]: {
      schema: 1,
      timeoutMs: 30 * 60_000,
      run: (job, signal) => compactDue(job, async id => await (await parts.open(job.tenant, id)).prepareContext(signal)),
    },
  }
}
