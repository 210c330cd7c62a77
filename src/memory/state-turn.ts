import type { SessionId } from '#kernel'
import type { Change } from '#journal'

/** Its watermark makes whoever writes state wait for their turn: it is moved by one of two that have read the same. */
export const stateReader = 'state'

/** Goes with an entry that changes the state; `expect` was read before the state was. */
export function stateTurn(session: SessionId, seq: number, expect: number): Change {
  return { type: 'put_watermark', session, reader: stateReader, seq, expect }
}
