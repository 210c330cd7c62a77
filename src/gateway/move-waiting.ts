import type { Change, TenantStore } from '#journal'
import { busyInbox, putInbox } from './inbox-row.ts'
import { intoQueue, outOfQueue, queuePage } from './queue.ts'

/** So many messages go along in one commit; further ones come from the old key when it is their turn. */
const mostMoved = 1_000

/** What waits under a key waits under another from now on, each at the place that its time of arrival gives it. Law G17. */
export async function moveWaiting(store: TenantStore, from: string, to: string): Promise<Change[]> {
  const rows = await queuePage(store, from, mostMoved)
  return rows.flatMap(({ row, version }) => {
    const moved = { ...row, key: to }
    return [putInbox(moved, version), ...outOfQueue([row]), ...intoQueue(to, [moved])]
  })
}

/** The messages of a turn go along with its session. */
export async function moveBusy(store: TenantStore, from: string, to: string): Promise<Change[]> {
  return (await busyInbox(store, from)).map(({ row, version }) => putInbox({ ...row, key: to }, version))
}
