import { type JobWork, pollMs, startWorker, type Worker, type WorkerParts } from '#jobs'
import { type Clock, createIds, type Json, manualTimers } from '#kernel'
import type { Change, Enqueue, JobRow, Store } from '#journal'
import { expect } from 'vitest'

const newId = createIds()

/** A job of kind `work`, in a line of its own unless a key is given. */
export function enqueueOf(
  more: Partial<Enqueue['job']> = {},
  rest: Pick<Enqueue, 'uniqueKey' | 'runAfter'> = {},
): Enqueue & { readonly job: { readonly id: JobRow['id'] } } {
  const id = newId('job')
  return { type: 'enqueue', job: { id, kind: 'work', key: id, payload: null, maxAttempts: 5, ...more }, ...rest }
}

export const workOf = (run: JobWork['run']): JobWork => ({ schema: 1, timeoutMs: 60_000, run })

/** Enqueued in as many commits as it takes. */
export async function enqueueAll(store: Store, tenant: string, changes: readonly Change[]): Promise<void> {
  for (let at = 0; at < changes.length; at += 200) await store.in(tenant).commit(changes.slice(at, at + 200))
}

/** A worker whose polls and heartbeats come when the test rings them. */
export function workerOn(
  store: Store,
  clock: Clock,
  run: JobWork['run'],
  more: Partial<WorkerParts> = {},
): Worker & { readonly timers: ReturnType<typeof manualTimers>; look(): Promise<void>; rest(): Promise<void> } {
  const timers = manualTimers()
  const worker = startWorker({
    store,
    clock,
    random: { number: () => 1, bytes: target => target },
    owner: newId('own'),
    timers,
    works: { work: workOf(run) },
    concurrency: 1,
    ...more,
  })
  // While it looks for jobs and runs none, nothing is set.
  const rest = (): Promise<void> => expect.poll(() => timers.count).toBeGreaterThan(0)
  return {
    ...worker,
    timers,
    /** Resolves when it has looked and waits for the next poll, or runs something. */
    rest,
    /** Lets it look once more; what it claimed then is claimed in the store. */
    async look() {
      await rest()
      timers.ring(pollMs)
      await rest()
    },
  }
}

/** What a job's state is, read from the store itself. */
export const stateOf = async (store: Store, id: JobRow['id'], tenant = 'default'): Promise<JobRow['state'] | undefined> =>
  (await store.in(tenant).job(id))?.state

export const numbered = (job: JobRow): number => (job.payload as { n: number }).n

export const effectOf = (key: string, value: Json): Change => ({ type: 'put_record', collection: 'effect', key, value })
