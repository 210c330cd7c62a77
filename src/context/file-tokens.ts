import { imageTokens, type TokenCounter, weightsCounter } from './count-tokens.ts'
import { imageSize } from './image-size.ts'
import { pdfPages } from './pdf-pages.ts'

const pdfPage = 2_000
/** Of what is neither text nor PDF, and of what is not at hand. An image never costs more. */
const binary = 1_600
const textOverhead = 8

/**
 * What a file costs, by its content where that is at hand: an image by its size, a PDF 2,000 per page, a text its text and 8,
 * anything else 1,600. An image of unknown size costs the most that one can, 1,600. Source: spec/context.md 1, law C3.
 */
export function fileTokens(mediaType: string, bytes?: Uint8Array, counter: TokenCounter = weightsCounter): number {
  const type = bareType(mediaType)
  if (bytes === undefined) return binary
  if (isTextType(type)) return isBinary(bytes) ? binary : counter.count(textOf(bytes)) + textOverhead
  if (type === 'application/pdf') return pdfPage * pdfPages(bytes)
  const size = type.startsWith('image/') ? imageSize(bytes) : undefined
  return size === undefined ? binary : imageTokens(size.width, size.height)
}

/** `text/html; charset=utf-8` → `text/html`. */
export function bareType(mediaType: string): string {
  const [type = ''] = mediaType.split(';', 1)
  return type.trim().toLowerCase()
}

const textTypes =
  /^(text\/.+|application\/(json|jsonl|ndjson|x-ndjson|xml|yaml|x-yaml|toml|javascript|x-javascript|typescript|sql|graphql|x-sh|x-python|rtf)|.+\+(json|xml|yaml))$/

/** Whether files of this media type are texts. */
export function isTextType(mediaType: string): boolean {
  return textTypes.test(bareType(mediaType))
}

const sniffed = 8_192

/** Over 1 % NUL in the first 8 KiB. */
export function isBinary(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, sniffed)
  let zeros = 0
  for (const byte of head) if (byte === 0) zeros++
  return zeros * 100 > head.length
}

/** UTF-8, with U+FFFD for what is none; a byte order mark is left out. Never throws. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
