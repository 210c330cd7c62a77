import { given, isObject, type JsonObject, SkeinError, toJson } from '#kernel'

/** What a format is read from: the whole, or pieces cut anywhere, also inside a character. */
export type FormatInput = string | Uint8Array | AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its line feed. */
  readonly bytes: Uint8Array
  /** False for a last line that the input leaves open. */
  readonly ended: boolean
}

/** No line of any format is longer: a blob of 64 MiB in base64 and its frame fit. Bytes. */
export const maxLineBytes: number = 96 * 2 ** 20

const lineFeed = 10
const pieceLength = 65_536

/**
 * The lines of an input, one at a time; what is held is one line and one piece.
 * Splits at LF alone, so a carriage return stays in its line. Throws `input.invalid` with `details.line` for a line
 * over `maxBytes`.
 */
export async function* linesOf(input: FormatInput, maxBytes: number = maxLineBytes): AsyncGenerator<Line> {
  let held: Uint8Array[] = []
  let size = 0
  let number = 1
  for await (const piece of piecesOf(input)) {
    let from = 0
    for (let at = piece.indexOf(lineFeed); at !== -1; at = piece.indexOf(lineFeed, from)) {
      const tail = piece.subarray(from, at)
      if (size + tail.length > maxBytes) throw badLine(number, `Longer than ${maxBytes} bytes.`)
      yield { number, bytes: held.length === 0 ? tail : Buffer.concat([...held, tail]), ended: true }
      number++
      held = []
      size = 0
      from = at + 1
    }
    if (from === piece.length) continue
    held.push(piece.subarray(from))
    size += piece.length - from
    if (size > maxBytes) throw badLine(number, `Longer than ${maxBytes} bytes.`)
  }
  if (size > 0) yield { number, bytes: Buffer.concat(held), ended: false }
}

/** The input's bytes, however it was cut. */
export async function* piecesOf(input: FormatInput): AsyncGenerator<Uint8Array> {
  if (input instanceof Uint8Array) {
    yield input
    return
  }
  let high = ''
  for await (const piece of typeof input === 'string' ? cut(input) : input) {
    if (typeof piece !== 'string') {
      if (high !== '') yield Buffer.from(high)
      high = ''
      yield piece
      continue
    }
    let text = high + piece
    high = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : ''
    if (high !== '') text = text.slice(0, -1)
    yield Buffer.from(text)
  }
  if (high !== '') yield Buffer.from(high)
}

function* cut(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += pieceLength) yield text.slice(at, at + pieceLength)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A line's text, or `undefined` if its bytes are not UTF-8. A byte order mark stays in it. */
export function textOfLine(line: Line): string | undefined {
  try {
    return decoder.decode(line.bytes)
  } catch {
    return undefined
  }
}

/** The object with a `type` that a line is, or `undefined`. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value = toJson(JSON.parse(text))
    return isObject(value) && typeof value['type'] === 'string' ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

/** `input.invalid` that names a line. `details { line, path, issues }`. */
export function badLine(line: number, problem: string, cause?: unknown): SkeinError {
  const path = `line ${line}`
  return new SkeinError('input.invalid', `${path}: ${problem}`, {
    details: { line, path, issues: [{ path, message: problem }] },
    ...given({ cause }),
  })
}
