import { parseSessionRef, type SessionId, SkeinError } from '#kernel'
import type { SessionRow } from '#journal'
import { type Actor, mayResume } from './actor.ts'
import { changeRoute } from './change-route.ts'
import type { Front } from './desk.ts'
import { endRun } from './end-run.ts'
import { findRoute, routeAt } from './find-route.ts'
import { pausesOf } from './holds.ts'
import { freshSession, type Rebinding, withoutTurn } from './rebind.ts'
import { withoutFresh } from './resolve.ts'
import { unmarkTurn } from './queue.ts'
import { retried } from './retried.ts'
import { type FoundRoute, putRoute, type Route, shownRoute } from './route.ts'
import { boundAgain, isThere, leaveSession } from './session-bond.ts'

/** Something happened on the route. `null` for an unknown key. */
export async function touchRoute(front: Front, key: unknown): Promise<Route | null> {
  const done = await changeRoute(front, key, ({ route }) => ({ route: { ...route, lastActivityAt: front.desk.now } }))
  return done === undefined ? null : shownRoute(done.found)
}

/** Begins afresh, as somebody asked. `null` for an unknown key. Law G43. */
export async function resetRoute(
  front: Front,
  key: unknown,
  title?: string | null,
  { unpauses = false }: { readonly unpauses?: boolean } = {},
): Promise<Route | null> {
  const { store, desk, tenant } = front
  const done = await retried(async () => {
    const found = await findRoute(store, key)
    if (found === undefined) return undefined
    const before = await store.session(found.route.sessionId)
    const hadActivity = (before?.counters.turnCount ?? 0) > 0
    const why = { kind: 'manual', reason: 'manual', title: title ?? null, hadActivity } as const
    const { found: next, changes } = await freshSession(front, found, why, { unpauses })
    await store.commit([...changes, putRoute(next)])
    return { found, next }
  }, ['store.conflict', 'session.not_found'])
  if (done === undefined) return null
  const { found, next } = done
  const { sessionId } = next.route
  const previousSessionId = found.route.sessionId
  desk.events.tell(tenant, desk.now, { type: 'route_reset', key: next.route.key, sessionId, previousSessionId, reason: 'manual' })
  endRun(front, previousSessionId)
  return shownRoute({ ...next, version: next.version + 1 })
}

export interface Switching {
  /** Who asks: then the session must once have been this key's or theirs. Without one the caller is the operator. */
  readonly actor?: Actor
  /** The session may be current on another route, which then begins afresh. */
  readonly take?: boolean
}

/** The route speaks to another session from now on. `null` for an unknown key. Laws G44–G46. */
export async function switchRoute(front: Front, key: unknown, sessionId: unknown, switching: Switching): Promise<Route | null> {
  const { store, desk, tenant } = front
  const ref = parseSessionRef(sessionId, 'sessionId')
  const done = await retried(async () => {
    const found = await findRoute(store, key)
    if (found === undefined) return undefined
    const target = await store.session(ref)
    const unknown = new SkeinError('session.not_found', `There is no session ${String(sessionId)}.`, {
      details: { session: sessionId },
    })
    if (!isThere(target)) throw unknown
    if (switching.actor !== undefined && !(await mayResume(front, found.route, target, switching.actor))) throw unknown
    if (target.id === found.route.sessionId) return { found, left: undefined, version: found.version }
    const other = await currentRoute(front, target)
    if (other !== undefined && switching.take !== true)
      throw new SkeinError('route.session_taken', `Session ${target.id} is current on another route. Take it with take: true.`, {
        details: { session: target.id, ...(switching.actor === undefined ? { key: other.route.key } : {}) },
      })
    return await commitSwitch(front, found, target, other, switching.actor === undefined)
  })
  if (done === undefined) return null
  if (done.left !== undefined) {
    const { route } = done.found
    const told = { key: route.key, sessionId: route.sessionId, previousSessionId: done.left, reason: 'switched' }
    desk.events.tell(tenant, desk.now, { type: 'route_switched', ...told })
    endRun(front, done.left)
  }
  return shownRoute({ ...done.found, version: done.version })
}

async function commitSwitch(
  front: Front,
  found: FoundRoute,
  target: SessionRow,
  other: FoundRoute | undefined,
  unpauses: boolean,
): Promise<{ readonly found: FoundRoute; readonly left: SessionId; readonly version: number }> {
  const { store, desk } = front
  const { runtime, now } = desk
  const { route, version } = found
  const left = await store.session(route.sessionId)
  const generation = route.generation + 1
  const next = {
    ...withoutFresh(withoutTurn(route)),
    sessionId: target.id,
    generation,
    startedAt: now,
    holds: unpauses ? [] : pausesOf(route),
    interruptions: 0,
    expiryFinalized: false,
  }
  const leaving = { key: route.key, generation: route.generation, reason: 'session_switch', next: target.id }
  const bound = { key: route.key, generation, previous: route.sessionId, reason: 'session_switch' }
  const owned = route.person === undefined ? bound : { ...bound, person: route.person }
  const taken = other === undefined ? undefined : await robbed(front, other)
  await store.commit([
    ...leaveSession(runtime, isThere(left) ? left : undefined, leaving, 'session_switch'),
    ...(taken?.changes ?? []),
    ...(taken === undefined ? [] : [putRoute(taken.found)]),
    ...boundAgain(runtime, target, owned),
    ...(await unmarkTurn(store, route)),
    putRoute({ route: next, version }),
  ])
  return { found: { route: next, version }, left: route.sessionId, version: version + 1 }
}

/** The route whose session is taken by another gets a fresh one; the session itself does not end. */
async function robbed(front: Front, other: FoundRoute): Promise<Rebinding> {
  const row = await front.store.session(other.route.sessionId)
  const hadActivity = (row?.counters.turnCount ?? 0) > 0
  return await freshSession(front, other, { kind: 'forced', reason: 'taken', hadActivity }, { keeps: true })
}

/** The route on which a session is current. */
export async function currentRoute({ store }: Front, row: SessionRow): Promise<FoundRoute | undefined> {
  const bound = row.data['route'] as { readonly key?: string } | null | undefined
  if (typeof bound?.key !== 'string') return undefined
  const found = await routeAt(store, bound.key)
  return found?.route.sessionId === row.id ? found : undefined
}
