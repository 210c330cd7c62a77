import { canonical, type Json } from '#kernel'
import type { Message, Part } from '#journal'

/** Estimates tokens; pure and total. `id` is kept beside what it counted. */
export interface TokenCounter {
  readonly id: string
  count(text: string): number
}

/** Hundredths of a token per code point. Measured against o200k: prose 1.05, code 0.97–1.05, JSON 0.96, Chinese 1.29. */
const weight = { astral: 200, letter: 22, cjk: 100, other: 50 } as const

/** The default: no table to load, never lower for more text, safe for lone surrogates. Source: spec/context.md 1, laws C1 and C2. */
export const weightsCounter: TokenCounter = {
  id: 'weights/1',
  count(text) {
    let hundredths = 0
    for (let from = 0; from < text.length;) {
      const { read, written } = encoder.encodeInto(from === 0 ? text : text.slice(from), scratch)
      hundredths += written === read ? weighAscii(scratch, written) : weigh(scratch, written)
      from += read
    }
    return Math.ceil(hundredths / 100)
  },
}

/** UTF-8 is walked twice as fast as a string. A lone surrogate stands in it as U+FFFD, which weighs the same. */
const encoder = new TextEncoder()
const scratch = new Uint8Array(65_536)

/** What is as long in UTF-8 as in UTF-16 is ASCII. */
function weighAscii(bytes: Uint8Array, length: number): number {
  let hundredths = 0
  for (let i = 0; i < length; i++) hundredths += byteWeights[bytes[i] as number] as number
  return hundredths
}

function weigh(bytes: Uint8Array, length: number): number {
  let hundredths = 0
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] as number
    if (byte < 0xe0 || byte >= 0xf0) hundredths += byteWeights[byte] as number
    else {
      const code = ((byte & 0x0f) << 12) | (((bytes[i + 1] as number) & 0x3f) << 6) | ((bytes[i + 2] as number) & 0x3f)
      hundredths += isCjk(code) ? weight.cjk : weight.other
    }
  }
  return hundredths
}

const isLetterOrSpace = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 32 || code === 9 || code === 10 || code === 13
/** By the first byte of a code point; the bytes after it weigh nothing. */
const byteWeights = Uint8Array.from({ length: 0x100 }, (_, byte) => {
  if (byte < 0x80) return isLetterOrSpace(byte) ? weight.letter : weight.other
  return byte < 0xc0 ? 0 : byte < 0xf0 ? weight.other : weight.astral
})

function isCjk(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x11ff) ||
    (code >= 0x2e80 && code <= 0x30ff) ||
    (code >= 0x3130 && code <= 0x318f) ||
    (code >= 0x3400 && code <= 0x4dbf) ||
    (code >= 0x4e00 && code <= 0x9fff) ||
    (code >= 0xac00 && code <= 0xd7af) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xff00 && code <= 0xffef)
  )
}

/** What every message costs beside its parts. */
export const messageOverhead = 4
const callOverhead = 8
/** Of a file whose content was not at hand when it was stored. */
const unknownFile = 1_600

/** A message's tokens: 4 and the sum of its parts'. `texts`: by part, its payload as JSON, if it is at hand. Law C4. */
export function messageTokens(
  message: Pick<Message, 'parts'>,
  counter: TokenCounter = weightsCounter,
  texts: readonly (string | undefined)[] = [],
): number {
  return message.parts.reduce((sum, part, index) => sum + partTokens(part, counter, texts[index]), messageOverhead)
}

export function partTokens(part: Part, counter: TokenCounter = weightsCounter, text?: string): number {
  switch (part.type) {
    case 'text':
      return counter.count(part.text)
    case 'reasoning':
      return counter.count(part.text)
    case 'tool_call':
      return counter.count(part.tool) + counter.count(inputText(part.input, counter, text)) + callOverhead
    case 'tool_result':
      return counter.count(typeof part.output === 'string' ? part.output : (text ?? outputText(part.output))) + callOverhead
    case 'file':
      return part.tokens ?? unknownFile
    case 'source':
      return counter.count(part.url) + counter.count(part.title ?? '')
    case 'custom':
      return 0
    case 'lost':
      return callOverhead
    default:
      return (part satisfies never, 0)
  }
}

/** A call's input in the one order of keys; weights of characters are the same in any. */
const inputText = (input: Json, counter: TokenCounter, text: string | undefined): string =>
  text !== undefined && counter === weightsCounter ? text : canonical(input)

/** A result as a model reads it: a text as it is, anything else as JSON. */
export function outputText(output: Json): string {
  return typeof output === 'string' ? output : JSON.stringify(output)
}

/** An image's tokens by its size in pixels: ⌈w·h/750⌉ within 85 and 1,600. Law C3. */
export function imageTokens(width: number, height: number): number {
  return Math.min(1_600, Math.max(85, Math.ceil((width * height) / 750)))
}
