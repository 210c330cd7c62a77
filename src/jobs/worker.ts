import {
  type Clock,
  every,
  isSkeinError,
  type Json,
  type Random,
  type SessionId,
  type Timers,
  unlessAborted,
  within,
} from '#kernel'
import type { Change, JobRow, Store } from '#journal'
import { afterFailure, errorInfo } from './job-outcome.ts'

export const jobLeaseMs = 15_000
export const heartbeatMs = 5_000
export const pollMs = 1_000

/** What a job did: its answer, and changes that land in the commit that completes it, or not at all. */
export interface JobDone {
  readonly result?: Json
  readonly effects?: readonly Change[]
}

/** Does one kind of job. A throw is a failed attempt; the signal is aborted when the worker stops or loses the job. */
export interface JobWork {
  /** The newest payload version that it knows. */
  readonly schema: number
  /** Milliseconds that one attempt may take. */
  readonly timeoutMs: number
  run(job: JobRow, signal: AbortSignal): Promise<JobDone>
}

export interface WorkerParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly owner: string
  readonly timers: Timers
  readonly works: Readonly<Record<string, JobWork>>
  /** How many jobs at once; default 4. */
  readonly concurrency?: number
  notice?(notice: {
    readonly level: 'warn' | 'error'
    readonly code: string
    readonly message: string
    readonly job: JobRow['id']
    readonly session?: SessionId
    readonly tenant: string
    readonly traceId?: string
  }): void
}

/** Claims and runs jobs until it is stopped. Polling is the truth; `wake` only makes it look sooner. */
export interface Worker {
  wake(): void
  /** Claims no more, gives running jobs `waitMs`, releases the rest with their attempt uncounted. */
  stop(waitMs: number): Promise<void>
}

export function startWorker(parts: WorkerParts): Worker {
  const kinds = Object.fromEntries(Object.entries(parts.works).map(([kind, work]) => [kind, work.schema]))
  const running = new Map<JobRow['id'], { readonly done: Promise<void>; readonly abort: (reason: Error) => void }>()
  const released = new Error('The worker stops.')
  let stopping = false
  let looking: Promise<void> | undefined
  let cancelPoll = (): void => undefined

  const look = async (): Promise<void> => {
    cancelPoll()
    try {
      while (!stopping && running.size < (parts.concurrency ?? 4)) {
        const job = await parts.store.claim(kinds, parts.owner, jobLeaseMs)
        if (job === undefined) break
        begin(job)
      }
    } catch {
      // The store is away; the next poll asks again.
    }
    if (!stopping) cancelPoll = parts.timers.after(pollMs, wake)
  }
  const wake = (): void => {
    if (stopping) return
    looking ??= look().finally(() => (looking = undefined))
  }
  const begin = (job: JobRow): void => {
    const stop = new AbortController()
    const done = attempt(parts, job, stop, released).finally(() => {
      running.delete(job.id)
      wake()
    })
    running.set(job.id, { done, abort: reason => stop.abort(reason) })
  }
  wake()

  return {
    wake,
    async stop(waitMs) {
      stopping = true
      cancelPoll()
      await looking
      const all = Promise.all([...running.values()].map(({ done }) => done))
      await within(parts.timers, waitMs, all, () => undefined)
      for (const { abort } of running.values()) abort(released)
      await all
    },
  }
}

/** One attempt from claim to its end in the store. Never rejects: what could not be written is found by the next claim. */
async function attempt(parts: WorkerParts, job: JobRow, stop: AbortController, released: Error): Promise<void> {
  const work = parts.works[job.kind]
  const store = parts.store.in(job.tenant)
  const claim = { job: job.id, fence: job.fence }
  const stopBeating = heartbeat(parts, job, stop)
  const commit = (change: Change, effects: readonly Change[] = []): Promise<unknown> =>
    store.commit([{ type: 'require', that: { claim } }, ...effects, change])
  try {
    if (work === undefined) throw new Error(`No work for ${job.kind}.`)
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(work.timeoutMs)])
    const { result = null, effects = [] } = await unlessAborted(work.run(job, signal), signal)
    await commit({ type: 'complete', ...claim, result }, effects)
  } catch (error) {
    const lost = isSkeinError(error) && error.code === 'store.conflict' && stop.signal.aborted
    if (lost) return
    const change: Change =
      stop.signal.aborted && stop.signal.reason === released
        ? { type: 'release_job', ...claim }
        : afterFailure(job, error, parts.clock.now(), parts.random)
    await commit(change).catch(() => undefined)
    if (change.type === 'park') {
      parts.notice?.({
        level: 'error',
        code: errorInfo(error).code,
        message: `Job ${job.id} (${job.kind}) is parked after ${job.attempts} attempts.`,
        job: job.id,
        tenant: job.tenant,
        ...(job.session === null ? {} : { session: job.session }),
        ...(job.traceId === null ? {} : { traceId: job.traceId }),
      })
    }
  } finally {
    stopBeating()
  }
}

function heartbeat(parts: WorkerParts, job: JobRow, stop: AbortController): () => void {
  return every(parts.timers, heartbeatMs, () => {
    parts.store.heartbeat(job, jobLeaseMs).catch((error: unknown) => {
      if (isSkeinError(error) && error.code === 'store.conflict') stop.abort(error)
    })
  })
}
