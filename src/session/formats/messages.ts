import { type BlobId, invalidInput, type Json, type JsonObject } from '#kernel'
import { readAiSdk, writeAiSdk } from './ai-sdk-messages.ts'
import { readAnthropic, writeAnthropic } from './anthropic-messages.ts'
import { base64, type ContentOf, contentOfFile, type FormatMessage, type OutgoingMessage } from './message-shape.ts'
import { readOpenAi, writeOpenAi } from './openai-messages.ts'
import { readResponses, writeResponses } from './responses-items.ts'

/** The shapes that messages come and go in. `skein` is the journal's own. */
export const messageFormats = ['skein', 'openai', 'openai-responses', 'anthropic', 'ai-sdk'] as const
export type MessageFormat = (typeof messageFormats)[number]
export type ForeignFormat = Exclude<MessageFormat, 'skein'>

export function isMessageFormat(value: unknown): value is MessageFormat {
  return (messageFormats as readonly unknown[]).includes(value)
}

/**
 * Reads a provider's messages as Skein's. Members that Skein has no place for are kept in `providerData` of the message
 * or part and come back when the same format is written; a wrong shape rejects `input.invalid` with its path
 * (`messages[2].content[0].type`). One message may become several (results apart from what the user says).
 * A result that names no tool gets the name of the call with its id in the same list, else `unknown`.
 */
export function readForeign(format: ForeignFormat, messages: unknown, path: string = 'messages'): FormatMessage[] {
  switch (format) {
    case 'openai':
      return readOpenAi(messages, path)
    case 'openai-responses':
      return readResponses(messages, path)
    case 'anthropic':
      return readAnthropic(messages, path)
    case 'ai-sdk':
      return readAiSdk(messages, path)
    default:
      format satisfies never
      throw invalidInput('format', `Expected one of ${messageFormats.join(', ')}.`)
  }
}

export interface WriteMessagesOptions {
  /** The content of stored files. A file whose content is not at hand is named in words. */
  readonly contentOf?: (blob: BlobId) => Uint8Array | undefined
}

/**
 * Writes messages in a format. Their large parts must have been fetched. What a format has no place for is left out
 * (custom parts; reasoning without a signature, or of another provider where only its own may come back).
 * Throws `input.invalid` for an unknown format.
 */
export function writeMessages(
  format: MessageFormat,
  messages: readonly OutgoingMessage[],
  options: WriteMessagesOptions = {},
): unknown[] {
  const contentOf: ContentOf = options.contentOf ?? (() => undefined)
  switch (format) {
    case 'skein':
      return messages.map(message => writeOwn(message, contentOf))
    case 'openai':
      return writeOpenAi(messages, contentOf)
    case 'openai-responses':
      return writeResponses(messages, contentOf)
    case 'anthropic':
      return writeAnthropic(messages, contentOf)
    case 'ai-sdk':
      return writeAiSdk(messages, contentOf)
    default:
      format satisfies never
      throw invalidInput('format', `Expected one of ${messageFormats.join(', ')}.`)
  }
}

/** Skein's own shape: files with their content as base64 `data` where it is at hand, else by their blob. */
function writeOwn(message: OutgoingMessage, contentOf: ContentOf): Json {
  const parts = message.parts.map(part => {
    if (part.type !== 'file') return part
    const bytes = contentOfFile(part, contentOf)
    if (bytes === undefined) return part
    const {
      blob: _blob,
      bytes: _bytes,
      data: _data,
      ...rest
    } = part as JsonObject & typeof part & { blob?: BlobId; bytes?: number; data?: unknown }
    return { ...rest, data: base64(bytes) }
  })
  return { ...message, parts } as unknown as Json
}
