import { canonical, isObject, type Json } from '#kernel'
import type { Message, Part } from '#journal'
import { recallTools } from './prune.ts'

/** Where recall looks: what was said and what came of it, not what recall itself has found. */
export const isRecalled = (part: Part): boolean =>
  (part.type === 'tool_result' || part.type === 'tool_call') && recallTools.includes(part.tool)

/** Texts of a message in which an exact phrase can stand, part by part; JSON as such, and its strings without escapes. */
export function literalTexts(message: Pick<Message, 'parts'>): string[] {
  return message.parts.flatMap((part): string[] => {
    if (isRecalled(part)) return []
    switch (part.type) {
      case 'text':
      case 'reasoning':
        return [part.text]
      case 'tool_call':
        return jsonTexts(part.input)
      case 'tool_result':
        return jsonTexts(part.output)
      case 'custom':
        return jsonTexts(part.data)
      case 'source':
        return [part.title ?? '', part.url]
      case 'file':
        return [part.name ?? '', part.outline ?? '']
      case 'lost':
        return []
      default:
        return (part satisfies never, [])
    }
  })
}

function jsonTexts(value: Json): string[] {
  if (typeof value === 'string') return [value]
  const strings: string[] = []
  const walk = (inner: unknown): void => {
    if (typeof inner === 'string') strings.push(inner)
    else if (Array.isArray(inner)) inner.forEach(walk)
    else if (isObject(inner)) Object.values(inner).forEach(walk)
  }
  walk(value)
  return [canonical(value), ...strings]
}

/** The piece of a text, at most `length` UTF-16 units, round the match; no code point is split. */
export function excerptRound(text: string, from: number, to: number, length: number): string {
  const room = Math.max(0, length - (to - from))
  let start = Math.max(0, Math.min(from - Math.floor(room / 2), text.length - length))
  let end = Math.min(text.length, start + length)
  if (isLow(text, start)) start++
  if (isLow(text, end)) end--
  return text.slice(start, end)
}

const isLow = (text: string, at: number): boolean => at > 0 && (text.charCodeAt(at) & 0xfc00) === 0xdc00

/** How often each of the terms stands among the words, and how many words there are. */
export interface WordCounts {
  readonly counts: readonly number[]
  readonly length: number
}

/** A text among those of a conversation. */
export interface PlacedCounts extends WordCounts {
  /** Texts side by side are one apart. */
  readonly place: number
}

export interface RecallTerm {
  readonly word: string
  readonly prefix: boolean
}

export function countTerms(words: readonly string[], terms: readonly RecallTerm[]): WordCounts {
  const counts = terms.map(() => 0)
  for (const word of words) {
    for (const [at, term] of terms.entries())
      if (word === term.word || (term.prefix && word.startsWith(term.word))) counts[at] = (counts[at] ?? 0) + 1
  }
  return { counts, length: words.length }
}

/** A long result says something in one place: beyond so many times the mean, length tells nothing any more. */
const longest = 2

/** What stands so near belongs to a text as its answer or its question: a word there counts half, one place on a quarter. */
const near = 2

/**
 * How well each text answers, by BM25 over these texts (k1 1.2, b 0.4: lengths of messages say less than those of
 * documents), `all` texts being searched. What a text lacks and its neighbours say counts less, and never more than if it said
 * so itself.
 * Source: Robertson and Zaragoza, The Probabilistic Relevance Framework (2009).
 */
export function rankTexts(texts: readonly PlacedCounts[], all: number): number[] {
  const mean = texts.reduce((sum, { length }) => sum + length, 0) / Math.max(1, texts.length)
  const weights = (texts[0]?.counts ?? []).map((_, term) => {
    const holding = texts.reduce((sum, { counts }) => sum + ((counts[term] ?? 0) > 0 ? 1 : 0), 0)
    return Math.log(1 + (Math.max(all, holding) - holding + 0.5) / (holding + 0.5))
  })
  const own = texts.map(({ counts, length }) => {
    const size = Math.min(longest, length / Math.max(1, mean))
    return counts.map((count, term) => ((weights[term] ?? 0) * count * 2.2) / (count + 1.2 * (0.6 + 0.4 * size)))
  })
  const order = [...texts.keys()].sort((a, b) => placeAt(texts, a) - placeAt(texts, b))
  const sums: number[] = texts.map(() => 0)
  for (const [at, text] of order.entries()) {
    const best = [...(own[text] ?? [])]
    for (const step of [-1, 1]) {
      for (let next = at + step; ; next += step) {
        const other = order[next]
        const apart = other === undefined ? Infinity : Math.abs(placeAt(texts, other) - placeAt(texts, text))
        if (other === undefined || apart > near) break
        for (const [term, score] of own[other]?.entries() ?? [])
          best[term] = Math.max(best[term] ?? 0, score / 2 ** Math.max(1, apart))
      }
    }
    sums[text] = best.reduce((sum, score) => sum + score, 0)
  }
  return sums
}

const placeAt = (texts: readonly PlacedCounts[], at: number): number => texts[at]?.place ?? 0
