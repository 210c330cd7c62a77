import { SkeinError } from '#kernel'
import type { Enqueue, JobClaim, RedriveJob, Results } from './change.ts'
import { conflict } from './refusal.ts'
import type { CommitContext, Rows } from './rows.ts'
import type { JobRow } from './store.ts'

interface Turn extends CommitContext {
  readonly index: number
}

export function enqueue(rows: Rows, change: Enqueue, turn: Turn): Results['enqueue'] {
  const { job } = change
  const queued = change.uniqueKey === undefined ? undefined : rows.uniqueJob(job.kind, change.uniqueKey)
  const existing = queued ?? rows.job(job.id)
  if (existing !== undefined) return { job: existing.id, existing: true }
  rows.putJob({
    id: job.id,
    tenant: turn.tenant,
    kind: job.kind,
    key: job.key,
    uniqueKey: change.uniqueKey ?? null,
    session: job.session ?? null,
    state: 'queued',
    payload: job.payload,
    schema: job.schema ?? 1,
    attempts: 0,
    maxAttempts: job.maxAttempts,
    parkedBlocks: job.parkedBlocks ?? false,
    runAfter: change.runAfter ?? turn.now,
    leaseUntil: 0,
    owner: null,
    fence: 0,
    traceId: job.traceId ?? null,
    result: null,
    lastError: null,
    createdAt: turn.now,
    startedAt: null,
    endedAt: null,
  })
  return { job: job.id, existing: false }
}

/** The job, if the claim is its newest. */
export function claimed(rows: Rows, claim: JobClaim, turn: Turn): JobRow {
  const job = rows.job(claim.job)
  if (job === undefined) throw new SkeinError('job.not_found', `There is no job ${claim.job}.`, { details: { job: claim.job } })
  if (job.state !== 'running' || job.fence !== claim.fence) {
    throw conflict(turn, { state: 'running', fence: claim.fence }, { state: job.state, fence: job.fence })
  }
  return job
}

/** Ends the current attempt. */
export function endJob(rows: Rows, claim: JobClaim, turn: Turn, to: Partial<JobRow>, attempts = 0): { job: JobRow['id'] } {
  const job = claimed(rows, claim, turn)
  rows.putJob({ ...job, ...to, attempts: job.attempts + attempts, owner: null, leaseUntil: 0 })
  return { job: job.id }
}

export function redrive(rows: Rows, change: RedriveJob, turn: Turn): Results['redrive'] {
  const job = rows.job(change.job)
  if (job === undefined) throw new SkeinError('job.not_found', `There is no job ${change.job}.`, { details: { job: change.job } })
  if (job.state !== 'parked')
    throw new SkeinError('job.wrong_state', `Job ${job.id} is ${job.state}, not parked.`, {
      details: { job: job.id, state: job.state },
    })
  rows.putJob(
    change.action === 'retry'
      ? { ...job, state: 'queued', attempts: 0, runAfter: turn.now, endedAt: null }
      : {
          ...job,
          state: 'skipped',
          endedAt: turn.now,
          result: null,
          lastError: change.reason === undefined ? job.lastError : { code: 'job.skipped', message: change.reason },
        },
  )
  return { job: job.id }
}
