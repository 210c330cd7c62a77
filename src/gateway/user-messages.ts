import type { EntryId } from '#kernel'
import { type Entry, type EntryOf, isType, type SessionRow } from '#journal'
import type { Front } from './desk.ts'

export interface BeforeMessage {
  /** The entry right before the turn of that message. */
  readonly to: EntryId
  readonly message: EntryId
  /** How many messages of a user lie behind it; at most as many as there are. */
  readonly count: number
}

const types = ['message_added', 'turn_started', 'session_created', 'session_forked']

/** Where the branch stood before its nth last user message, or before the first of all; undefined without one. Law G65. */
export async function beforeUserMessage({ store }: Front, row: SessionRow, nth: number): Promise<BeforeMessage | undefined> {
  let found: Omit<BeforeMessage, 'to'> | undefined
  let begins: Entry | undefined
  let from = row.leafId
  while (from !== null) {
    const page = await store.branch(row.id, { from, types, limit: 200 })
    for (const entry of page) {
      if (isType(entry, 'message_added') && entry.data.role === 'user' && isUsers(entry)) {
        // The turn that an earlier message began is complete: its own beginning was passed.
        if (found !== undefined && found.count >= nth) return placed(found, begins)
        found = { count: (found?.count ?? 0) + 1, message: entry.id }
        begins = entry
      } else if (found !== undefined && isType(entry, 'turn_started') && entry.turn === begins?.turn) begins = entry
    }
    const last = page.at(-1)
    from = page.length < 200 ? null : (last?.parentId ?? null)
  }
  return found === undefined ? undefined : placed(found, begins)
}

function placed(found: Omit<BeforeMessage, 'to'>, begins: Entry | undefined): BeforeMessage | undefined {
  return begins?.parentId === null || begins?.parentId === undefined ? undefined : { ...found, to: begins.parentId }
}

/** What hooks and gates say stands as the user's, and is not. */
const isUsers = ({ data }: EntryOf<'message_added'>): boolean => data.source !== 'hook' && data.source !== 'gate'
