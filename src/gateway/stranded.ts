import { isType } from '#journal'
import type { Front } from './desk.ts'
import { routeAt } from './find-route.ts'
import { type InboxRow, movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { intoQueue, joinQueue, markOpen } from './queue.ts'
import { putRoute } from './route.ts'
import { saidAgain } from './turn-end.ts'

/**
 * What was said to a run that is no more: what it heard is done with it, what it did not hear waits for a turn of its own. Throws
 * `store.conflict` where another was faster.
 */
export async function sayAgain(front: Front, key: string, rows: readonly StoredInbox[]): Promise<void> {
  const { store, desk } = front
  const heard = await Promise.all(rows.map(({ row }) => wasHeard(front, row)))
  const found = await routeAt(store, key)
  const unheard = rows.flatMap(({ row }, n) => (heard[n] === true ? [] : [saidAgain(row, found?.route.key)]))
  const joined = found === undefined ? { changes: intoQueue(key, unheard) } : joinQueue(found.route, unheard)
  await store.commit([
    ...rows.map(({ row, version }, n) =>
      heard[n] === true
        ? putInbox(movedTo(row, 'done', { endedAt: desk.now, reason: 'interrupted' }), version)
        : putInbox(saidAgain(row, found?.route.key), version),
    ),
    ...joined.changes,
    ...(found !== undefined && 'route' in joined ? [putRoute({ ...found, route: joined.route }), markOpen(joined.route)] : []),
  ])
}

async function wasHeard({ store }: Front, { session, input, run }: InboxRow): Promise<boolean> {
  if (session === undefined || input === undefined) return false
  const told = await store.entries(session, { types: ['input_delivered'], order: 'desc', limit: 1_000 })
  return told.some(entry => entry.run === run && isType(entry, 'input_delivered') && entry.data.input === input)
}
