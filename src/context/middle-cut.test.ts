import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TokenCounter, weightsCounter } from './count-tokens.ts'
import { cutMiddle, endWithin, headWithin, middleCut } from './middle-cut.ts'

const marker = (left: number): string => `[… ${left} tokens left out …]`
const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\ud83d', '\udc00', '\0', 'é', '\u200b', '\\', '(', '=', '`', '#', '-'),
    fc.constantFrom('a', '文', '😀', ' '),
  ),
  maxLength: 400,
})
const whole = fc.string({ unit: fc.constantFrom('a', '文', '😀', ' '), minLength: 60, maxLength: 400 })
/** Merges over borders, as tables of pairs do: what is cut may count more than what it was cut from. */
const merging: TokenCounter = { id: 'merging', count: text => text.replace(/aa/g, 'b').length }

describe('cutting in the middle', () => {
  it('leaves a text that fits as it is', () => {
    expect(middleCut('hello world', 3, weightsCounter, marker)).toBe('hello world')
  })

  it('keeps head and end, 2:1, and says how much is missing between them', () => {
    const text = Array.from({ length: 300 }, (_, n) => `word${n}`).join(' ')
    const { text: cut, leftOut } = cutMiddle(text, 120, weightsCounter, marker)
    const [head = '', end = ''] = cut.split(marker(leftOut))
    expect(text.startsWith(head) && text.endsWith(end)).toBe(true)
    expect(weightsCounter.count(head) / weightsCounter.count(end)).toBeCloseTo(2, 0)
    expect(leftOut).toBe(weightsCounter.count(text) - weightsCounter.count(head) - weightsCounter.count(end))
  })

  it('never exceeds its tokens and never splits a surrogate pair, whatever the counter', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, whole), fc.nat(120), fc.constantFrom(weightsCounter, merging), (text, tokens, counter) => {
        const cut = middleCut(text, tokens, counter, marker)
        expect(counter.count(cut)).toBeLessThanOrEqual(tokens)
        if (text.isWellFormed()) expect(cut.isWellFormed()).toBe(true)
      }),
    )
  })

  it('takes the longest head and the longest end', () => {
    fc.assert(
      fc.property(anyText, fc.nat(120), (text, tokens) => {
        const head = headWithin(text, tokens, weightsCounter)
        const end = endWithin(text, tokens, weightsCounter)
        expect(text.startsWith(head) && text.endsWith(end)).toBe(true)
        const next = String.fromCodePoint(text.codePointAt(head.length) ?? 0)
        if (head !== text) expect(weightsCounter.count(head + next)).toBeGreaterThan(tokens)
        if (end !== text)
          expect(weightsCounter.count(text.slice(Math.max(0, text.length - end.length - 2)))).toBeGreaterThan(tokens)
      }),
    )
  })
})
