import { describe, expect, it } from 'vitest'
import { seededRandom } from '#kernel'
import { splitText } from './split-text.ts'

describe('a long text', () => {
  it('is parted at paragraphs, else at lines, else at spaces', () => {
    expect(splitText('one\n\ntwo\n\nthree', 10)).toEqual(['one\n\ntwo', 'three'])
    expect(splitText('line one\nline two', 12)).toEqual(['line one', 'line two'])
    expect(splitText('alpha beta gamma', 11)).toEqual(['alpha beta', 'gamma'])
    expect(splitText('short', 10)).toEqual(['short'])
    expect(splitText(' \n ', 10)).toEqual([])
  })

  it('is never cut inside a character', () => {
    const family = '👨‍👩‍👧‍👦'
    expect(splitText(family.repeat(3), family.length * 2 - 1)).toEqual([family, family, family])
    expect(splitText('🦊🦊', 3)).toEqual(['🦊', '🦊'])
  })

  it('loses nothing but white space, and no part is too long', () => {
    const random = seededRandom(7)
    const pieces = ['a', 'word', ' ', '\n', '\n\n', '🦊', 'é', '日本', '👨‍👩‍👧']
    for (let round = 0; round < 300; round++) {
      const text = Array.from(
        { length: 1 + Math.floor(random.number() * 60) },
        () => pieces[Math.floor(random.number() * pieces.length)],
      ).join('')
      const most = 8 + Math.floor(random.number() * 20)
      const parts = splitText(text, most)
      expect(parts.every(part => part.length <= most && part.isWellFormed() && part.trim() !== '')).toBe(true)
      expect(parts.join('').replaceAll(/\s/g, '')).toBe(text.replaceAll(/\s/g, ''))
    }
  })
})
