import type { TokenCounter } from './count-tokens.ts'
import { headWithin } from './middle-cut.ts'

export const pageUnits = ['lines', 'chars', 'bytes'] as const
export type PageUnit = (typeof pageUnits)[number]

/** Which piece of a content: `limit` units from `offset`, the first being 0. Chars are code points. */
export interface PageAsk {
  readonly offset?: number
  readonly limit?: number
  /** Default: lines of text, bytes of anything else. */
  readonly unit?: PageUnit
}

export interface ContentPage {
  readonly content: string
  /** `base64`: of bytes that are no text. */
  readonly encoding: 'text' | 'base64'
  readonly unit: PageUnit
  readonly offset: number
  /** Of the whole, in units. */
  readonly total: number
  /** What to ask for next; absent at the end. A line longer than a page goes on in chars. */
  readonly next?: Required<Pick<PageAsk, 'offset' | 'unit'>> & Pick<PageAsk, 'limit'>
}

export interface PageRoom {
  readonly counter: TokenCounter
  /** The page takes at most so much, but for at least one code point. `Infinity`: what was asked. */
  readonly maxTokens: number
}

/**
 * A page of a text, or of bytes that are none. Pages joined are the content; none splits a code point: bytes of a text are
 * taken up to whole ones. At or beyond the end the page is empty. Laws C46, C47.
 */
export function contentPage(content: string | Uint8Array, ask: PageAsk, room: PageRoom): ContentPage {
  if (typeof content !== 'string') return bytesPage(content, ask, room)
  switch (ask.unit) {
    case 'chars':
      return charsPage(content, ask, room)
    case 'bytes':
      return textBytesPage(content, ask, room)
    default:
      return linesPage(content, ask, room)
  }
}

const limitOf = ({ limit }: PageAsk): Pick<PageAsk, 'limit'> => (limit === undefined ? {} : { limit })

function linesPage(text: string, ask: PageAsk, room: PageRoom): ContentPage {
  const { offset = 0, limit = Infinity } = ask
  const total = linesIn(text)
  const page = { encoding: 'text', unit: 'lines', offset, total } as const
  const start = lineStart(text, 0, offset)
  const asked = text.slice(start, limit === Infinity ? text.length : lineStart(text, start, limit))
  if (asked === '') return { content: '', ...page }
  const head = within(asked, room)
  if (head.length === asked.length) return withNext(asked, { offset: offset + linesIn(asked) })
  const whole = head.slice(0, head.lastIndexOf('\n') + 1)
  if (whole !== '') return withNext(whole, { offset: offset + linesIn(whole) })
  return { content: head, ...page, next: { unit: 'chars', offset: charsIn(text.slice(0, start + head.length)) } }

  function withNext(piece: string, next: { readonly offset: number }): ContentPage {
    return { content: piece, ...page, ...(next.offset < total ? { next: { ...next, unit: 'lines', ...limitOf(ask) } } : {}) }
  }
}

/** A line ends behind its line feed; what follows the last one is a line, if anything does. */
function linesIn(text: string): number {
  let lines = text === '' || text.endsWith('\n') ? 0 : 1
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

/** Where the line stands that is `lines` further on. */
function lineStart(text: string, from: number, lines: number): number {
  let at = from
  for (let line = 0; line < lines; line++) {
    const end = text.indexOf('\n', at)
    if (end < 0) return text.length
    at = end + 1
  }
  return at
}

function charsPage(text: string, ask: PageAsk, room: PageRoom): ContentPage {
  const { offset = 0, limit = Infinity } = ask
  const total = charsIn(text)
  const start = charIndex(text, 0, offset)
  const content = within(text.slice(start, limit === Infinity ? text.length : charIndex(text, start, limit)), room)
  const end = offset + charsIn(content)
  return {
    content,
    encoding: 'text',
    unit: 'chars',
    offset,
    total,
    ...(end < total && content !== '' ? { next: { offset: end, unit: 'chars', ...limitOf(ask) } } : {}),
  }
}

const astral = /[\ud800-\udbff][\udc00-\udfff]/

function charsIn(text: string): number {
  if (!astral.test(text)) return text.length
  let chars = 0
  for (let at = 0; at < text.length; chars++) at += unitsAt(text, at)
  return chars
}

function charIndex(text: string, from: number, chars: number): number {
  let at = from
  for (let char = 0; char < chars && at < text.length; char++) at += unitsAt(text, at)
  return at
}

const unitsAt = (text: string, at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1)

/** The beginning that fits, but at least one code point of what there is. */
function within(text: string, { counter, maxTokens }: PageRoom): string {
  const head = maxTokens === Infinity ? text : headWithin(text, maxTokens, counter)
  return head === '' ? text.slice(0, text === '' ? 0 : unitsAt(text, 0)) : head
}

function textBytesPage(text: string, ask: PageAsk, room: PageRoom): ContentPage {
  const { offset = 0, limit = Infinity } = ask
  const bytes = Buffer.from(text)
  const goesOn = (at: number): boolean => at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80
  let start = Math.min(offset, bytes.length)
  while (start > 0 && goesOn(start)) start--
  let end = Math.min(bytes.length, start + limit)
  while (end > start && goesOn(end)) end--
  if (end === start)
    do end++
    while (goesOn(end))
  const content = within(bytes.subarray(start, Math.min(end, bytes.length)).toString('utf8'), room)
  const next = start + Buffer.byteLength(content)
  return {
    content,
    encoding: 'text',
    unit: 'bytes',
    offset,
    total: bytes.length,
    ...(next < bytes.length ? { next: { offset: next, unit: 'bytes', ...limitOf(ask) } } : {}),
  }
}

/** Base64 of whole threes but for the last page, so that pages joined are the base64 of the whole. */
function bytesPage(bytes: Uint8Array, ask: PageAsk, { counter, maxTokens }: PageRoom): ContentPage {
  const { offset = 0, limit = Infinity } = ask
  const start = Math.min(offset, bytes.length)
  let end = Math.min(bytes.length, start + limit)
  if (maxTokens !== Infinity) {
    // No base64 letter weighs less than a tenth of a token, so more than this need not be looked at.
    const encoded = Buffer.from(bytes.subarray(start, Math.min(end, start + maxTokens * 8))).toString('base64')
    const fitting = headWithin(encoded, maxTokens, counter)
    if (fitting.length < encoded.length || end - start > maxTokens * 8)
      end = Math.min(end, start + Math.max(3, Math.floor(fitting.length / 4) * 3))
  }
  return {
    content: Buffer.from(bytes.subarray(start, end)).toString('base64'),
    encoding: 'base64',
    unit: 'bytes',
    offset,
    total: bytes.length,
    ...(end < bytes.length ? { next: { offset: end, unit: 'bytes', ...limitOf(ask) } } : {}),
  }
}
