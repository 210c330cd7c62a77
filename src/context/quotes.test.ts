import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EntryId } from '#kernel'
import { verifies } from '#verifies'
import { weightsCounter } from './count-tokens.ts'
import { fittingQuotes, quotesBudget, quotesOf, quoteTokens } from './quotes.ts'
import { quoteLine } from './render-summary.ts'
import type { Source } from './summarizer.ts'

const user = (text: string, n = 1): Source => ({ ref: `ent_${n}`, role: 'user', at: n, text })
const tokens = (text: string): number => weightsCounter.count(text)
const fitting = (texts: readonly string[], budget: number) =>
  fittingQuotes(
    quotesOf(
      texts.map((text, n) => user(text, n)),
      weightsCounter,
      true,
    ),
    budget,
    weightsCounter,
    true,
  )
const words = (count: number): string => Array.from({ length: count }, (_, n) => `word${n}`).join(' ')

describe('quoting users', () => {
  verifies('C74', 'quotes what fits to the letter, users alone', () => {
    const text = 'Do \u{1f600}\n```\nthis </summary>\n```  exactly '
    const quotes = quotesOf(
      [user(text), { ...user('no'), role: 'assistant' }, { ...user('note'), role: 'system' }],
      weightsCounter,
      true,
    )
    expect(quotes).toEqual([{ entry: 'ent_1', text }])
  })

  verifies('C74', 'a long message is cut in its middle and names where the whole is', () => {
    const [quote] = quotesOf([user(words(2_000))], weightsCounter, true)
    expect(tokens(quote?.text ?? '')).toBeLessThanOrEqual(quoteTokens)
    expect(quote?.text).toMatch(/^word0 [^]*\[… \d+ tokens left out; session_expand ent_1 …\][^]* word1999$/)
    const [silent] = quotesOf([user(words(2_000))], weightsCounter, false)
    expect(silent?.text).toMatch(/tokens left out; ent_1 …\]/)
  })

  verifies('C74', 'together within 1,200 tokens and a fifth of the source', () => {
    expect([quotesBudget(500), quotesBudget(6_000), quotesBudget(100_000)]).toEqual([100, 1_200, 1_200])
    fc.assert(
      fc.property(fc.array(fc.nat(600), { maxLength: 12 }), fc.nat(1_200), (sizes, budget) => {
        const kept = fitting(sizes.map(words), budget)
        expect(kept.reduce((sum, quote) => sum + tokens(`${quoteLine(quote)}\n`), 0)).toBeLessThanOrEqual(budget)
        expect(kept.map(quote => quote.entry)).toEqual(kept.map(quote => quote.entry).toSorted(byNumber))
      }),
    )
  })

  it('keeps the first and the newest when not all fit, with one gap between', () => {
    const texts = Array.from({ length: 20 }, (_, n) => `ask ${n}: ${words(20)}`)
    const kept = fitting(texts, 300)
    const numbers = kept.map(quote => Number(quote.entry.slice(4)))
    expect(numbers[0]).toBe(0)
    expect(numbers.slice(1)).toEqual(Array.from({ length: numbers.length - 1 }, (_, n) => 20 - numbers.length + 1 + n))
    expect(numbers.length).toBeGreaterThan(2)
    for (const quote of [kept[0], kept.at(-1)]) expect(texts).toContain(quote?.text)
  })

  it('leaves the newest its room when the first is long', () => {
    const kept = fitting([words(300), 'and now this'], 200)
    expect(kept.map(quote => quote.text).at(-1)).toBe('and now this')
    expect(kept).toHaveLength(2)
  })
})

const byNumber = (a: EntryId, b: EntryId): number => Number(a.slice(4)) - Number(b.slice(4))
