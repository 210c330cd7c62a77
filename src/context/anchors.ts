import type { EntryId } from '#kernel'
import type { Anchor, AnchorKind } from '#journal'
import { isPath, kindOf, quotedPattern, spanPatterns, urlPattern, windowsPathPattern } from './anchor-patterns.ts'
import type { TokenCounter } from './count-tokens.ts'
import { anchorSeparator } from './render-summary.ts'

/**
 * The identifiers of a text, each once: paths, URLs, hashes, UUIDs, issue numbers, error codes, versions, words of letters and
 * digits from six characters, numbers with units, dates, back-quoted names. In linear time for any text. Source: spec/context.md 6.
 */
export function findAnchors(text: string, entry: EntryId): Anchor[] {
  const found = new Map<string, Anchor>()
  const add = (anchor: string, kind: AnchorKind | undefined): void => {
    if (kind !== undefined && !found.has(anchor)) found.set(anchor, { text: anchor, kind, entry })
  }
  let rest = text
  if (text.includes('://'))
    rest = rest.replace(urlPattern, url => {
      const whole = trimmed(url)
      if (whole.length <= longestAnchor && hasHost.test(whole)) add(whole, 'url')
      // A line's end, so that no quotation reaches over what is gone.
      return '\n'
    })
  if (rest.includes('`'))
    for (const [, name = ''] of rest.matchAll(quotedPattern)) {
      const quoted = name.trim()
      if (quoted !== '') add(quoted, kindOf(quoted) ?? 'quoted')
    }
  if (rest.includes(':\\'))
    rest = rest.replace(windowsPathPattern, path => {
      if (path.length <= longestAnchor) add(trimmed(path), 'path')
      return ' '
    })
  for (const { kind, pattern, hint } of spanPatterns) {
    if (!hint.test(rest)) continue
    rest = rest.replace(pattern, span => {
      add(span, kind)
      // The pieces of a time are no identifiers; those of an amount may be.
      return kind === 'date' ? ' ' : span
    })
  }
  if (rest.includes('/') && notAscii.test(rest))
    for (const [run] of rest.matchAll(eastPath)) {
      const path = trimmed(run)
      if (notAscii.test(path) && !laterEnding.test(path) && isPath(path)) add(path, 'path')
    }
  if (rest.includes('\\')) rest = rest.replace(escapes, ' ')
  for (const word of tellingWords(rest)) addWord(trimmed(word), add)
  return [...found.values()]
}

const longestAnchor = 1_024
const hasHost = /:\/\/[^/?#]/
/** Line ends and the like in JSON inside a text are no letters. */
const escapes = /\\[nrt]/g
/** Paths with names in other scripts, whole between blanks and brackets. */
const eastPath = /(?<![\p{L}\p{N}_.@+~%=$/-])[\p{L}\p{N}_.@+~%=$/-]{3,512}(?![\p{L}\p{N}_.@+~%=$/-])/gu
const notAscii = /[^\0-\x7f]/
/** `a.ts和b.ts` names two files. */
const laterEnding = /\.[A-Za-z]{1,6}[^\0-\x7f]/

/** What a character is in a word: small letters alone tell nothing, a sign between letters or a capital may. */
const charKind = { none: 0, small: 1, sign: 2, telling: 3 } as const

const charKinds = Uint8Array.from({ length: 0x530 }, (_, code) => {
  const char = String.fromCharCode(code)
  if (/[a-z]/.test(char)) return charKind.small
  if (/[.@+~%=$#:/-]/.test(char)) return charKind.sign
  return /[\w\u00c0-\u024f\u0370-\u052f]/.test(char) ? charKind.telling : charKind.none
})

/**
 * Runs of what identifiers are made of: any other letter, bracket, quote or blank ends one. Those of nothing but small letters,
 * with signs behind them, are words of a language and left out; they are most of a text.
 */
function* tellingWords(text: string): Generator<string> {
  let from = -1
  let hasSign = false
  let tells = false
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : 0
    const kind = code < 0x530 ? charKinds[code] : charKind.none
    if (kind === charKind.none) {
      if (tells) yield text.slice(from, at)
      from = -1
      hasSign = tells = false
      continue
    }
    if (from === -1) from = at
    if (kind === charKind.sign) hasSign = true
    else if (kind === charKind.telling || hasSign) tells = true
  }
}

function addWord(word: string, add: (anchor: string, kind: AnchorKind | undefined) => void): void {
  const kind = kindOf(word)
  if (kind !== undefined) return add(word, kind)
  // `file.ts:42`, `--config=a/b.json`, `error:TS2345`
  if (/[=:]/.test(word)) for (const piece of word.split(/[=:]/)) add(trimmed(piece), kindOf(trimmed(piece)))
}

/** Without the sentence round it. */
function trimmed(word: string): string {
  let end = word.length
  while (end > 0 && '.,:;!?)]}=-'.includes(word[end - 1] ?? '') && !closesOwn(word, end)) end--
  let start = 0
  while (start < end && ',:;=-'.includes(word[start] ?? '')) start++
  return word.slice(start, end)
}

/** `/wiki/Foo_(bar)` keeps its bracket. */
function closesOwn(word: string, end: number): boolean {
  return word[end - 1] === ')' && word.lastIndexOf('(', end) > word.lastIndexOf(')', end - 2)
}

/** Each text once, as it was first seen. */
export function distinctAnchors(anchors: Iterable<Anchor>): Anchor[] {
  const seen = new Map<string, Anchor>()
  for (const anchor of anchors) if (!seen.has(anchor.text)) seen.set(anchor.text, anchor)
  return [...seen.values()]
}

/** The anchors that a text does not name. `#12` is not named by `#123`, nor `1.2` by `1.2.3`. */
export function missingFrom(anchors: readonly Anchor[], text: string): Anchor[] {
  const isThere = piecesOf(text)
  return anchors.filter(anchor => !isThere(anchor.text) || !names(text, anchor.text))
}

const pieceLength = 4

/** Whether a text may contain another: by pieces of it, without going through the text again. */
function piecesOf(text: string): (part: string) => boolean {
  const pieces = new Set<string>()
  for (let at = 0; at + pieceLength <= text.length; at++) pieces.add(text.slice(at, at + pieceLength))
  return part => {
    const last = part.length - pieceLength
    for (let at = last; at >= 0; at -= pieceLength) if (!pieces.has(part.slice(at, at + pieceLength))) return false
    return true
  }
}

function names(text: string, anchor: string): boolean {
  for (let at = text.indexOf(anchor); at !== -1; at = text.indexOf(anchor, at + anchor.length)) {
    const after = text.slice(at + anchor.length, at + anchor.length + 2)
    const startsInside = /^\w/.test(anchor) && /\w/.test(text[at - 1] ?? '')
    const endsInside = /\w$/.test(anchor) && (/^\w/.test(after) || (/\d$/.test(anchor) && /^\.\d/.test(after)))
    if (!startsInside && !endsInside) return true
  }
  return false
}

/** What tells most in little room comes first. */
const ranks: Readonly<Record<AnchorKind, number>> = {
  error: 0,
  path: 1,
  issue: 2,
  quantity: 3,
  identifier: 4,
  version: 5,
  date: 6,
  url: 7,
  uuid: 8,
  hash: 9,
  quoted: 10,
}

/** What `first` names (user-mentioned, written files), then by kind, oldest first. */
export function rankAnchors(anchors: readonly Anchor[], first: ReadonlySet<string>): Anchor[] {
  const rank = ({ text, kind }: Anchor): number => (first.has(text) ? -1 : ranks[kind])
  return anchors.toSorted((a, b) => rank(a) - rank(b))
}

export interface AnchorListing {
  readonly shown: readonly Anchor[]
  /** Those that did not fit, in the order in which they would have been shown. */
  readonly rest: readonly Anchor[]
}

/** Those that fit into `budget` tokens, title and `+N more` included, in their order; a long one makes way for the next. */
export function listAnchors(
  anchors: readonly Anchor[],
  { budget, counter }: { readonly budget: number; readonly counter: TokenCounter },
): AnchorListing {
  const shown: Anchor[] = []
  const rest: Anchor[] = []
  let room = budget - counter.count(`Identifiers: +${anchors.length} more in `) - refTokens
  for (const anchor of anchors) {
    const size = room > 0 ? counter.count(`${anchor.text}${anchorSeparator}`) : 1
    if (size <= room) {
      shown.push(anchor)
      room -= size
    } else rest.push(anchor)
  }
  return { shown, rest }
}
const refTokens = 15

/** Tokens that a listing may take. Source: spec/context.md 6. */
export function anchorsBudget(sourceTokens: number, kind: 'leaf' | 'condensed'): number {
  return kind === 'condensed' ? Math.min(800, Math.floor(sourceTokens * 0.08)) : Math.min(400, Math.floor(sourceTokens * 0.08))
}
