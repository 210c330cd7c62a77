import { describe, expect, it } from 'vitest'
import { countTerms, rankTexts, recallTerms } from './index.ts'

const words = (text: string): string[] => text.toLowerCase().match(/\w+/g) ?? []

/** How well each text answers a question, the texts standing side by side. */
function scores(question: string, texts: readonly string[], places = texts.map((_, at) => at)): number[] {
  const terms = recallTerms(words(question))
  const counts = texts.map((text, at) => ({ ...countTerms(words(text), terms), place: places[at] ?? 0 }))
  return rankTexts(counts, 100)
}

describe('ranking texts', () => {
  it('lets what stands beside a text speak for it, the less the farther, and never as if it had said it itself', () => {
    const asked = 'When does the harvest begin?'
    const [ask = 0, answer = 0] = scores(asked, ['When is the harvest?', 'It will begin on Monday.'])
    const [, alone = 0] = scores(asked, ['When is the harvest?', 'It will begin on Monday.'], [0, 9])
    const [, far = 0] = scores(asked, ['When is the harvest?', 'It will begin on Monday.'], [0, 2])
    expect(answer).toBeGreaterThan(far)
    expect(far).toBeGreaterThan(alone)
    const [whole = 0] = scores(asked, ['The harvest will begin on Monday.', 'When is the harvest?'])
    expect(whole).toBeGreaterThan(Math.max(ask, answer))
  })

  it('gives equal texts side by side the same', () => {
    const [first, ...others] = scores('giraffe', ['a giraffe', 'a giraffe', 'a giraffe', 'a giraffe'])
    expect(first).toBeGreaterThan(0)
    expect(others).toEqual([first, first, first])
  })

  it('is the same in any order', () => {
    const texts = ['the harvest', 'it begins', 'on Monday', 'harvest begins']
    const turned = scores('harvest begins', texts.toReversed(), [3, 2, 1, 0])
    expect(turned.toReversed()).toEqual(scores('harvest begins', texts))
    expect(rankTexts([], 0)).toEqual([])
  })
})
