import type { EntryId, TurnId } from '#kernel'
import type { ContextNoted, Message } from '#journal'

/** One message entry of the branch, whole: a message, a custom entry with a text, or a note. `tokens` as stored with it. */
export interface ContextEntry {
  readonly id: EntryId
  readonly seq: number
  readonly at: number
  readonly turn?: TurnId
  readonly message: Message
  readonly tokens: number
  readonly note?: ContextNoted
}
