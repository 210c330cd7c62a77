import { given, isObject, isSkeinError } from '#kernel'
import type { Placed, TurnResult } from '#agent'
import type { Change, JobRow } from '#journal'
import type { JobDone } from '#jobs'
import type { MemorySession } from '#memory'
import { deliveryRows } from './deliver.ts'
import { type Front, sendingOf } from './desk.ts'
import type { Exchange } from './exchange.ts'
import { outboxChanges, type OutboxRow } from './outbox-row.ts'
import {
  fireLater,
  type Firing,
  isMissed,
  putSchedule,
  type Schedule,
  scheduleRow,
  sessionAlias,
  timeAfter,
} from './schedule-row.ts'
import { decodeSource } from './source.ts'
import { answering } from './turn-begin.ts'
import { silence } from './turn-end.ts'
import { internalMark } from './turn-ends.ts'

/**
 * One time of a schedule: the next one is set before anything is asked, so that a schedule never stops for what one of its turns
 * comes to. Then a session of its own is asked, and the answer is on its way with the end of the job. Another attempt goes on
 * with the session of the first. Law G80.
 */
export async function fireDue(exchange: Exchange, job: JobRow, signal: AbortSignal): Promise<JobDone> {
  const due = await taken(exchange, job)
  if (due === undefined) return { result: { skipped: 'changed' } }
  const { schedule, firing } = due
  if (firing.state !== 'fired') return { result: { skipped: firing.state } }
  const session = await sessionOf(exchange.front, schedule, firing.at)
  signal.throwIfAborted()
  const result = await asked(exchange.front, session, schedule)
  // Who may not speak any more gets no answer, either.
  const isAllowed = await mayReceive(exchange, schedule)
  const rows = isAllowed ? answers(exchange, schedule, result) : []
  return {
    result: { session: session.id, status: result.status, ...(isAllowed ? {} : { undelivered: 'unauthorized' }) },
    effects: outboxChanges(
      sendingOf(exchange.front),
      rows.map(row => ({ ...row, session: session.id })),
    ),
  }
}

/** The firing that this job is for, marked in the schedule together with its next time; undefined if it is none any more. */
async function taken(
  exchange: Exchange,
  job: JobRow,
): Promise<{ readonly schedule: Schedule; readonly firing: Firing } | undefined> {
  const { store, desk } = exchange.front
  const { schedule: id, at } = isObject(job.payload) ? job.payload : {}
  if (typeof id !== 'string' || typeof at !== 'number') return undefined
  const found = await scheduleRow(store, id)
  if (found === undefined) return undefined
  const { row, version } = found
  if (row.last?.at === at) return { schedule: row, firing: row.last }
  if (!row.enabled || row.nextAt !== at) return undefined
  const { now } = desk
  const state =
    row.catchUp === 'none' && isMissed(row, at, now) ? 'missed' : (await mayReceive(exchange, row)) ? 'fired' : 'unauthorized'
  const firing: Firing = { at, state, ...(state === 'fired' ? { session: sessionAlias(id, at) } : {}) }
  const nextAt = timeAfter(row, at, now)
  const next: Schedule = { ...row, last: firing, nextAt, enabled: nextAt !== null }
  const claim = { type: 'require', that: { claim: { job: job.id, fence: job.fence } } } as const
  await store.commit([claim, putSchedule(next, version), ...fireLater(desk.runtime.ids, next)])
  return { schedule: next, firing }
}

/** The host's own schedules pass; one that was asked for from somewhere fires while its asker may speak. */
async function mayReceive(exchange: Exchange, { origin }: Schedule): Promise<boolean> {
  return origin === undefined || (await exchange.maySpeak(decodeSource(origin)))
}

/** What the model says, or the host in its place. What a process that died had begun goes on; nobody is there to be asked for approval. */
async function asked(front: Front, session: MemorySession, { id, prompt }: Schedule): Promise<TurnResult> {
  let turn: string | undefined
  const host = answering(front, session, { key: null, schedule: id, turnOf: () => turn })
  const { run } = await (host.modelOverride === undefined ? session : session.equip(host)).recover({
    apply: true,
    approvals: 'deny',
    alongside: placed => ((turn = placed.turn), []),
  })
  if (run !== null) return await run.result()
  const message = { role: 'user', parts: [{ type: 'text', text: prompt }], source: { ...internalMark, schedule: id } } as const
  const alongside = (placed: Placed): readonly Change[] => ((turn = placed.turn), [])
  return await session.send(message, { ...host, idempotencyKey: 'fire', approvals: 'deny', alongside }).result()
}

async function sessionOf(
  { sessions }: Front,
  { id: schedule, name, owner, origin }: Schedule,
  firedAt: number,
): Promise<MemorySession> {
  const id = sessionAlias(schedule, firedAt)
  try {
    return await sessions.create({
      id,
      title: name,
      metadata: { schedule, firedAt },
      ...given({ user: owner, platform: origin?.platform }),
    })
  } catch (error) {
    if (!isSkeinError(error) || error.code !== 'session.exists') throw error
    return await sessions.open(id)
  }
}

/** What the turn came to, on its way to the target; to a file where the target is none any more. Law G60. */
function answers(exchange: Exchange, { deliver, origin }: Schedule, { status, text, error, reason }: TurnResult): OutboxRow[] {
  const said = status === 'failed' ? `The turn failed: ${error?.code ?? reason}.` : text.trim()
  if (said === '') return []
  const at = exchange.front.desk.now
  const kept = silence.has(said) ? ({ state: 'suppressed', reason: 'silent', endedAt: at } as const) : {}
  const rowsTo = (target: string): OutboxRow[] => deliveryRows(exchange, target, said, given({ origin })).rows
  let rows: OutboxRow[]
  try {
    rows = rowsTo(deliver)
  } catch (thrown) {
    if (!isSkeinError(thrown) || thrown.code !== 'target.invalid') throw thrown
    rows = rowsTo('local')
  }
  return rows.map(row => ({ ...row, ...kept }))
}
