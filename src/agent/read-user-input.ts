import { invalidInput, isObject, SkeinError } from '#kernel'
import { type MessageInput, readMessage, readParts } from '#session'

const maxInputBytes = 4 * 2 ** 20

/** Reads what a person says: text, parts, or a user message. Blank without a file is `input.invalid`. */
export function readUserInput(input: unknown): MessageInput {
  const message =
    isObject(input) && !Array.isArray(input)
      ? readMessage({ role: 'user', ...input }, 'input')
      : readMessage({ role: 'user', parts: readParts(input, 'input') }, 'input')
  if (message.role !== 'user') throw invalidInput('input.role', 'Expected a user message.')
  const hasText = message.parts.some(part => part.type === 'text' && part.text.trim() !== '')
  if (!hasText && !message.parts.some(part => part.type === 'file')) throw invalidInput('input', 'Say something, or send a file.')
  const bytes = message.parts.reduce(
    (sum, part) =>
      sum +
      (part.type === 'text'
        ? Buffer.byteLength(part.text)
        : 'data' in part && part.data instanceof Uint8Array
          ? part.data.length
          : 0),
    0,
  )
  if (bytes > maxInputBytes)
    throw new SkeinError('input.too_large', `An input takes at most ${maxInputBytes} bytes.`, {
      details: { bytes, max: maxInputBytes },
    })
  return message
}
