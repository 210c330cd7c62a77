import { every, isSkeinError, within } from '#kernel'
import type { JobRow } from '#journal'
import { attemptJob } from './attempt.ts'
import type { WorkerParts } from './job-work.ts'

export const jobLeaseMs = 15_000
export const heartbeatMs = 5_000
export const pollMs = 1_000

/** Claims and runs jobs until it is stopped. Polling is the truth; `wake` only makes it look sooner. Law Q10. */
export interface Worker {
  wake(): void
  /** Claims no more, gives running jobs `waitMs`, releases the rest with their attempt uncounted. Law Q15. */
  stop(waitMs: number): Promise<void>
}

/** How long what is released may take to be written. */
const releaseMs = 500

interface Going {
  readonly done: Promise<void>
  readonly stop: AbortController
}

export function startWorker(parts: WorkerParts): Worker {
  const { store, timers, owner, works } = parts
  const kinds = Object.fromEntries(Object.entries(works).map(([kind, work]) => [kind, work.schema]))
  const running = new Map<JobRow['id'], Going>()
  const stopped = new AbortController()
  /** Whether the time of what runs is over, too: what a claim that was under way still takes is given back unbegun. */
  let isOver = false
  let looking: Promise<void> | undefined
  let again = false
  let cancelPoll = (): void => undefined

  const claimAll = async (): Promise<void> => {
    while (!stopped.signal.aborted && running.size < (parts.concurrency ?? 4)) {
      const job = await store.claim(kinds, owner, jobLeaseMs)
      if (job === undefined) return
      begin(job)
    }
  }
  const look = async (): Promise<void> => {
    cancelPoll()
    do {
      again = false
      // The store may be away; the next poll asks again.
      await claimAll().catch(() => undefined)
    } while (again && !stopped.signal.aborted)
    looking = undefined
    if (!stopped.signal.aborted) cancelPoll = timers.after(pollMs, wake)
  }
  const wake = (): void => {
    if (stopped.signal.aborted) return
    again = true
    looking ??= look()
  }
  const begin = (job: JobRow): void => {
    const stop = new AbortController()
    if (isOver) stop.abort(stopped.signal.reason)
    const stopBeating = heartbeat(parts, job, stop)
    const done = attemptJob(parts, job, stop, stopped.signal).finally(() => {
      stopBeating()
      running.delete(job.id)
      wake()
    })
    running.set(job.id, { done, stop })
  }
  const allDone = (): Promise<unknown> => Promise.all([...running.values()].map(({ done }) => done))
  wake()

  return {
    wake,
    async stop(waitMs) {
      stopped.abort()
      cancelPoll()
      const ended = async (): Promise<void> => {
        await looking
        await allDone()
      }
      await within(timers, waitMs, ended(), () => undefined)
      isOver = true
      for (const { stop } of running.values()) stop.abort(stopped.signal.reason)
      await within(timers, releaseMs, ended(), () => undefined)
    },
  }
}

function heartbeat({ timers, store }: WorkerParts, job: JobRow, stop: AbortController): () => void {
  return every(timers, heartbeatMs, () => {
    store.heartbeat(job, jobLeaseMs).catch((error: unknown) => {
      if (isSkeinError(error) && error.code === 'store.conflict') stop.abort(error)
    })
  })
}
