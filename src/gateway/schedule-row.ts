import { given, type Id, type Json, type NewId } from '#kernel'
import type { Change, RecordRow, TenantStore } from '#journal'
import { nextCron } from './cron.ts'
import type { Source } from './source.ts'

/** Something that a model is asked at set times, in a session of its own. Exactly one of `cron`, `everyMs` and `at` is there. */
export interface Schedule {
  readonly id: Id<'sch'>
  readonly name: string
  /** Five to seven fields, by the wall clock of `zone`. */
  readonly cron?: string
  readonly everyMs?: number
  /** Once. */
  readonly at?: number
  readonly zone: string
  readonly prompt: string
  /** A target; `origin` is where the schedule was asked for. */
  readonly deliver: string
  readonly origin?: Source
  /** The user of its sessions. */
  readonly owner?: string
  readonly enabled: boolean
  /** Whether a time that was missed is made up for, once. */
  readonly catchUp: 'one' | 'none'
  /** `null` where it fires no more. */
  readonly nextAt: number | null
  readonly last?: Firing
  readonly createdAt: number
}

/** What became of a schedule's last time. */
export interface Firing {
  readonly at: number
  readonly state: 'fired' | 'missed' | 'unauthorized'
  /** By which its session can be opened; it is made when the model is asked. */
  readonly session?: string
}

export interface StoredSchedule {
  readonly row: Schedule
  readonly version: number
}

export const scheduleCollection = 'gateway.schedule'
export const fireKind = 'gateway.fire'
/** Who is later than this has missed a time. Milliseconds. */
const lateMs = 60_000

type Times = Pick<Schedule, 'cron' | 'everyMs' | 'at' | 'zone'>

/** The first time after `now` of a schedule that was due at `from`, or begins there. Pure. */
export function timeAfter({ cron, everyMs, zone }: Times, from: number, now: number): number | null {
  if (cron !== undefined) return nextCron(cron, zone, Math.max(from, now))
  if (everyMs === undefined) return null
  return from + everyMs * Math.max(1, Math.floor((now - from) / everyMs) + 1)
}

/** Whether nobody was there at the time: another has come since, or a minute has passed. Pure. */
export function isMissed(schedule: Times, at: number, now: number): boolean {
  const next = timeAfter(schedule, at, at)
  return now - at > lateMs || (next !== null && next <= now)
}

/** How the session of a time is called, so that a second attempt finds the first one's. */
export const sessionAlias = (id: string, at: number): string => `schedule-${id.slice('sch_'.length)}-${at}`

export function putSchedule(row: Schedule, version: number): Change {
  return {
    type: 'put_record',
    collection: scheduleCollection,
    key: row.id,
    value: given(row) as unknown as Json,
    tags: [row.enabled ? 'enabled' : 'disabled'],
    sort: row.createdAt,
    expectVersion: version,
  }
}

/** The job of the schedule's next time: one for each time, and those of one schedule one after the other. Law G80. */
export function fireLater(ids: NewId, { id, enabled, nextAt }: Schedule): Change[] {
  if (!enabled || nextAt === null) return []
  return [
    {
      type: 'enqueue',
      job: {
        id: ids('job'),
        kind: fireKind,
        key: id,
        payload: { schedule: id, at: nextAt },
        maxAttempts: 3,
        parkedBlocks: false,
      },
      uniqueKey: `${id} ${nextAt}`,
      runAfter: nextAt,
    },
  ]
}

export async function scheduleRow(store: TenantStore, id: string): Promise<StoredSchedule | undefined> {
  const record = await store.record(scheduleCollection, id)
  return record === undefined ? undefined : storedSchedule(record)
}

export function storedSchedule({ value, version }: Pick<RecordRow, 'value' | 'version'>): StoredSchedule {
  return { row: value as unknown as Schedule, version }
}
