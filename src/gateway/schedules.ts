import {
  aFlag,
  anything,
  aText,
  given,
  invalidInput,
  isObject,
  messageOf,
  oneOf,
  parseId,
  shape,
  SkeinError,
  wholeNumber,
} from '#kernel'
import type { Page } from '#journal'
import type { Front } from './desk.ts'
import { retried } from './retried.ts'
import {
  fireLater,
  putSchedule,
  type Schedule,
  scheduleCollection,
  scheduleRow,
  storedSchedule,
  timeAfter,
} from './schedule-row.ts'
import { decodeSource, encodeSource, type SourceInput } from './source.ts'
import { parseTarget } from './target.ts'
import { hostZone, isZone } from './zones.ts'

export interface NewSchedule {
  /** Default: how the prompt begins. */
  readonly name?: string
  /** Five to seven fields, by the wall clock of `zone`. */
  readonly cron?: string
  /** At least 1,000. */
  readonly everyMs?: number
  /** Once. */
  readonly at?: number
  /** IANA; default: the gateway's, then the host's. */
  readonly zone?: string
  readonly prompt: string
  /** A target; default `origin` where there is one, else `local`. */
  readonly deliver?: string
  /** Where it was asked for: what `origin` means, and who has to be allowed to speak when it fires. */
  readonly origin?: SourceInput
  /** The user of its sessions. */
  readonly owner?: string
  /** Default true. */
  readonly enabled?: boolean
  /** Whether a time that was missed is made up for, once. Default `one`. */
  readonly catchUp?: 'one' | 'none'
}

export interface SchedulesFilter {
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
}

const checkNew = shape<NewSchedule>(
  {
    name: aText,
    cron: aText,
    everyMs: wholeNumber(1_000),
    at: wholeNumber(),
    zone: aText,
    prompt: aText,
    deliver: aText,
    origin: anything,
    owner: aText,
    enabled: aFlag,
    catchUp: oneOf('one', 'none'),
  },
  '',
)
const checkFilter = shape<SchedulesFilter>({ limit: wholeNumber(1, 200), cursor: aText }, 'filter')
const nameLength = 60

/** `skein.gateway.schedules`: what is asked at set times. */
export class Schedules {
  readonly #front: Front

  constructor(front: Front) {
    this.#front = front
  }

  /** Newest first. */
  async list(filter: SchedulesFilter = {}): Promise<Page<Schedule>> {
    checkFilter(filter)
    const { limit = 50, cursor } = filter
    const page = await this.#front.store.records(scheduleCollection, { order: 'desc', limit, ...given({ cursor }) })
    return { items: page.items.map(record => storedSchedule(record).row), ...given({ next: page.next }) }
  }

  /** `null` for an unknown id. */
  async get(id: string): Promise<Schedule | null> {
    return (await scheduleRow(this.#front.store, parseId('sch', id)))?.row ?? null
  }

  /** Resolves after its commit. Throws `input.invalid`, `target.invalid`, `source.invalid`. */
  async add(schedule: NewSchedule): Promise<Schedule> {
    const { store, desk } = this.#front
    const row = newSchedule(schedule, this.#front)
    await store.commit([putSchedule(row, 0), ...fireLater(desk.runtime.ids, row)])
    return row
  }

  /** It fires no more; what it began goes on. False for an unknown id. */
  async remove(id: string): Promise<boolean> {
    const { store } = this.#front
    const { results } = await store.commit([{ type: 'delete_record', collection: scheduleCollection, key: parseId('sch', id) }])
    return (results[0] as { readonly deleted?: boolean } | undefined)?.deleted === true
  }

  /** Fires again, from now on. Throws `schedule.not_found`. */
  async enable(id: string): Promise<Schedule> {
    return await this.#change(id, row => {
      const { now } = this.#front.desk
      return row.enabled ? row : { ...row, enabled: true, nextAt: row.at ?? timeAfter(row, now, now) }
    })
  }

  /** Stays, and does not fire. Throws `schedule.not_found`. */
  async disable(id: string): Promise<Schedule> {
    return await this.#change(id, row => ({ ...row, enabled: false, nextAt: null }))
  }

  async #change(id: string, change: (row: Schedule) => Schedule): Promise<Schedule> {
    const { store, desk } = this.#front
    return await retried(async () => {
      const found = await scheduleRow(store, parseId('sch', id))
      if (found === undefined)
        throw new SkeinError('schedule.not_found', `There is no schedule ${id}.`, { details: { schedule: id } })
      const row = change(found.row)
      await store.commit([putSchedule(row, found.version), ...fireLater(desk.runtime.ids, row)])
      return row
    })
  }
}

function newSchedule(value: NewSchedule, { desk }: Front): Schedule {
  if (!isObject(value)) throw invalidInput('schedule', 'Expected a schedule.')
  checkNew(value)
  const { cron, everyMs, at, prompt, origin, owner, enabled = true, catchUp = 'one' } = value
  if (typeof prompt !== 'string' || prompt.trim() === '') throw invalidInput('prompt', 'Expected a text that is not blank.')
  if ([cron, everyMs, at].filter(time => time !== undefined).length !== 1)
    throw invalidInput('cron', 'Expected exactly one of cron, everyMs and at.')
  const zone = value.zone ?? desk.settings.zone ?? hostZone()
  if (!isZone(zone)) throw invalidInput('zone', 'Expected a time zone of the IANA database, such as Europe/Berlin.')
  const deliver = value.deliver ?? (origin === undefined ? 'local' : 'origin')
  parseTarget(deliver)
  const { now } = desk
  const times = { zone, ...given({ cron, everyMs, at }) }
  const nextAt = at ?? firstTime(times, now)
  return {
    id: desk.runtime.ids('sch'),
    name: nameOf(value),
    ...times,
    prompt: prompt.toWellFormed(),
    deliver,
    ...given({ origin: origin === undefined ? undefined : (encodeSource(decodeSource(origin)) as Schedule['origin']), owner }),
    enabled,
    catchUp,
    nextAt: enabled ? nextAt : null,
    createdAt: now,
  }
}

function nameOf({ name, prompt }: NewSchedule): string {
  const text = (name ?? prompt).replaceAll(/[\p{C}\p{Z}\s]+/gu, ' ').trim()
  return [...text.toWellFormed()].slice(0, nameLength).join('')
}

function firstTime(times: Parameters<typeof timeAfter>[0], now: number): number {
  let found: number | null
  try {
    found = timeAfter(times, now, now)
  } catch (error) {
    throw invalidInput('cron', messageOf(error))
  }
  if (found === null) throw invalidInput('cron', 'It never fires.')
  return found
}
