import { given } from '#kernel'
import { activeWork } from './active-work.ts'
import type { Front } from './desk.ts'
import { readRouteRow } from './find-route.ts'
import { readPersonAt, putPerson } from './person.ts'
import { unindexKey } from './rebind.ts'
import { retried } from './retried.ts'
import { deleteRoute, holdOf, type KeptRoute, readRoute, sortOf } from './route.ts'
import { isThere, leaveSession } from './session-bond.ts'

const dayMs = 86_400_000

/**
 * Removes routes that were quiet for longer; their sessions end, `session_pruned`, and stay. Never suspended, paused or active
 * ones, nor ones with something waiting. How many; with `dryRun` how many it would be. Law G47.
 */
export async function pruneRoutes(
  front: Front,
  maxAgeDays: number | undefined,
  { dryRun = false, isWaiting }: { readonly dryRun?: boolean; readonly isWaiting: (key: string) => Promise<boolean> },
): Promise<number> {
  if (maxAgeDays === undefined || !(maxAgeDays > 0)) return 0
  const { store, desk } = front
  const cutOff = desk.now - maxAgeDays * dayMs
  let pruned = 0
  for (let cursor: string | undefined; ;) {
    const page = await store.routes({ sortFrom: sortOf(cutOff), limit: 500, ...given({ cursor }) })
    for (const row of page.items) {
      const key = readRoute(row)?.route.key
      if (key !== undefined && (await pruneOne(front, key, cutOff, dryRun, isWaiting))) pruned++
    }
    if (page.next === undefined) return pruned
    cursor = page.next
  }
}

async function pruneOne(
  front: Front,
  key: string,
  cutOff: number,
  dryRun: boolean,
  isWaiting: (key: string) => Promise<boolean>,
): Promise<boolean> {
  const { store, desk, tenant } = front
  return await retried(async () => {
    const found = await readRouteRow(store, key)
    if (found === undefined || !mayGo(found.route, cutOff)) return false
    const { route } = found
    const row = await store.session(route.sessionId)
    if ((await activeWork(desk, store, key, row)) !== undefined || (await isWaiting(key))) return false
    if (dryRun) return true
    const leaving = { key, generation: route.generation, reason: 'session_pruned' }
    const person = route.person === undefined ? undefined : await readPersonAt(store, route.person)
    await store.commit([
      ...leaveSession(desk.runtime, isThere(row) ? row : undefined, leaving, 'session_pruned'),
      ...(await unindexKey(store, route.legacyKey, key)),
      ...(person === undefined ? [] : [putPerson({ ...person, routes: person.routes.filter(one => one !== key) })]),
      deleteRoute(found),
    ])
    desk.events.tell(tenant, desk.now, { type: 'route_pruned', key, sessionId: route.sessionId })
    return true
  })
}

const mayGo = (route: KeptRoute, cutOff: number): boolean =>
  route.lastActivityAt < cutOff &&
  route.openTurn === undefined &&
  holdOf(route, 'suspended') === undefined &&
  holdOf(route, 'paused') === undefined
