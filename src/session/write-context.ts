import { type Json, toJson } from '#kernel'
import type { Message } from '#journal'
import type { SessionCore } from './core.ts'
import { type MessageFormat, writeMessages } from './formats/messages.ts'
import { fileContents } from './read-messages.ts'

/** What the messages of a context became in a format, as long as they are. Whoever asks again gets a copy to change. */
const written = new WeakMap<readonly Message[], { readonly format: MessageFormat; readonly messages: readonly Json[] }>()

/** The messages in the shape that was asked for, with the contents of files. */
export async function writeContext(
  core: SessionCore,
  messages: readonly Message[],
  format: MessageFormat,
): Promise<readonly unknown[]> {
  const known = written.get(messages)
  if (known?.format === format) return toJson(known.messages) as readonly Json[]
  // Files may stand as bytes or urls, which are no JSON.
  if (messages.some(({ parts }) => parts.some(part => part.type === 'file')))
    return writeMessages(format, messages, await fileContents(core, messages))
  const made = standsAlone[format]
    ? messages.flatMap(message => writeOnce(format, message))
    : (writeMessages(format, messages) as Json[])
  written.set(messages, { format, messages: made })
  return toJson(made) as readonly Json[]
}

/** Formats in which a message without files is written alike, whatever stands beside it. */
const standsAlone: Readonly<Record<MessageFormat, boolean>> = {
  skein: true,
  openai: true,
  'openai-responses': false,
  anthropic: false,
  'ai-sdk': false,
}

const alone = new WeakMap<Message, { readonly format: MessageFormat; readonly messages: readonly Json[] }>()

function writeOnce(format: MessageFormat, message: Message): readonly Json[] {
  const known = alone.get(message)
  if (known?.format === format) return known.messages
  const messages = writeMessages(format, [message]) as Json[]
  alone.set(message, { format, messages })
  return messages
}
