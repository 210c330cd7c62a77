import { given } from '#kernel'
import { type Front, sendingOf } from './desk.ts'
import { routeAt } from './find-route.ts'
import { type InboxRow, movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { outboxChanges } from './outbox-row.ts'
import { isWaiting, leaveQueue, outOfQueue } from './queue.ts'
import { putRoute } from './route.ts'
import { replyRow } from './turn-end.ts'

/** Why messages of a route end without a turn. `told`: what their sender is told of it. */
export interface LetGo {
  readonly reason: string
  readonly told?: string
}

/** Ends messages that no turn answers, in one commit. Throws `store.conflict` where another was faster. */
export async function letGo(front: Front, key: string, rows: readonly StoredInbox[], { reason, told }: LetGo): Promise<void> {
  const [head] = rows
  if (head === undefined) return
  const { store, desk, tenant } = front
  const waited = rows.flatMap(({ row }) => (isWaiting(row) ? [row] : []))
  const found = waited.length === 0 ? undefined : await routeAt(store, key)
  const left = found === undefined ? { changes: outOfQueue(waited) } : leaveQueue(found.route, waited)
  const notice = told === undefined ? [] : [replyRow(desk.runtime.ids, head.row, told, desk.now)]
  await store.commit([
    ...rows.map(({ row, version }) => putInbox(dropped(row, reason, desk.now), version)),
    ...left.changes,
    ...(found !== undefined && 'route' in left ? [putRoute({ ...found, route: left.route })] : []),
    ...outboxChanges(sendingOf(front), notice),
  ])
  desk.events.tell(tenant, desk.now, ...rows.map(({ row }) => ({ type: 'message_dropped', id: row.id, reason }) as const))
}

function dropped(row: InboxRow, reason: string, endedAt: number): InboxRow {
  const waits = row.state === 'collected' || row.state === 'steered' ? movedTo(row, 'queued') : row
  return movedTo(waits, 'dropped', given({ reason, endedAt }))
}
