import { isObject, type SessionId } from '#kernel'
import type { SessionRow } from '#journal'
import type { Desk } from './desk.ts'
import type { Reads } from './find-route.ts'

/** What keeps a session from being left by itself. */
export interface Pin {
  readonly by: 'run' | 'job' | 'host'
  readonly since?: number
}

/** Work of memory and housekeeping goes on whoever speaks to whom. */
const unpinning = /^(session\.commit|archive\.|memory\.|state\.|store\.|gateway\.)/

/**
 * Work that goes on for a session: a run, a background job, or what the host says; what began longer ago than settings allow
 * does not count, a predicate that throws does. Law G33.
 */
export async function activeWork(desk: Desk, store: Reads, key: string, row: SessionRow | undefined): Promise<Pin | undefined> {
  const from = desk.now - desk.settings.activeWorkMaxAgeHours * 3_600_000
  const since = runningSince(row)
  if (since !== undefined && since >= from) return { by: 'run', since }
  if (row !== undefined) {
    const job = await openJob(store, row.id, from)
    if (job !== undefined) return { by: 'job', since: job }
  }
  return await hostWork(desk, key, from)
}

function runningSince(row: SessionRow | undefined): number | undefined {
  const running = row?.data['running']
  return isObject(running) && typeof running['since'] === 'number' ? running['since'] : undefined
}

async function openJob(store: Reads, session: SessionId, from: number): Promise<number | undefined> {
  const jobs = await store.jobs({ session, states: ['queued', 'running'], limit: 200 })
  return jobs.find(({ kind, createdAt }) => createdAt >= from && !unpinning.test(kind))?.createdAt
}

async function hostWork({ settings }: Desk, key: string, from: number): Promise<Pin | undefined> {
  if (settings.hasActiveWork === undefined) return undefined
  try {
    const said = await settings.hasActiveWork(key)
    if (said === true) return { by: 'host' }
    if (typeof said !== 'object' || said === null) return undefined
    return said.since >= from ? { by: 'host', since: said.since } : undefined
  } catch {
    return { by: 'host' }
  }
}
