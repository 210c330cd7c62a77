import { given, type SessionId } from '#kernel'
import type { Change } from '#journal'
import type { Front } from './desk.ts'
import { type Reads, readRouteRow } from './find-route.ts'
import type { GatewayEvent } from './gateway-events.ts'
import { formatKey, legacyOf, parseKey, type SessionKey } from './key.ts'
import { pausesOf } from './holds.ts'
import { joined, type Learning } from './joined-persons.ts'
import { overlay } from './overlay.ts'
import { keyOfPerson, type Person } from './person.ts'
import { moveBusy, moveWaiting } from './move-waiting.ts'
import { joinedQueues, markOpen } from './queue.ts'
import { moveKey, reindexKey, withoutTurn } from './rebind.ts'
import { deleteRoute, type FoundRoute, holdOf, type KeptRoute, putRoute } from './route.ts'
import { boundAgain, isThere, leaveSession } from './session-bond.ts'

/**
 * Two persons with routes are one. Who was heard last stays; the other's routes take the keys that are now theirs, and where
 * both had one the session that was used last stays, while the other ends, `session_merged`. Old keys lead to the new. Law G17.
 */
export async function mergeRoutes(front: Front, a: Person, b: Person): Promise<Learning> {
  const [ofA, ofB] = await Promise.all([routesOf(front, a), routesOf(front, b)])
  const isA = newest(ofA) > newest(ofB) || (newest(ofA) === newest(ofB) && a.canonical < b.canonical)
  const [stays, goes, going] = isA ? [a, b, ofB] : [b, a, ofA]
  const changes: Change[] = []
  const events: GatewayEvent[] = []
  const keys = new Set(stays.routes)
  for (const found of going) {
    const moved = await moveRoute(front, overlay(front.store, changes), found, goes, stays)
    changes.push(...moved.changes)
    events.push(...moved.events)
    keys.add(moved.key)
  }
  return { changes: [...joined(stays, goes, [...keys]), ...changes], events, canonical: stays.canonical }
}

const newest = (routes: readonly FoundRoute[]): number => Math.max(0, ...routes.map(({ route }) => route.lastUserAt))

async function routesOf({ store }: Front, { routes }: Person): Promise<FoundRoute[]> {
  const found = await Promise.all(routes.map(key => readRouteRow(store, key)))
  return found.filter(route => route !== undefined)
}

interface Moved {
  readonly key: string
  readonly changes: readonly Change[]
  readonly events: readonly GatewayEvent[]
}

async function moveRoute(
  { desk: { runtime }, store: rows }: Front,
  store: Reads,
  found: FoundRoute,
  goes: Person,
  stays: Person,
): Promise<Moved> {
  const { route } = found
  const person = keyOfPerson(stays)
  const parts = renamed(parseKey(route.key), goes.canonical, stays.canonical)
  const key = formatKey(parts)
  // It uses the person and does not name it: nothing but its owner's row changes.
  if (key === route.key) return { key, changes: [putRoute({ ...found, route: { ...route, person } })], events: [] }
  const legacyKey = legacyOf(parts)
  const index = await reindexKey(store, route.legacyKey, route.key, legacyKey, key)
  const aside = [
    deleteRoute(found),
    moveKey(route.key, key),
    ...index,
    ...(await moveWaiting(rows, route.key, key)),
    markOpen({ key }),
  ]
  const there = await readRouteRow(store, key)
  if (there === undefined) {
    const next: KeptRoute = { ...route, key, legacyKey, person }
    const row = await store.session(route.sessionId)
    const bound = { key, generation: route.generation, person, reason: 'identity_merged' }
    return {
      key,
      changes: [
        ...aside,
        ...(isThere(row) ? boundAgain(runtime, row, bound) : []),
        putRoute({ route: next, version: 0 }),
        ...(await moveBusy(rows, route.key, key)),
      ],
      events: [],
    }
  }
  const isLater = route.lastUserAt > there.route.lastUserAt
  const [kept, ended] = isLater ? [route, there.route] : [there.route, route]
  const generation = isLater ? there.route.generation + 1 : there.route.generation
  const queue = joinedQueues(there.route, route)
  const holds = [...pausesOf(ended).filter(() => holdOf(kept, 'paused') === undefined), ...kept.holds]
  const next: KeptRoute = isLater
    ? { ...there.route, ...movable(route), generation, person, queue, holds, ...given({ user: there.route.user }) }
    : { ...there.route, person, queue, holds }
  const [endedRow, keptRow] = await Promise.all([store.session(ended.sessionId), store.session(kept.sessionId)])
  const leaving = { key: ended.key, generation: ended.generation, reason: 'session_merged', next: kept.sessionId }
  const bound = { key, generation, person, previous: ended.sessionId, reason: 'session_merged' }
  return {
    key,
    changes: [
      ...aside,
      ...leaveSession(runtime, isThere(endedRow) ? endedRow : undefined, leaving, 'session_merged'),
      ...(isLater && isThere(keptRow) ? boundAgain(runtime, keptRow, bound) : []),
      putRoute({ route: next, version: there.version }),
    ],
    events: [{ type: 'route_merged', key, from: ended.key, sessionId: kept.sessionId satisfies SessionId }],
  }
}

/** What goes with a session to another key. */
function movable(route: KeptRoute): Partial<KeptRoute> {
  const { sessionId, startedAt, lastUserAt, lastTurnEndedAt, lastActivityAt, fresh, holds, interruptions, expiryFinalized } =
    withoutTurn(route)
  return {
    ...given({ lastTurnEndedAt, fresh }),
    sessionId,
    startedAt,
    lastUserAt,
    lastActivityAt,
    holds,
    interruptions,
    expiryFinalized,
  }
}

function renamed(parts: SessionKey, from: string, to: string): SessionKey {
  if (parts.user === from) return { ...parts, user: to }
  return parts.platform === 'whatsapp' && parts.type === 'dm' && parts.chat === from ? { ...parts, chat: to } : parts
}
