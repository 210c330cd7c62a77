import type { SessionId } from '#kernel'
import type { MemorySession } from '#memory'
import { draft } from '#session'
import { hasTurn, type Judgement, judge, readSituation, type Situation } from './decide.ts'
import type { Front } from './desk.ts'
import type { GatewayEvent } from './gateway-events.ts'
import { keyOf } from './key.ts'
import { learnPair } from './learn.ts'
import { type People, readPeople } from './person.ts'
import { adopt, firstRoute, freshSession, type Rebinding, type Wanted } from './rebind.ts'
import { type Fresh, type KeptRoute, putRoute, type Route, shownRoute, withDisplay } from './route.ts'
import { endRun } from './end-run.ts'
import { sideEntries } from './session-bond.ts'
import { retried } from './retried.ts'
import type { Source } from './source.ts'

export interface Resolved {
  readonly session: MemorySession
  readonly route: Route
  /** Whether this call made the session. */
  readonly created: boolean
  /** Why the session is a new one, until its first turn is committed. */
  readonly reset: Fresh | null
  /** Whether many may speak in it. */
  readonly isShared: boolean
}

export interface Resolving {
  readonly forceNew?: boolean
  /** Which clocks of the route a message sets: a user's both, an internal one that of activity. */
  readonly clocks: Clocks
  /** The message came before: its session was decided then, and the policy is not asked again. */
  readonly settled?: boolean
}

export type Clocks = 'user' | 'activity' | 'none'

/** A session that was erased on the way is missing when it is looked for again. */
const lost = ['store.conflict', 'session.not_found'] as const

/** Which session a source speaks to now, after the commit that makes it so. Laws G19–G23. */
export async function resolveSource(front: Front, source: Source, resolving: Resolving): Promise<Resolved> {
  const { desk, tenant } = front
  // Before aliases are known: sources of one place wait for each other, others find out by their versions.
  const place = `${tenant} ${keyOf(source, desk.settings.flags)}`
  return await desk.locks.run(place, () => retried(() => resolveOnce(front, source, resolving), lost))
}

async function resolveOnce(front: Front, source: Source, resolving: Resolving): Promise<Resolved> {
  const { desk, store } = front
  const situation = await readSituation(desk, store, source, await peopleOf(front, source))
  const judged = await judge(desk, store, situation, { forceNew: resolving.forceNew ?? false, timed: resolving.settled !== true })
  const { found, changes, events, left } = await plan(front, situation, judged)
  const touched = { ...found, route: touch(found.route, situation, judged, resolving, desk.now) }
  const isSame = changes.length === 0 && found.version > 0 && resolving.clocks === 'none' && judged.turnEndedAt === undefined
  if (!isSame) await store.commit([...changes, putRoute(touched)])
  const stored = isSame ? found : { ...touched, version: touched.version + 1 }
  desk.events.tell(front.tenant, desk.now, ...events)
  if (left !== undefined) endRun(front, left)
  const created = judged.verdict.action === 'create' || judged.verdict.action === 'reset'
  const route = shownRoute(stored)
  const shown: Route = route.fresh !== undefined && !created && hasTurn(situation.row) ? withoutFresh(route) : route
  return {
    session: await front.sessions.open(shown.sessionId),
    route: shown,
    created,
    reset: shown.fresh ?? null,
    isShared: situation.isShared,
  }
}

/** Who the source names, after what it teaches: that its two user ids are one person's. */
async function peopleOf(front: Front, source: Source): Promise<People> {
  const people = await readPeople(front.store, source)
  if (people.pair === undefined) return people
  await learnPair(front, ...people.pair)
  return await readPeople(front.store, source)
}

interface Planned extends Rebinding {
  readonly events: readonly GatewayEvent[]
  /** The session that is left. */
  readonly left?: SessionId
}

async function plan(front: Front, situation: Situation, { verdict }: Judgement): Promise<Planned> {
  const { key, legacyKey, parts, source, owner, found, adopted, row } = situation
  const wanted: Wanted = { key, legacyKey, parts, source, person: owner }
  if (found === undefined) {
    const first = await firstRoute(front, wanted)
    return { ...first, events: [{ type: 'route_created', key, sessionId: first.found.route.sessionId }] }
  }
  const here: Rebinding = adopted ? await adopt(front, found, wanted) : { found, changes: [] }
  if (verdict.action !== 'reset') {
    // Whoever comes back to a session that somebody ended goes on with it.
    const reopened = row?.state === 'ended' ? sideEntries(front.desk.runtime, row, [draft('session_reopened', {})]) : []
    return { ...here, changes: [...here.changes, ...reopened], events: [] }
  }
  const { kind, reason } = verdict
  const fresh = await freshSession(front, here.found, { kind, reason, hadActivity: (row?.counters.turnCount ?? 0) > 0 })
  const { sessionId } = fresh.found.route
  const previousSessionId = found.route.sessionId
  return {
    found: fresh.found,
    changes: [...here.changes, ...fresh.changes],
    events: [{ type: 'route_reset', key: here.found.route.key, sessionId, previousSessionId, reason }],
    left: previousSessionId,
  }
}

/** The route after the message: its clocks, what people see of it, and no mark that is over. Laws G21, G32. */
function touch(route: KeptRoute, { source, row }: Situation, judged: Judgement, { clocks }: Resolving, now: number): KeptRoute {
  const isNew = judged.verdict.action === 'create' || judged.verdict.action === 'reset'
  const known = judged.turnEndedAt === undefined ? route : { ...route, lastTurnEndedAt: judged.turnEndedAt }
  const kept = !isNew && known.fresh !== undefined && hasTurn(row) ? withoutFresh(known) : known
  return touchedBy(kept, source, clocks, now)
}

/** The route after a message of this source: its clocks and what people see of it. */
export function touchedBy(kept: KeptRoute, source: Source, clocks: Clocks, now: number): KeptRoute {
  if (clocks === 'none') return kept
  if (clocks === 'activity') return { ...kept, lastActivityAt: now }
  const origin = withDisplay(kept.origin, source)
  return {
    ...kept,
    origin,
    ...(origin.chatName === undefined ? {} : { displayName: origin.chatName }),
    startedAt: Math.min(kept.startedAt, now),
    lastUserAt: now,
    ...(kept.lastTurnEndedAt === undefined ? {} : { lastTurnEndedAt: Math.min(kept.lastTurnEndedAt, now) }),
    lastActivityAt: now,
    expiryFinalized: false,
  }
}

export function withoutFresh<T extends { readonly fresh?: Fresh }>(route: T): Omit<T, 'fresh'> {
  const { fresh: _fresh, ...rest } = route
  return rest
}
