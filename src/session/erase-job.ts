import { type Clock, given, isId, isObject, type Json, type SessionId } from '#kernel'
import type { Change, JobRow, Store } from '#journal'
import { forgetSession } from './forget-session.ts'
import type { Runtime } from './runtime.ts'

export const eraseKind = 'store.erase'
/** Housekeeping: nobody asked for it, so lists leave it out. */
export const sweepKind = 'store.sweep'

/** A copy or import that was not finished after this long never will be. */
const abandonedMs = 3_600_000

/** Looks again at a deleted session then, and erases it if it is still deleted. */
export function eraseLater(runtime: Pick<Runtime, 'ids'>, session: SessionId, at: number, traceId?: string): Change {
  return look(runtime, eraseKind, session, at, traceId)
}

/** Looks again at a copy or import in an hour, and erases it if it was never finished. */
export function sweepLater(runtime: Pick<Runtime, 'ids' | 'clock'>, session: SessionId, traceId?: string): Change {
  return look(runtime, sweepKind, session, runtime.clock.now() + abandonedMs, traceId)
}

/** Looks at once for what was learnt from a session that was erased. */
export const afterErased = (runtime: Pick<Runtime, 'ids'>, now: number, session: SessionId): Change =>
  look(runtime, sweepKind, session, now)

function look(runtime: Pick<Runtime, 'ids'>, kind: string, session: SessionId, runAfter: number, traceId?: string): Change {
  const job = { id: runtime.ids('job'), kind, key: session, payload: { session }, maxAttempts: 20, ...given({ traceId }) }
  return { type: 'enqueue', job, runAfter }
}

/** The work of both: what is due goes for good, what was restored or is not due stays. */
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
    return { result: { erased: false }, effects: [eraseLater({ ids }, row.id, until, job.traceId ?? undefined)] }
  const unfinished = row.hidden && row.lease.until < clock.now()
  if (row.state !== 'deleted' && !unfinished) return { result: { erased: false }, effects: [] }
  const forgotten = await forgetSession(store.in(job.tenant), row.id)
  return {
    result: { erased: true },
    effects: [{ type: 'erase_session', session: row.id }, ...forgotten, afterErased({ ids }, clock.now(), row.id)],
  }
}
