import { invalidInput, SkeinError, type BlobId, type RunId, type TurnId } from '#kernel'
import { blobsOf, checkKey, type Durability, type Entry, type Message, type NewBlob } from '#journal'
import type { SessionCore, WriteOptions } from './core.ts'
import { type Draft, draft } from './draft.ts'
import type { MessageInput } from './message-input.ts'
import { countedBy, type Origin, weighParts } from './weigh-parts.ts'

export interface VerbOptions {
  /** The same key and arguments again give the first answer and change nothing. */
  readonly idempotencyKey?: string
  readonly traceId?: string
  readonly signal?: AbortSignal
}

export interface Appended {
  /** One per message, in order. */
  readonly entries: readonly Entry[]
  /** Of the newest entry. */
  readonly seq: number
  /** Estimated tokens of the branch, as `info()` says them. */
  readonly liveTokens: number
  readonly durability: Durability
  readonly replayed: boolean
}

/** The options that a verb hands to the writer, checked. */
export function writeOptions(verb: string, options: VerbOptions, asked: unknown): WriteOptions {
  if (options.idempotencyKey !== undefined) checkKey(options.idempotencyKey)
  return {
    ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
    ...(options.traceId === undefined ? {} : { traceId: checkKey(options.traceId, 'traceId') }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    asked: [verb, asked],
  }
}

/** `message_added` drafts with their tokens counted once, large payloads set aside as blobs, and outlines of what is too large. */
export function messageDrafts(
  core: SessionCore,
  messages: readonly MessageInput[],
  extra: { by?: string; turn?: TurnId; run?: RunId } = {},
  origin: Origin = {},
): StowedMessages {
  const blobs: NewBlob[] = []
  const refs = new Set<BlobId>()
  const drafts = messages.map((input, index): Draft => {
    const { at, parts, ...rest } = input
    const weighed = weighParts(parts, core.keeping, origin, `messages[${index}].parts`)
    blobs.push(...weighed.blobs)
    const message: Message = { ...rest, parts: weighed.parts }
    for (const blob of blobsOf({ data: message })) refs.add(blob)
    return draft('message_added', message, {
      by: rest.role === 'assistant' ? 'model' : rest.role,
      ...extra,
      ...(at === undefined ? {} : { at }),
      tokens: weighed.tokens,
      ...countedBy(core.keeping.counter),
    })
  })
  return { drafts, blobs, blobRefs: [...refs] }
}

export interface StowedMessages {
  readonly drafts: readonly Draft[]
  readonly blobs: readonly NewBlob[]
  readonly blobRefs: readonly BlobId[]
}

/**
 * The content of blobs that a caller names. Each must be one that this session's entries name already: ids of others' content
 * give nothing away.
 */
export async function namedContents(
  core: SessionCore,
  messages: readonly MessageInput[],
): Promise<ReadonlyMap<BlobId, Uint8Array>> {
  const contents = new Map<BlobId, Uint8Array>()
  for (const message of messages) {
    for (const part of message.parts) {
      if (part.type !== 'file' || 'data' in part || part.blob === undefined) continue
      if (!(await core.store.hasBlob(core.id, part.blob)))
        throw new SkeinError('blob.not_found', `Session ${core.id} has no blob ${part.blob}.`, { details: { blob: part.blob } })
      const [row] = await core.store.blobs([part.blob])
      if (row !== undefined) contents.set(row.id, row.bytes)
    }
  }
  return contents
}

/** One `message_added` each, in one commit. A plain append that finds the leaf moved reads again and retries once. */
export async function appendMessages(
  core: SessionCore,
  messages: readonly MessageInput[],
  options: VerbOptions = {},
): Promise<Appended> {
  if (messages.length === 0) throw invalidInput('messages', 'Nothing to append.')
  const contents = await namedContents(core, messages)
  const stowed = messageDrafts(core, messages, {}, { handedIn: true, contents })
  const { committed, entries, row } = await core.path(() => stowed, {
    ...writeOptions('append', options, messages.map(digestable)),
    retryOnConflict: true,
  })
  const added = entries.filter(entry => entry.type === 'message_added')
  const last = entries.at(-1)
  return {
    entries: added,
    seq: last?.seq ?? row.seq,
    liveTokens: added.at(-1)?.totals?.tokens ?? row.totals.tokens,
    durability: committed.durability,
    replayed: committed.replayed,
  }
}

/** Content as it counts for an idempotency digest: bytes by their base64. */
export function digestable(message: MessageInput): unknown {
  return {
    ...message,
    parts: message.parts.map(part =>
      part.type === 'file' && 'data' in part ? { ...part, data: Buffer.from(part.data).toString('base64') } : part,
    ),
  }
}
