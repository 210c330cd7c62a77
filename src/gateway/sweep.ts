import { given, isSkeinError, messageOf } from '#kernel'
import type { JobEvent } from '#jobs'
import type { Change } from '#journal'
import { commitKind } from '#memory'
import type { Desk, Front } from './desk.ts'
import { finalizeRoutes, finishFinalizing, finishOne } from './finalize.ts'
import { hasWaiting } from './list-messages.ts'
import { pruneRoutes } from './prune.ts'

export const gatewaySweepKind = 'gateway.sweep'
/** When the first sweep comes after opening, and how far apart the next ones are. Milliseconds. */
const firstMs = 60_000
const betweenMs = 300_000
const hourMs = 3_600_000
const marks = 'gateway.swept'

/** One round of a tenant's maintenance; hourly, where it was asked for, routes that were quiet for too long go. Law G84. */
export async function sweepGateway(front: Front): Promise<{ readonly finalized: number; readonly pruned: number }> {
  await finishFinalizing(front)
  const finalized = await finalizeRoutes(front)
  return { finalized, pruned: await pruneHourly(front) }
}

async function pruneHourly(front: Front): Promise<number> {
  const { store, desk } = front
  const { pruneDays } = desk.settings
  if (!(pruneDays > 0)) return 0
  const mark = await store.record(marks, 'prune')
  const last = typeof mark?.value === 'number' ? mark.value : -Infinity
  if (desk.now - last < hourMs && last <= desk.now) return 0
  const change: Change = {
    type: 'put_record',
    collection: marks,
    key: 'prune',
    value: desk.now,
    expectVersion: mark?.version ?? 0,
  }
  try {
    await store.commit([change])
  } catch (error) {
    // Another process does.
    if (isSkeinError(error) && error.code === 'store.conflict') return 0
    throw error
  }
  return await pruneRoutes(front, pruneDays, { isWaiting: key => hasWaiting(front, key) })
}

/** Asks for a sweep of each tenant that has routes: a minute after opening, then every five. Returns what ends it. */
export function sweepRegularly(desk: Desk, frontOf: (tenant: string) => Front): () => void {
  const { timers, store, ids } = desk.runtime
  let cancel = (): void => undefined
  let over = false
  const ask = async (): Promise<void> => {
    for (const tenant of await store.tenants()) {
      if (tenant.startsWith('_') || over) continue
      const own = frontOf(tenant).store
      if ((await own.routes({ limit: 1 })).items.length === 0) continue
      const job = { id: ids('job'), kind: gatewaySweepKind, key: tenant, payload: null, maxAttempts: 3, parkedBlocks: false }
      await own.commit([{ type: 'enqueue', job, uniqueKey: tenant }])
    }
  }
  const next = (ms: number): void => {
    cancel = timers.after(ms, () => {
      ask()
        .catch(error => tellFailed(desk, error))
        .finally(() => {
          if (!over) next(betweenMs)
        })
    })
  }
  next(firstMs)
  return () => {
    over = true
    cancel()
  }
}

/** What fails is seen to by the next sweep. */
function tellFailed({ runtime }: Desk, error: unknown, tenant?: string): void {
  const code = isSkeinError(error) ? error.code : 'skein.bug'
  const message = `The gateway's upkeep could not be done; it is tried again in five minutes: ${messageOf(error)}`
  runtime.notice({ level: 'error', code, message, ...given({ tenant }) })
}

/** What the end of a job means for routes: a session that was let go of is sealed. */
export function tellGateway(frontOf: (tenant: string) => Front, { type, job }: JobEvent): void {
  if (type !== 'job_ended' || job.kind !== commitKind || job.session === null) return
  const front = frontOf(job.tenant)
  finishOne(front, job.session).catch(error => tellFailed(front.desk, error, job.tenant))
}
