import { stringify } from '#kernel'
import type { Part } from '#journal'

/** The most characters that an extractor is shown of a tool's result. */
export const resultLength = 2_000

const envelope = /<skein-memory\b[^>]*>[\s\S]*?(?:<\/skein-memory\s*>|$)/giu

/** A text without what was recalled into it. */
export const withoutRecall = (text: string): string => text.replace(envelope, '\n')

/** What somebody said or a tool gave, as an extractor reads it: nothing that came from memory. */
export function learntText(parts: readonly Part[]): string {
  return joined(parts, part => ('origin' in part && part.origin === 'recall' ? '' : withoutRecall(saidIn(part))))
}

/** Only what came from memory. */
export function recallText(parts: readonly Part[]): string {
  return joined(parts, part => {
    const text = saidIn(part)
    return 'origin' in part && part.origin === 'recall' ? text : [...text.matchAll(envelope)].map(([found]) => found).join('\n')
  })
}

/** `learntText` as it is shown: of a tool's result the beginning and the end. */
export function shownText(role: string, parts: readonly Part[]): string {
  const text = learntText(parts)
  return role === 'tool' ? middleCut(text, resultLength) : text
}

function joined(parts: readonly Part[], read: (part: Part) => string): string {
  return parts
    .map(read)
    .filter(text => text.trim() !== '')
    .join('\n')
}

function saidIn(part: Part): string {
  if (part.type === 'text') return part.text
  if (part.type === 'tool_result') return typeof part.output === 'string' ? part.output : stringify(part.output)
  return ''
}

const mark = '\n[…]\n'

function middleCut(text: string, length: number): string {
  const characters = [...text]
  if (characters.length <= length) return text
  const kept = length - mark.length
  const head = Math.ceil(kept / 2)
  return `${characters.slice(0, head).join('')}${mark}${characters.slice(characters.length - (kept - head)).join('')}`
}

/** How texts are compared: NFKC, lower case, single spaces. */
export const folded = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim()

/** How a quote is looked for: NFC, single spaces. */
export const quotable = (text: string): string => text.normalize('NFC').replace(/\s+/gu, ' ').trim()

const keyLength = 100

/** NFKC, lower case, letters and digits, else `-`; at most 100 characters. May be empty. Source: spec/memory.md 9. */
export function keyOf(text: string): string {
  const slug = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
  return [...slug].slice(0, keyLength).join('').replace(/-+$/, '')
}

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' })

/** The first sentences that fit into `length` code points; of a longer first one its beginning. */
export function cutAtSentence(text: string, length: number): string {
  if ([...text].length <= length) return text
  let kept = ''
  for (const { segment } of sentences.segment(text)) {
    if ([...(kept + segment).trimEnd()].length > length) break
    kept += segment
  }
  return kept.trim() === '' ? [...text].slice(0, length).join('') : kept.trimEnd()
}
