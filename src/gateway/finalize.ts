import { given, isSkeinError, type SessionId } from '#kernel'
import { AgentSession } from '#agent'
import { commitKind, commitLater } from '#memory'
import { activeWork } from './active-work.ts'
import type { Front } from './desk.ts'
import { readRouteRow } from './find-route.ts'
import { evaluateReset } from './reset-policy.ts'
import { retried } from './retried.ts'
import { type FoundRoute, putRoute, readRoute } from './route.ts'
import { isThere } from './session-bond.ts'
import { ruleFor } from './settings.ts'
import { lastUserTurnEnd } from './turn-ends.ts'

/** Sessions whose route let go of them and whose hooks are still to be called. */
const collection = 'gateway.finalizing'
const liveTag = 'live'
const pageSize = 200

/**
 * Seals the sessions of routes that their policy would reset: the job and the mark that it was asked for land in one commit, so it
 * happens once for each time that a route falls silent. The reset itself waits for the next message. How many. Law G84.
 */
export async function finalizeRoutes(front: Front): Promise<number> {
  const { store } = front
  const { reset } = front.desk.settings
  const rules = [
    reset.default,
    ...Object.values(reset.byChat),
    ...Object.values(reset.byType),
    ...Object.values(reset.byPlatform),
  ]
  if (rules.every(({ mode }) => mode === 'none')) return 0
  let count = 0
  for (let cursor: string | undefined; ;) {
    const page = await store.routes({ tag: liveTag, limit: pageSize, ...given({ cursor }) })
    for (const row of page.items) {
      const found = readRoute(row)
      if (found !== undefined && mayBeDue(front, found) && (await finalizeOne(front, found.route.key))) count++
    }
    if (page.next === undefined) return count
    cursor = page.next
  }
}

/** By what the route itself knows. */
function mayBeDue({ desk }: Front, { route }: FoundRoute): boolean {
  if (route.expiryFinalized || route.waits === true || route.openTurn !== undefined) return false
  if (route.holds.length > 0) return false
  const { policy } = ruleFor(desk.settings, route.origin)
  const clocks = {
    lastUserAt: Math.max(route.lastUserAt, route.startedAt),
    ...given({ lastTurnEndedAt: route.lastTurnEndedAt }),
  }
  return evaluateReset(policy, clocks, desk.now).due
}

async function finalizeOne(front: Front, key: string): Promise<boolean> {
  const { store, desk } = front
  return await retried(async () => {
    const found = await readRouteRow(store, key)
    if (found === undefined || !mayBeDue(front, found)) return false
    const { route, version } = found
    const row = await store.session(route.sessionId)
    if (!isThere(row)) return false
    const since = Math.min(desk.now, Math.max(route.lastUserAt, route.lastTurnEndedAt ?? 0))
    const later = await lastUserTurnEnd(store, row, since)
    if (later !== undefined && !mayBeDue(front, { route: { ...route, lastTurnEndedAt: later }, version })) return false
    if ((await activeWork(desk, store, key, row)) !== undefined) return false
    await store.commit([
      putRoute({ route: { ...route, expiryFinalized: true }, version }),
      commitLater(desk.runtime.ids, row.id, 'expiry'),
      { type: 'put_record', collection, key: row.id, value: { key }, sort: desk.now },
    ])
    return true
  })
}

/** Those whose sealing ended while nobody of this process was told. */
export async function finishFinalizing(front: Front): Promise<void> {
  for (let cursor: string | undefined; ;) {
    const page = await front.store.records(collection, { limit: pageSize, ...given({ cursor }) })
    for (const { key } of page.items) await finishOne(front, key as SessionId)
    if (page.next === undefined) return
    cursor = page.next
  }
}

/**
 * Tells that a session was let go of, once what it said is sealed. Whoever takes the mark away calls the hooks: they are called
 * once, over restarts and nodes, and not again where one throws or its process dies, with which goes what it would have dropped.
 * Law G90.
 */
export async function finishOne(front: Front, session: SessionId): Promise<void> {
  const { store, desk, tenant, sessions } = front
  const mark = await store.record(collection, session)
  if (mark === undefined) return
  const open = await store.jobs({ kind: commitKind, session, states: ['queued', 'running', 'parked'], limit: 1 })
  if (open.length > 0) return
  try {
    await store.commit([{ type: 'delete_record', collection, key: session, expectVersion: mark.version }])
  } catch (error) {
    if (isSkeinError(error) && error.code === 'store.conflict') return
    throw error
  }
  const { key } = mark.value as { readonly key: string }
  desk.events.tell(tenant, desk.now, { type: 'route_finalized', key, sessionId: session })
  const row = await store.session(session)
  if (isThere(row)) await AgentSession.finalized(await sessions.open(session))
}
