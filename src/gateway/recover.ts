import { given, invalidInput, isSkeinError, type SessionId } from '#kernel'
import type { Change, SessionRow } from '#journal'
import { changeRoute } from './change-route.ts'
import { type Front, sendingOf } from './desk.ts'
import { routeAt } from './find-route.ts'
import { tell, withHold } from './holds.ts'
import { busyInbox, type InboxRow, movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { outboxChanges } from './outbox-row.ts'
import { withoutTurn } from './rebind.ts'
import { replyRow } from './turn-end.ts'
import { openMarks, queueOf, unmarkOpen } from './queue.ts'
import { holdOf, type KeptRoute, type OpenTurn, readRoute, type RouteHold, sortOf } from './route.ts'

/** So many interruptions in a row and the route is suspended. */
export const mostInterruptions = 3

export interface GatewayRecoverOptions {
  /** `unfinished`: only routes whose turn was cut short by the death of its process. */
  readonly only?: 'unfinished'
}

/**
 * Marks routes that were active within the window, so that their next message goes on where they were; those that are pending
 * or suspended are left. How many were marked; again: 0. Law G39.
 */
export async function recoverRoutes(front: Front, maxAgeMs: unknown, { only }: GatewayRecoverOptions): Promise<number> {
  if (typeof maxAgeMs !== 'number' || !Number.isFinite(maxAgeMs)) throw invalidInput('maxAgeMs', 'Expected milliseconds.')
  const interrupted = await interruptedRoutes(front)
  if (only === 'unfinished') return interrupted
  const { store, desk } = front
  const from = desk.now - maxAgeMs
  let marked = interrupted
  for (let cursor: string | undefined; ;) {
    const page = await store.routes({ sortTo: sortOf(from), limit: 500, ...given({ cursor }) })
    for (const row of page.items) {
      const found = readRoute(row)
      if (found !== undefined && mayBeMarked(found.route, from) && (await mark(front, found.route.key, from))) marked++
    }
    if (page.next === undefined) return marked
    cursor = page.next
  }
}

const mayBeMarked = (route: KeptRoute, from: number): boolean =>
  route.lastActivityAt >= from && holdOf(route, 'resume_pending') === undefined && holdOf(route, 'suspended') === undefined

async function mark(front: Front, key: string, from: number): Promise<boolean> {
  const hold: RouteHold = { kind: 'resume_pending', reason: 'restart_interrupted', at: front.desk.now }
  const done = await changeRoute(front, key, ({ route }) =>
    mayBeMarked(route, from) ? { route: withHold(route, hold) } : undefined,
  )
  if (done?.changed === true) tell(front, done.found, 'route_hold_added', hold)
  return done?.changed === true
}

/** Open turns whose process is dead: each counts as an interruption, and the third in a row suspends. Laws G39, G40. */
async function interruptedRoutes(front: Front): Promise<number> {
  const { store } = front
  let count = 0
  for await (const { key } of openMarks(store)) if (await interrupt(front, key)) count++
  return count
}

/**
 * If the open turn of a route is dead: one commit takes the mark away, counts the interruption, and holds the route, together
 * with the messages of the turn, which wait for it to go on, or are given up with the third in a row. Law G40.
 */
export async function interrupt(front: Front, key: string): Promise<boolean> {
  const { store, desk, tenant } = front
  const open = await routeAt(store, key)
  if (open?.route.openTurn === undefined) return false
  if (!(await isDead(front, open.route.sessionId, open.route.openTurn))) return false
  const { turnId } = open.route.openTurn
  let hold: RouteHold | undefined
  let dropped: readonly InboxRow[] = []
  const done = await changeRoute(front, open.route.key, async ({ route }) => {
    if (route.openTurn?.turnId !== turnId) return undefined
    const next = interrupted(route, desk.now)
    hold = next.holds.find(one => !route.holds.includes(one))
    const isStuck = hold?.reason === 'stuck_loop'
    const rows = (await busyInbox(store, route.key)).filter(({ row }) => row.state === 'running' && row.turn === turnId)
    const cutOff = rows.map(({ row, version }) => ({ row: movedTo(row, 'interrupted'), version }))
    dropped = isStuck ? cutOff.map(({ row }) => row) : []
    // What was cut short is looked after until it is over.
    const isOver = (isStuck || rows.length === 0) && queueOf(next).waiting === 0
    return {
      route: next,
      alongside: [...(isStuck ? giveUp(front, cutOff) : cutOff.map(putStored)), ...(isOver ? [unmarkOpen(next)] : [])],
    }
  })
  if (done?.changed !== true) return false
  if (hold !== undefined) tell(front, done.found, 'route_hold_added', hold)
  const { reason } = stuckLoop
  desk.events.tell(tenant, desk.now, ...dropped.map(({ id }) => ({ type: 'message_dropped', id, reason }) as const))
  return true
}

const stuckLoop = { kind: 'suspended', reason: 'stuck_loop' } as const
const givenUp = 'This message was given up: its turn was cut short three times in a row.'
const putStored = ({ row, version }: StoredInbox): Change => putInbox(row, version)

/** Messages whose turn was cut short too often, and what their sender is told. */
function giveUp(front: Front, rows: readonly StoredInbox[]): Change[] {
  const { desk } = front
  const [head] = rows
  const { reason } = stuckLoop
  const told = head === undefined ? [] : [replyRow(desk.runtime.ids, head.row, givenUp, desk.now)]
  return [
    ...rows.map(({ row, version }) => putInbox(movedTo(row, 'dropped', { reason, endedAt: desk.now }), version)),
    ...outboxChanges(sendingOf(front), told),
  ]
}

/** The route after its turn was cut short. Pure. */
export function interrupted(route: KeptRoute, now: number): KeptRoute {
  const interruptions = route.interruptions + 1
  const isStuck = interruptions >= mostInterruptions
  const hold: RouteHold = isStuck ? { ...stuckLoop, at: now } : { kind: 'resume_pending', reason: 'restart_interrupted', at: now }
  const next = { ...withoutTurn(route), interruptions }
  return holdOf(route, 'suspended') === undefined ? withHold(next, hold) : next
}

/** Whether nobody carries the turn on: its lease was given up, run out, or taken by somebody who is gone. */
async function isDead({ store, desk, tenant }: Front, session: SessionId, turn: OpenTurn): Promise<boolean> {
  const row: SessionRow | undefined = await store.session(session)
  if (row === undefined || row.lease.owner === null || row.lease.token !== turn.fence) return !desk.runsHere(tenant, session)
  const { owner, leaseMs } = desk.runtime
  if (row.lease.owner === owner) return !desk.runsHere(tenant, session)
  try {
    const fence = await store.acquire(session, owner, leaseMs)
    await store.release(fence)
    return true
  } catch (error) {
    if (isSkeinError(error) && error.code === 'session.busy') return false
    throw error
  }
}
