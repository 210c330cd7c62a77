import { isSkeinError, SkeinError, type Timers, unlessAborted } from '#kernel'
import type { Change, JobRow } from '#journal'
import { afterFailure, errorInfo } from './job-outcome.ts'
import { jobSteps } from './job-steps.ts'
import type { WorkerParts } from './job-work.ts'

/**
 * One attempt from claim to its end in the store. Never rejects: what could not be written is found by the next claim.
 * `stop` ends it, and one that was aborted before lets nothing begin; `stopped` is aborted once the worker as a whole stops, so that
 * what fails by that counts as no attempt.
 */
export async function attemptJob(parts: WorkerParts, job: JobRow, stop: AbortController, stopped: AbortSignal): Promise<void> {
  const work = parts.works[job.kind]
  const store = parts.store.in(job.tenant)
  const claim = { job: job.id, fence: job.fence }
  const steps = jobSteps(store, job)
  const commit = (change: Change, effects: readonly Change[] = []): Promise<unknown> =>
    store.commit([{ type: 'require', that: { claim } }, ...effects, change])
  const cancelTimeout = work === undefined ? undefined : abortLate(parts.timers, stop, work.timeoutMs)
  try {
    stop.signal.throwIfAborted()
    parts.tell?.({ type: 'job_started', job })
    if (work === undefined) throw new Error(`No work for ${job.kind}.`)
    const { result = null, effects = [], ended } = await unlessAborted(work.run(job, stop.signal, steps.step), stop.signal)
    if (ended !== true) await commit({ type: 'complete', ...claim, result }, [...effects, ...steps.forget()])
    parts.tell?.({ type: 'job_ended', job: { ...job, state: 'done', result } })
  } catch (error) {
    if (isConflict(stop.signal.reason)) return
    const change: Change =
      stopped.aborted && isStopping(error, stopped) ? { type: 'release_job', ...claim } : afterFailure(job, error, parts.random)
    const written = await commit(change).then(
      () => true,
      () => false,
    )
    if (change.type === 'park' && written) tellParked(parts, job, error)
  } finally {
    cancelTimeout?.()
  }
}

const isConflict = (error: unknown): boolean => isSkeinError(error) && error.code === 'store.conflict'

/** What a job meets when what it stands on is closed under it. */
const closings: readonly string[] = ['session.closed', 'store.closed']

const isStopping = (error: unknown, stopped: AbortSignal): boolean =>
  error === stopped.reason || (isSkeinError(error) && closings.includes(error.code))

function abortLate(timers: Timers, stop: AbortController, timeoutMs: number): () => void {
  const late = (): void => stop.abort(new SkeinError('server.timeout', `The attempt took longer than ${timeoutMs} ms.`))
  return timers.after(timeoutMs, late)
}

function tellParked(parts: WorkerParts, job: JobRow, error: unknown): void {
  parts.tell?.({ type: 'job_parked', job })
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
