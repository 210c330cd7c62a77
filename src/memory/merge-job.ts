import { isId, isObject } from '#kernel'
import type { JobRow, TenantStore } from '#journal'
import type { JobDone } from '#jobs'
import type { ArchiveWorks } from './archive-job.ts'
import { storedArchive } from './archive-row.ts'
import { mergeChanges, planMerge } from './merge-plan.ts'

/** Puts the oldest archives behind one parent, if there are too many by now. One transaction. Laws M29–M32. */
export async function mergeDue({ runtime, parts }: ArchiveWorks, store: TenantStore, job: JobRow): Promise<JobDone> {
  const session = isObject(job.payload) ? job.payload['session'] : undefined
  if (!isId('ses', session) || (await store.session(session)) === undefined) return { result: { merged: false, reason: 'gone' } }
  const all = (await store.archives(session)).map(storedArchive)
  const plan = planMerge(all, parts.settings, runtime.clock.now())
  if (!plan.merge) return { result: { merged: false, reason: plan.reason } }
  const id = runtime.ids('arc')
  const sources = plan.sources.map(source => source.id)
  return { result: { merged: true, archive: id, sources }, effects: mergeChanges(session, id, plan) }
}
