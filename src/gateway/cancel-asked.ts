import { isObject, type SessionId } from '#kernel'
import type { TenantStore } from '#journal'
import type { Front } from './desk.ts'

const collection = 'gateway.cancel'
const lifeMs = 3_600_000

/** Asks whatever process runs a turn to cancel it; it looks every two seconds. */
export async function askToCancel({ store, desk }: Pick<Front, 'store' | 'desk'>, turn: string): Promise<void> {
  const { now } = desk
  await store.commit([{ type: 'put_record', collection, key: turn, value: { at: now }, expiresAt: now + lifeMs }])
}

/** The same for the turn that goes on in a session, if there is one. */
export async function askToCancelIn(front: Pick<Front, 'store' | 'desk'>, session: SessionId): Promise<void> {
  const running = (await front.store.session(session))?.data['running']
  if (isObject(running) && typeof running['turn'] === 'string') await askToCancel(front, running['turn'])
}

export async function isAskedToCancel(store: TenantStore, turn: string): Promise<boolean> {
  return (await store.record(collection, turn)) !== undefined
}
