import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { byteLength, cleanLine, cutCodePoints, terminalSafe } from '#kernel'

const anyText = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 1 }),
    fc.constantFrom(' ', '\n', 'a', '\u0007', '\u200b', '\u200d', '\ud800', '👩'),
  ),
  maxLength: 200,
})

describe('cutting by code points', () => {
  it('keeps whole characters and at most as many as asked', () => {
    fc.assert(
      fc.property(anyText, fc.nat(50), (text, max) => {
        expect([...cutCodePoints(text, max)]).toEqual([...text].slice(0, max))
      }),
    )
  })
})

describe('one clean line', () => {
  it('is null without a visible character', () => {
    for (const text of ['', ' \t\n', '\u200b', '\u202e', '\u2060\ufeff', '\u0000\u0007', '\u200d\u200c', '\ufe0f'])
      expect(cleanLine(text, 100)).toBeNull()
  })

  it('folds white space, drops what is invisible, keeps joined emoji', () => {
    expect(cleanLine('  a\r\n\tb\u2028c  ', 100)).toBe('a b c')
    expect(cleanLine('a\u202eb\u200bc\u0007', 100)).toBe('abc')
    expect(cleanLine('👩\u200d👩\u200d👧', 100)).toBe('👩\u200d👩\u200d👧')
    expect(cleanLine('a\ud800b', 100)).toBe('a\ufffdb')
  })

  it('has no control, no end space, no lone surrogate, at most max characters; cleaning it again changes nothing', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 120 }), (text, max) => {
        const line = cleanLine(text, max)
        if (line === null) return
        expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u200b\u2060\ufeff]/u)
        expect([line.trim() === line, line.isWellFormed(), [...line].length <= max]).toEqual([true, true, true])
        expect(cleanLine(line, max)).toBe(line)
      }),
    )
  })
})

describe('text for a terminal', () => {
  it('loses what a terminal obeys and keeps lines and tabs', () => {
    expect(terminalSafe('a\u001b[31mb\u0007\r\n\tc\u202ed\u009b1m')).toBe('a[31mb\n\tcd1m')
  })
})

it('counts UTF-8 bytes', () => {
  expect(['', 'a', 'é', '東', '😀'].map(byteLength)).toEqual([0, 1, 2, 3, 4])
})
