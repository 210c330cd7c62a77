import { given, type JobId } from '#kernel'
import type { RecordRow } from '#journal'
import type { Front } from './desk.ts'
import { keysOf, readRouteRow } from './find-route.ts'
import { outboxCollection, outboxStateTag, storedOutbox } from './outbox-row.ts'
import { gatewayRecords, type KeptRoute, readRoute } from './route.ts'
import { isThere } from './session-bond.ts'

/** Something about a tenant's gateway that somebody should look at. */
export interface GatewayFinding {
  readonly kind:
    | 'route_without_session'
    | 'session_on_two_routes'
    | 'dead_turn'
    | 'parked_job'
    | 'stuck_delivery'
    | 'future_clock'
    | 'legacy_collision'
    | 'seed_pseudonyms'
  readonly message: string
}

/** How long a message may be on its way. Milliseconds. */
const sendingMs = 15 * 60_000
/** How far clocks of nodes may be apart. Milliseconds. */
const skewMs = 1_000
const pageSize = 500

/** Looks at all that a gateway keeps, and changes nothing of it. A healthy one gives no finding. Law G85. */
export async function checkGateway(front: Front): Promise<readonly GatewayFinding[]> {
  const found = [
    ...(await checkRoutes(front)),
    ...(await checkLegacy(front)),
    ...(await checkDeliveries(front)),
    ...(await checkJobs(front)),
  ]
  if (front.desk.settings.privacy.pseudonyms === 'seed')
    found.push({
      kind: 'seed_pseudonyms',
      message: 'privacy.pseudonyms is seed: bare hashes of phone numbers are guessed in minutes. Take hmac.',
    })
  return found
}

async function checkRoutes(front: Front): Promise<GatewayFinding[]> {
  const { store } = front
  const found: GatewayFinding[] = []
  const keysBySession = new Map<string, string[]>()
  for (let cursor: string | undefined; ;) {
    const page = await store.routes({ limit: pageSize, ...given({ cursor }) })
    for (const row of page.items) {
      const route = readRoute(row)?.route
      if (route === undefined) continue
      const keys = keysBySession.get(route.sessionId)
      if (keys === undefined) keysBySession.set(route.sessionId, [route.key])
      else keys.push(route.key)
      found.push(...(await checkRoute(front, route)))
    }
    if (page.next === undefined) break
    cursor = page.next
  }
  for (const [session, keys] of keysBySession)
    if (keys.length > 1) found.push({ kind: 'session_on_two_routes', message: `${session} is current on ${keys.join(' and ')}.` })
  return found
}

async function checkRoute({ store, desk, tenant }: Front, route: KeptRoute): Promise<GatewayFinding[]> {
  const found: GatewayFinding[] = []
  const { key, sessionId, openTurn } = route
  const row = await store.session(sessionId)
  if (!isThere(row)) found.push({ kind: 'route_without_session', message: `${key} leads to ${sessionId}, which is gone.` })
  const now = desk.now
  if (openTurn !== undefined && !desk.runsHere(tenant, sessionId)) {
    const lease = row?.lease
    const lives = lease !== undefined && lease.owner !== null && lease.token === openTurn.fence && lease.until >= now
    if (!lives) found.push({ kind: 'dead_turn', message: `${key} has a turn that nobody carries on, ${openTurn.turnId}.` })
  }
  const clocks = { lastUserAt: 0, lastActivityAt: 0, startedAt: 0, lastTurnEndedAt: 0 }
  const ahead = (Object.keys(clocks) as (keyof typeof clocks)[]).filter(name => (route[name] ?? 0) > now + skewMs)
  if (ahead.length > 0) found.push({ kind: 'future_clock', message: `${key} has times in the future: ${ahead.join(', ')}.` })
  return found
}

async function checkLegacy({ store }: Front): Promise<GatewayFinding[]> {
  const found: GatewayFinding[] = []
  for await (const record of recordsOf({ store }, gatewayRecords.legacy)) {
    const keys: string[] = []
    for (const key of keysOf(record)) if ((await readRouteRow(store, key)) !== undefined) keys.push(key)
    if (keys.length > 1) found.push({ kind: 'legacy_collision', message: `${record.key} names ${keys.join(' and ')}.` })
  }
  return found
}

async function checkDeliveries({ store, desk }: Front): Promise<GatewayFinding[]> {
  const found: GatewayFinding[] = []
  for await (const record of recordsOf({ store }, outboxCollection, outboxStateTag('sending'))) {
    const { row } = storedOutbox(record)
    if (desk.now - row.at > sendingMs)
      found.push({ kind: 'stuck_delivery', message: `${row.id} to ${row.to.platform} has been on its way for over 15 minutes.` })
  }
  return found
}

async function checkJobs({ store }: Front): Promise<GatewayFinding[]> {
  const found: GatewayFinding[] = []
  for (let before: JobId | undefined; ;) {
    const page = await store.jobs({ states: ['parked'], limit: 200, ...given({ before }) })
    for (const { id, kind } of page)
      found.push({ kind: 'parked_job', message: `${id} (${kind}) was given up. See skein jobs show ${id}.` })
    if (page.length < 200) return found
    before = page.at(-1)?.id
  }
}

async function* recordsOf({ store }: Pick<Front, 'store'>, collection: string, tag?: string): AsyncGenerator<RecordRow> {
  for (let cursor: string | undefined; ;) {
    const page = await store.records(collection, { limit: pageSize, ...given({ tag, cursor }) })
    yield* page.items
    if (page.next === undefined) return
    cursor = page.next
  }
}
