import { isObject } from '#kernel'
import { type Entry, isType, type SessionRow } from '#journal'
import type { Reads } from './find-route.ts'

/** How many entries of turns are looked at; in a turn that is longer, nobody is asked who began it. */
const looksBack = 200

/**
 * When the newest turn ended, after `since`, that the gateway did not begin by itself: what a host sent to the session of a
 * route counts as the user's. Law G86.
 */
export async function lastUserTurnEnd(store: Reads, row: SessionRow | undefined, since: number): Promise<number | undefined> {
  if (row === undefined || row.counters.turnCount === 0) return undefined
  const types = ['turn_started', 'turn_ended', 'message_added']
  const entries = await store.entries(row.id, { types, order: 'desc', limit: looksBack })
  let ended: Entry | undefined
  let internal = false
  for (const entry of entries) {
    if (isType(entry, 'turn_ended')) {
      if (entry.at <= since) return undefined
      ended = entry
      internal = false
    } else if (isType(entry, 'message_added')) internal ||= entry.data.role === 'user' && isInternal(entry.data.source)
    else if (ended !== undefined && !internal) return ended.at
  }
  return internal ? undefined : ended?.at
}

/** How the gateway marks the messages of turns that no user began. */
export const internalMark = { internal: true } as const

const isInternal = (source: unknown): boolean => isObject(source) && source['internal'] === true
