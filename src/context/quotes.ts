import type { EntryId } from '#kernel'
import type { Quote } from '#journal'
import type { TokenCounter } from './count-tokens.ts'
import { pointTo } from './markers.ts'
import { middleCut } from './middle-cut.ts'
import { quoteLine } from './render-summary.ts'
import type { Source } from './summarizer.ts'

/** A longer message has its middle cut out. */
export const quoteTokens = 400
/** Below that, what is left of a message says nothing. */
const leastTokens = 40

/** What the user said in a range, each within `quoteTokens`: to the letter, or by head, end and where the whole is. */
export function quotesOf(sources: readonly Source[], counter: TokenCounter, recall: boolean): Quote[] {
  return sources.flatMap(source => {
    if (source.role !== 'user') return []
    const entry = source.ref as EntryId
    return [cutQuote({ entry, text: source.text }, quoteTokens, counter, recall)]
  })
}

/** Tokens that the quotes of a range may take. Source: spec/context.md 6. */
export function quotesBudget(sourceTokens: number): number {
  return Math.min(1_200, Math.floor(sourceTokens / 5))
}

/**
 * The quotes that fit, in order: all, if they do. Else the first, because it tells the aim (in at most half of the budget), and
 * then the newest backwards; the one that no longer fits whole has its middle cut out, and everything between is left out:
 * better one gap in the middle than words from everywhere. Each takes its line, so many short ones do not grow unseen. Law C74.
 */
export function fittingQuotes(quotes: readonly Quote[], budget: number, counter: TokenCounter, recall: boolean): Quote[] {
  const sizeOf = (quote: Quote): number => counter.count(`${quoteLine(quote)}\n`)
  const within = (quote: Quote, tokens: number): Quote | undefined => {
    if (sizeOf(quote) <= tokens) return quote
    const room = tokens - sizeOf({ entry: quote.entry, text: '' })
    if (room < leastTokens) return undefined
    return cutQuote(quote, room, counter, recall)
  }
  if (quotes.reduce((sum, quote) => sum + sizeOf(quote), 0) <= budget) return [...quotes]
  const [first, ...rest] = quotes
  const opening = first && within(first, rest.length === 0 ? budget : Math.floor(budget / 2))
  let room = budget - (opening === undefined ? 0 : sizeOf(opening))
  const newest: Quote[] = []
  for (const quote of rest.toReversed()) {
    const kept = within(quote, room)
    if (kept === undefined) break
    newest.unshift(kept)
    room -= sizeOf(kept)
    if (kept !== quote) break
  }
  return opening === undefined ? newest : [opening, ...newest]
}

function cutQuote({ entry, text }: Quote, tokens: number, counter: TokenCounter, recall: boolean): Quote {
  return { entry, text: middleCut(text, tokens, counter, left => `[… ${left} tokens left out; ${pointTo(entry, recall)} …]`) }
}
