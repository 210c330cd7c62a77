import { type Clock, isId, isObject, type Json, type SessionId } from '#kernel'
import type { Change, JobRow, Store } from '#journal'
import type { Runtime } from './runtime.ts'

export const eraseKind = 'store.erase'

/** A copy or import that was not finished after this long never will be. */
export const abandonedMs = 3_600_000

/** Looks again at a session then: erases it if it is still deleted or was never finished. */
export function eraseLater(runtime: Pick<Runtime, 'ids'>, session: SessionId, at: number): Change {
  return {
    type: 'enqueue',
    job: { id: runtime.ids('job'), kind: eraseKind, key: session, payload: { session }, maxAttempts: 20 },
    runAfter: at,
  }
}

/** The job's work: what is due goes for good, what was restored or is not due stays. */
export async function eraseDue(
  store: Store,
  clock: Clock,
  ids: Runtime['ids'],
  job: JobRow,
): Promise<{ result: Json; effects: Change[] }> {
  const session = isObject(job.payload) ? job.payload['session'] : undefined
  const row = isId('ses', session) ? await store.in(job.tenant).session(session) : undefined
  if (row === undefined) return { result: { erased: false }, effects: [] }
  const deleted = row.data['deleted']
  const until = isObject(deleted) && typeof deleted['until'] === 'number' ? deleted['until'] : 0
  if (row.state === 'deleted' && until > clock.now())
    return { result: { erased: false }, effects: [eraseLater({ ids }, row.id, until)] }
  const unfinished = row.hidden && row.lease.until < clock.now()
  if (row.state !== 'deleted' && !unfinished) return { result: { erased: false }, effects: [] }
  return { result: { erased: true }, effects: [{ type: 'erase_session', session: row.id }] }
}
