import { given, type Id, invalidInput, isObject, type SessionId, SkeinError, type TurnId } from '#kernel'
import type { PartInput } from '#journal'
import { readParts } from '#session'
import { type BusyMode, busyModes } from './settings.ts'
import { decodeSource, invalidSource, isId, type Source, type SourceInput } from './source.ts'

/** A message from somewhere. */
export interface Inbound {
  readonly source: SourceInput
  readonly text: string
  /** The platform's id of this event: the same one again changes nothing. Default: the source's `messageId`. */
  readonly eventId?: string | number
  readonly parts?: readonly PartInput[]
  /** What was said before it, that the session has not seen. */
  readonly context?: string
  /** The message of the platform that this one answers. */
  readonly replyTo?: string
  /** What becomes of it while a run goes on. Default: the platform's, then the gateway's. */
  readonly busy?: BusyMode
  /** The host's own, not a user's. Adapters may not say so. */
  readonly internal?: true
}

/** What became of a message. It is stored when this is known. */
export interface InboxReceipt {
  readonly inboxId: Id<'inb'>
  readonly status: 'started' | 'steered' | 'queued' | 'collected' | 'interrupting' | 'handled' | 'refused'
  readonly duplicate?: true
  /** Why it was refused, or `paused`: why it waits. */
  readonly reason?: string
  /** Of a queued one, from 1. */
  readonly position?: number
  readonly sessionId?: SessionId
  readonly turnId?: TurnId
}

export interface ReadInbound extends Omit<Inbound, 'source' | 'eventId' | 'busy'> {
  readonly source: Source
  readonly eventId?: string
  readonly busy?: BusyMode
}

const mostCharacters = 200_000

/**
 * Checks a message before anything is looked up. Throws `source.invalid`, `input.invalid`, and `input.too_large` beyond 200,000
 * characters. `outside`: adapters and HTTP, from where nothing is internal. Law G61.
 */
export function readInbound(value: unknown, { outside = false }: { readonly outside?: boolean } = {}): ReadInbound {
  if (!isObject(value)) throw invalidInput('message', 'Expected a message.')
  const { source: from, text = '', eventId, parts, context, replyTo, busy, internal, ...unknown } = value
  const [more] = Object.keys(unknown)
  if (more !== undefined) throw invalidInput(more, 'Unknown member.')
  const source = decodeSource(from)
  if (internal !== undefined && internal !== true && internal !== false) throw invalidInput('internal', 'Expected true.')
  if (internal === true && outside) throw invalidSource('internal', 'Messages from outside are not internal.')
  if (typeof text !== 'string') throw invalidInput('text', 'Expected a text.')
  const length = text.length + (typeof context === 'string' ? context.length : 0)
  if (length > mostCharacters)
    throw new SkeinError('input.too_large', `A message has at most ${mostCharacters} characters.`, {
      details: { limit: mostCharacters, length },
    })
  if (context !== undefined && typeof context !== 'string') throw invalidInput('context', 'Expected a text.')
  if (busy !== undefined && !(busyModes as readonly unknown[]).includes(busy))
    throw invalidInput('busy', `Expected one of ${busyModes.join(', ')}.`)
  return {
    source,
    text: text.toWellFormed(),
    ...given({
      eventId: readId('eventId', eventId ?? source.messageId),
      parts: parts === undefined ? undefined : storable(parts),
      context: context?.toWellFormed(),
      replyTo: readId('replyTo', replyTo),
      busy: busy as BusyMode | undefined,
      internal: internal === true ? (true as const) : undefined,
    }),
  }
}

export const isBlank = ({ text, parts = [] }: Pick<ReadInbound, 'text' | 'parts'>): boolean =>
  text.trim() === '' && parts.length === 0

function readId(path: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const id = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  if (typeof id === 'string' && isId(id)) return id
  throw invalidInput(path, 'Expected an id of at most 512 bytes of well-formed text.')
}

/** Parts as a row holds them: bytes as base64. Throws `input.invalid`. */
function storable(parts: unknown): readonly PartInput[] {
  return readParts(parts, 'parts').map(part =>
    part.type === 'file' && 'data' in part && part.data instanceof Uint8Array
      ? { ...part, data: Buffer.from(part.data).toString('base64') }
      : part,
  ) as readonly PartInput[]
}
