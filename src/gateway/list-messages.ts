import { aText, given, invalidInput, oneOf, parseId, shape, SkeinError, wholeNumber } from '#kernel'
import type { Page } from '#journal'
import type { Front } from './desk.ts'
import type { Exchange } from './exchange.ts'
import { busyInbox, inboxCollection, type InboxRow, inboxStates, type InboxState, inboxTag, storedInbox } from './inbox-row.ts'
import {
  deliverLater,
  outboxCollection,
  outboxKeyTag,
  outboxOpenTag,
  type OutboxRow,
  outboxRow,
  type OutboxState,
  outboxStates,
  outboxStateTag,
  putOutbox,
  storedOutbox,
  withCode,
} from './outbox-row.ts'
import { hasQueue } from './queue.ts'
import { sendingOf } from './desk.ts'

interface Paging {
  /** Of one route. */
  readonly key?: string
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
}
export interface InboxFilter extends Paging {
  readonly state?: InboxState
}
export interface OutboxFilter extends Paging {
  readonly state?: OutboxState
}

const paging = { key: aText, limit: wholeNumber(1, 200), cursor: aText }
const checkInbox = shape<InboxFilter>({ ...paging, state: oneOf(...inboxStates) }, 'filter')
const checkOutbox = shape<OutboxFilter>({ ...paging, state: oneOf(...outboxStates) }, 'filter')

/** Newest first; what is over stays for seven days. */
export async function listInbox(front: Front, filter: InboxFilter = {}): Promise<Page<InboxRow>> {
  checkInbox(filter)
  const tag =
    filter.state === undefined && filter.key !== undefined
      ? inboxTag({ key: filter.key })
      : inboxTag(given({ state: filter.state }))
  return await pages(front, inboxCollection, filter, tag, record => storedInbox(record).row)
}

export async function listOutbox({ front, pairings }: Exchange, filter: OutboxFilter = {}): Promise<Page<OutboxRow>> {
  checkOutbox(filter)
  const { state, key } = filter
  const tag = state === undefined ? key && outboxKeyTag(key) : outboxStateTag(state)
  const page = await pages(front, outboxCollection, filter, tag, record => storedOutbox(record).row)
  return { ...page, items: await Promise.all(page.items.map(row => withCode(row, id => pairings.codeOf(id)))) }
}

/** By one tag; what else is asked for is looked at row by row. */
async function pages<T extends { readonly key?: string }>(
  { store }: Front,
  collection: string,
  { key, limit = 50, cursor }: Paging,
  tag: string | undefined,
  read: (record: Parameters<typeof storedInbox>[0]) => T,
): Promise<Page<T>> {
  const items: T[] = []
  for (let at = cursor; ;) {
    const page = await store.records(collection, { order: 'desc', limit: limit - items.length, ...given({ tag, cursor: at }) })
    items.push(...page.items.map(read).filter(row => key === undefined || row.key === key))
    at = page.next
    if (at === undefined) return { items }
    if (items.length >= limit) return { items, next: at }
  }
}

/** Sends a message again that was given up or kept back. Throws `job.wrong_state` for others. */
export async function retryOutbox(exchange: Exchange, id: string): Promise<OutboxRow> {
  const { store, desk } = exchange.front
  const found = await outboxRow(store, parseId('out', id))
  if (found === undefined) throw invalidInput('id', `There is no message ${id} on its way.`)
  const { row, version } = found
  if (row.state !== 'abandoned')
    throw new SkeinError('job.wrong_state', `Message ${id} is ${row.state}; only one that was given up can be sent again.`, {
      details: { id, state: row.state },
    })
  const { endedAt: _ended, reason: _reason, lastError: _error, ...rest } = row
  const again: OutboxRow = { ...rest, state: 'pending', attempts: 0, at: desk.now }
  await store.commit([putOutbox(again, version), deliverLater(sendingOf(exchange.front), again)])
  exchange.wake()
  return again
}

/** Whether something of a route waits or is on its way. */
export async function hasWaiting(front: Front, key: string): Promise<boolean> {
  const { store } = front
  if ((await busyInbox(store, key)).length > 0 || (await hasQueue(store, key))) return true
  return (await store.records(outboxCollection, { tag: outboxOpenTag(key), limit: 1 })).items.length > 0
}
