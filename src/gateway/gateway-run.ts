import { isObject } from '#kernel'
import type { SessionRow } from '#journal'
import type { Front } from './desk.ts'
import { busyInbox } from './inbox-row.ts'

/** Whether the run that a session shows was begun by the gateway, which alone carries it on: the host's own runs are not. */
export async function isGatewayRun({ store }: Pick<Front, 'store'>, { id, data }: SessionRow): Promise<boolean> {
  const { route: bound, running } = data
  if (!isObject(bound) || typeof bound['key'] !== 'string' || !isObject(running)) return false
  const busy = await busyInbox(store, bound['key'])
  return busy.some(({ row }) => row.session === id && row.run === running['run'] && row.state !== 'steered')
}
