import { readNamed } from './read-named.ts'
import { changeRoute } from './change-route.ts'
import type { Front } from './desk.ts'
import { type FoundRoute, holdOf, type HoldKind, type KeptRoute, type RouteHold } from './route.ts'

/** The route with one more hold; one of that kind is replaced. What is suspended is pending no more. */
export function withHold(route: KeptRoute, hold: RouteHold): KeptRoute {
  const gone: readonly HoldKind[] = hold.kind === 'suspended' ? ['suspended', 'resume_pending'] : [hold.kind]
  return { ...route, holds: [...route.holds.filter(({ kind }) => !gone.includes(kind)), hold] }
}

export function withoutHold(route: KeptRoute, kind: HoldKind): KeptRoute {
  return { ...route, holds: route.holds.filter(hold => hold.kind !== kind) }
}

/** What of a route's holds only an operator takes away. */
export const pausesOf = ({ holds }: Pick<KeptRoute, 'holds'>): readonly RouteHold[] =>
  holds.filter(({ kind }) => kind === 'paused')

/** Messages of the route are stored and wait. False for an unknown key. */
export async function pause(front: Front, key: unknown, reason: unknown = 'operator'): Promise<boolean> {
  const hold: RouteHold = { kind: 'paused', reason: readNamed(reason, 'reason'), at: front.desk.now }
  const done = await changeRoute(front, key, ({ route }) => ({ route: withHold(route, hold) }))
  if (done !== undefined) tell(front, done.found, 'route_hold_added', hold)
  return done !== undefined
}

/** What waits may begin again. The route's key, or undefined where it was not paused. */
export async function unpause(front: Front, key: unknown): Promise<string | undefined> {
  return await unhold(front, key, 'paused')
}

/** The next message begins afresh. False for an unknown key. Law G36. */
export async function suspend(front: Front, key: unknown, reason: unknown = 'operator'): Promise<boolean> {
  const hold: RouteHold = { kind: 'suspended', reason: readNamed(reason, 'reason'), at: front.desk.now }
  const done = await changeRoute(front, key, ({ route }) => ({ route: withHold(route, hold) }))
  if (done !== undefined) tell(front, done.found, 'route_hold_added', hold)
  return done !== undefined
}

/** The next message finds its session, whatever the policy says. False for unknown and suspended routes. Law G37. */
export async function markResumePending(front: Front, key: unknown, reason: unknown = 'restart_timeout'): Promise<boolean> {
  const hold: RouteHold = { kind: 'resume_pending', reason: readNamed(reason, 'reason'), at: front.desk.now }
  const done = await changeRoute(front, key, ({ route }) =>
    holdOf(route, 'suspended') === undefined ? { route: withHold(route, hold) } : undefined,
  )
  if (done?.changed !== true) return false
  tell(front, done.found, 'route_hold_added', hold)
  return true
}

/** True once, then false. Law G38. */
export async function clearResumePending(front: Front, key: unknown): Promise<boolean> {
  return (await unhold(front, key, 'resume_pending')) !== undefined
}

async function unhold(front: Front, key: unknown, kind: HoldKind): Promise<string | undefined> {
  let gone: RouteHold | undefined
  const done = await changeRoute(front, key, ({ route }) => {
    gone = holdOf(route, kind)
    return gone === undefined ? undefined : { route: withoutHold(route, kind) }
  })
  if (done?.changed !== true || gone === undefined) return undefined
  tell(front, done.found, 'route_hold_removed', gone)
  return done.found.route.key
}

export function tell(
  { desk, tenant }: Front,
  { route }: FoundRoute,
  type: 'route_hold_added' | 'route_hold_removed',
  hold: RouteHold,
): void {
  desk.events.tell(tenant, desk.now, { type, key: route.key, sessionId: route.sessionId, hold })
}
