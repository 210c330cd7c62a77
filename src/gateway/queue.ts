import { given, isObject } from '#kernel'
import type { Change, RecordRow, TenantStore } from '#journal'
import { busyInbox, type InboxRow, inboxRow, type StoredInbox } from './inbox-row.ts'
import { gatewayRecords, type KeptRoute, type Queue, storedKey } from './route.ts'

/** A route as it will be, and what else makes it so. */
export interface Queued {
  readonly route: KeptRoute
  readonly changes: readonly Change[]
}

const empty: Queue = { waiting: 0, interrupting: 0, last: 0 }
/** Further than any two messages are apart: what interrupts comes before all else that waits. */
const ahead = 10_000_000_000_000

export const queueOf = ({ queue = empty }: Pick<KeptRoute, 'queue'>): Queue => queue
export const isWaiting = ({ state }: Pick<InboxRow, 'state'>): boolean => state === 'queued' || state === 'collected'

/** The place of a message that comes now: its time, but later than whoever came before, whatever the clock says. */
export const orderAfter = (route: Pick<KeptRoute, 'queue'>, at: number): number => Math.max(at, queueOf(route).last + 1)

/** The route after a message of this order came to it. */
export const arrived = <R extends Pick<KeptRoute, 'queue'>>(route: R, order: number): R => ({
  ...route,
  queue: { ...queueOf(route), last: Math.max(queueOf(route).last, order) },
})

/**
 * What waits of a route stands in a collection of its own, in the order in which it is to begin: the first is found without a
 * look at the others, however many there are.
 */
const collectionOf = (key: string): string => `gateway.queue ${storedKey(key)}`
const groupTag = ({ sender, internal }: Pick<InboxRow, 'sender' | 'internal'>): string =>
  `${internal === true ? 'host' : 'user'} ${sender ?? ''}`

/** These messages wait behind those that do. */
export function joinQueue(route: KeptRoute, rows: readonly InboxRow[]): Queued {
  return { route: counted(route, rows, 1), changes: intoQueue(route.key, rows) }
}

/** These messages wait no more. */
export function leaveQueue(route: KeptRoute, rows: readonly InboxRow[]): Queued {
  return { route: counted(route, rows, -1), changes: outOfQueue(rows) }
}

/** The same where no route counts them. */
export const intoQueue = (key: string, rows: readonly InboxRow[]): Change[] => rows.map(row => entryOf(key, row))
export const outOfQueue = (rows: readonly InboxRow[]): Change[] =>
  rows.map(row => ({ type: 'delete_record', collection: collectionOf(row.key ?? ''), key: row.id }))

/** Both queues are one route's now. */
export const joinedQueues = (a: KeptRoute, b: KeptRoute): Queue => {
  const [one, other] = [queueOf(a), queueOf(b)]
  return {
    waiting: one.waiting + other.waiting,
    interrupting: one.interrupting + other.interrupting,
    last: Math.max(one.last, other.last),
  }
}

function entryOf(key: string, row: InboxRow): Change {
  return {
    type: 'put_record',
    collection: collectionOf(key),
    key: row.id,
    value: null,
    sort: row.mode === 'interrupt' ? row.order - ahead : row.order,
    ...(row.state === 'collected' ? { tags: [groupTag(row)] } : {}),
  }
}

function counted(route: KeptRoute, rows: readonly InboxRow[], sign: 1 | -1): KeptRoute {
  if (rows.length === 0) return route
  const { waiting, interrupting, last } = queueOf(route)
  const interrupts = rows.filter(({ mode }) => mode === 'interrupt').length
  const queue: Queue = {
    waiting: Math.max(0, waiting + sign * rows.length),
    interrupting: Math.max(0, interrupting + sign * interrupts),
    last: Math.max(last, ...rows.map(({ order }) => order)),
  }
  return { ...route, queue }
}

/** The message of a route that is to begin next. */
export async function queueHead(store: TenantStore, key: string): Promise<StoredInbox | undefined> {
  return (await queuePage(store, key, 1))[0]
}

/** The first messages that wait, in order. */
export async function queuePage(store: TenantStore, key: string, limit: number): Promise<StoredInbox[]> {
  const { items } = await store.records(collectionOf(key), { limit })
  return await rowsOf(store, items)
}

/** What the sender of a collected message said that is to be one turn with it, at most 200 of them. */
export async function queueGroup(store: TenantStore, key: string, { row }: StoredInbox): Promise<StoredInbox[]> {
  const { items } = await store.records(collectionOf(key), { tag: groupTag(row), limit: 200 })
  return await rowsOf(store, items)
}

export async function hasQueue(store: TenantStore, key: string): Promise<boolean> {
  return (await store.records(collectionOf(key), { limit: 1 })).items.length > 0
}

async function rowsOf(store: TenantStore, entries: readonly RecordRow[]): Promise<StoredInbox[]> {
  const rows = await Promise.all(entries.map(({ key }) => inboxRow(store, key)))
  return rows.filter(row => row !== undefined)
}

/** Says that something of a route is not over, so that whoever starts next looks there. Written with whatever begins to wait. */
export function markOpen({ key }: Pick<KeptRoute, 'key'>): Change {
  return { type: 'put_record', collection: gatewayRecords.open, key: storedKey(key), value: { key } }
}

/** All is over there. `version`: of the mark that was read before all was. */
export function unmarkOpen({ key }: Pick<KeptRoute, 'key'>, version?: number): Change {
  return { type: 'delete_record', collection: gatewayRecords.open, key: storedKey(key), ...given({ expectVersion: version }) }
}

/** The same where a turn is taken off its route, unless it has messages, or others wait. */
export async function unmarkTurn(store: TenantStore, route: KeptRoute): Promise<Change[]> {
  if (route.openTurn === undefined || queueOf(route).waiting > 0) return []
  return (await busyInbox(store, route.key)).length > 0 ? [] : [unmarkOpen(route)]
}

/** Where something may not be over, page by page. */
export async function* openMarks(store: TenantStore): AsyncGenerator<{ readonly key: string; readonly version: number }> {
  for (let cursor: string | undefined; ;) {
    const page = await store.records(gatewayRecords.open, { limit: 200, ...given({ cursor }) })
    for (const { value, version } of page.items) {
      const { key } = isObject(value) ? value : {}
      if (typeof key === 'string') yield { key, version }
    }
    if (page.next === undefined) return
    cursor = page.next
  }
}
