import { type Timers, wait } from '#kernel'
import type { FileInput } from '#journal'
import type { ChatAttachment } from './chat.ts'

/** Bytes of all that comes with one message. */
const mostBytes = 20 * 2 ** 20
const mostFiles = 10
/** How long what comes with one message may take, altogether. */
const fetchMs = 10_000

const kinds: Readonly<Record<ChatAttachment['type'], string>> = {
  image: 'image/jpeg',
  video: 'video/mp4',
  audio: 'audio/ogg',
  file: 'application/octet-stream',
}

export interface ReadAttachments {
  readonly parts: readonly FileInput[]
  /** One line for each that is not here, and why. */
  readonly missing: readonly string[]
}

/** Fetches what came with a message: at most ten files and 20 MiB within ten seconds. What is not fetched is said, not fatal. */
export async function readAttachments(attachments: readonly ChatAttachment[], timers: Timers): Promise<ReadAttachments> {
  const parts: FileInput[] = []
  const missing: string[] = []
  let room = mostBytes
  const done = new AbortController()
  let isLate = false
  const late = wait(timers, fetchMs, done.signal).then(() => void (isLate = true))
  for (const [index, attachment] of attachments.entries()) {
    const name = attachment.name ?? attachment.type
    const miss = (why: string): unknown => missing.push(`[${name}: ${why}]`)
    if (index >= mostFiles) miss('not fetched, too many')
    else if ((attachment.size ?? 0) > room) miss('not fetched, too large')
    else if (isLate) miss('not fetched in time')
    else {
      const data = await Promise.race([bytesOf(attachment).catch(() => null), late.then(() => undefined)])
      if (data === undefined) miss('not fetched in time')
      else if (data === null) miss('could not be fetched')
      else if (data.length > room) miss('not fetched, too large')
      else {
        room -= data.length
        parts.push({
          type: 'file',
          mediaType: attachment.mimeType ?? kinds[attachment.type],
          ...(attachment.name === undefined ? {} : { name: attachment.name }),
          data,
        })
      }
    }
  }
  done.abort()
  return { parts, missing }
}

/** Null where there is nothing to fetch. */
async function bytesOf({ data, fetchData }: ChatAttachment): Promise<Uint8Array | null> {
  if (data instanceof Uint8Array) return data
  if (data instanceof Blob) return new Uint8Array(await data.arrayBuffer())
  if (fetchData === undefined) return null
  const fetched = await fetchData()
  return fetched instanceof Uint8Array ? fetched : new Uint8Array(fetched)
}
