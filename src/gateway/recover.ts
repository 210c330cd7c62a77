import { given, invalidInput, isSkeinError, type SessionId } from '#kernel'
import type { SessionRow } from '#journal'
import { changeRoute } from './change-route.ts'
import type { Front } from './desk.ts'
import { routeAt } from './find-route.ts'
import { tell, withHold } from './holds.ts'
import { closeTurn, withoutTurn } from './rebind.ts'
import { gatewayRecords, holdOf, type KeptRoute, type OpenTurn, readRoute, type RouteHold, sortOf } from './route.ts'

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
  for (let cursor: string | undefined; ;) {
    const page = await store.records(gatewayRecords.open, { limit: 200, ...given({ cursor }) })
    for (const { value } of page.items) {
      const key = (value as { readonly key?: string } | null)?.key
      if (key !== undefined && (await interrupt(front, key))) count++
    }
    if (page.next === undefined) return count
    cursor = page.next
  }
}

async function interrupt(front: Front, key: string): Promise<boolean> {
  const { store, desk } = front
  const open = await routeAt(store, key)
  if (open?.route.openTurn === undefined) return false
  if (!(await isDead(front, open.route.sessionId, open.route.openTurn))) return false
  const { turnId } = open.route.openTurn
  let hold: RouteHold | undefined
  const done = await changeRoute(front, open.route.key, ({ route }) => {
    if (route.openTurn?.turnId !== turnId) return undefined
    const next = interrupted(route, desk.now)
    hold = next.holds.at(-1)
    return { route: next, alongside: closeTurn(route) }
  })
  if (done?.changed !== true) return false
  if (hold !== undefined) tell(front, done.found, 'route_hold_added', hold)
  return true
}

/** The route after its turn was cut short. Pure. */
export function interrupted(route: KeptRoute, now: number): KeptRoute {
  const interruptions = route.interruptions + 1
  const isStuck = interruptions >= mostInterruptions
  const hold: RouteHold = isStuck
    ? { kind: 'suspended', reason: 'stuck_loop', at: now }
    : { kind: 'resume_pending', reason: 'restart_interrupted', at: now }
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
