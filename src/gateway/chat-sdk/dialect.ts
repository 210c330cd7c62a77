import type { Timers } from '#kernel'
import type { ChatAdapter, ChatMessage } from './chat.ts'

/** Where a message came from, in the words of a source. */
export interface Place {
  readonly chatId: string
  readonly chatType: 'dm' | 'group' | 'channel'
  readonly chatName?: string | undefined
  readonly threadId?: string | undefined
  readonly scopeId?: string | undefined
  readonly userIdAlt?: string | undefined
}

/** A message or a command, as an adapter tells of it. */
export interface Told {
  /** The adapter's own word for the place. */
  readonly threadId: string
  /** The platform's message, as it came. */
  readonly raw: Readonly<Record<string, unknown>>
  /** All of the request that brought it, where one did. */
  readonly payload: Readonly<Record<string, unknown>>
  readonly isCommand: boolean
}

export interface Destined {
  readonly chatId: string
  readonly threadId?: string
  readonly scopeId?: string
}

/** What is each platform's own, where the SDK's words do not tell enough. */
export interface Dialect {
  /** UTF-16 units of one message. */
  readonly maxTextChars: number
  readonly edits: boolean
  readonly typing: boolean
  readonly threads: boolean
  /** A thread is a conversation: who was spoken to in it once is spoken to by all that comes in it. */
  readonly staysInThread: boolean
  /** Commands are made by whoever made the bot: one that the gateway does not know only says to whom one speaks. */
  readonly ownCommands: boolean
  place(adapter: ChatAdapter, told: Told): Place
  /** The platform's id of a command, which is no message. */
  commandId(told: Told, triggerId: string | undefined): string | undefined
  threadIdOf(adapter: ChatAdapter, to: Destined): string
  /** The message as it came, read without asking anybody; undefined where the request does not hold exactly one. */
  readAtOnce?(adapter: ChatAdapter, payload: Told['payload']): ChatMessage | undefined
  /** Whether it answers the bot, where the SDK does not count that as speaking to it. */
  answersBot?(adapter: ChatAdapter, told: Told): boolean
  /** How people see the bot named in a text, where that is not the name that it signs in with. */
  shownName?(adapter: ChatAdapter): Promise<string | undefined>
  /** What shows as this text where no Markdown is meant. */
  plain?(text: string): string
  /** Hears what the platform does not send by requests, until the signal is aborted. */
  hear?(adapter: ChatAdapter, until: { readonly signal: AbortSignal; readonly timers: Timers }): Promise<void>
}

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined

export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
