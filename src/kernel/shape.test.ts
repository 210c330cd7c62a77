import { describe, expect, it } from 'vitest'
import { aText, either, listOf, oneOf, orNull, shape, wholeNumber } from './shape.ts'

const check = shape<{ name?: string; limit?: number; tags?: string[]; sub?: { sort?: string }; parent?: string | null }>({
  name: aText,
  limit: wholeNumber(1, 9),
  tags: listOf(aText, 'texts'),
  sub: shape<{ sort?: string }>({ sort: oneOf('up', 'down') }),
  parent: orNull(aText),
})
const refusal = (value: unknown): unknown => {
  try {
    check(value)
    return undefined
  } catch (error) {
    return (error as { details: { path: string } }).details.path
  }
}

describe('checking an option object', () => {
  it('takes what is known, what is absent and what is undefined', () => {
    for (const value of [
      undefined,
      {},
      { name: 'a', limit: 9, tags: ['x'], sub: { sort: 'up' }, parent: null },
      { name: undefined, odd: undefined },
    ])
      expect(refusal(value)).toBeUndefined()
  })

  it('refuses anything else and names where it stands', () => {
    expect(
      [
        null,
        'x',
        7,
        [],
        () => 0,
        { odd: 1 },
        { name: 1 },
        { name: null },
        { limit: 10 },
        { limit: 1.5 },
        { limit: Number.NaN },
        { tags: 'x' },
        { tags: ['x', 1] },
        { sub: { sort: 'left' } },
        { sub: null },
        { sub: { odd: 1 } },
        { parent: 1 },
        { constructor: 1 },
        Object.create({ odd: 1 }),
      ].map(refusal),
    ).toEqual([
      ...Array<string>(5).fill('options'),
      'odd',
      'name',
      'name',
      'limit',
      'limit',
      'limit',
      'tags',
      'tags[1]',
      'sub.sort',
      'sub',
      'sub.odd',
      'parent',
      'constructor',
      'odd',
    ])
  })

  it('takes what either of two checks takes', () => {
    const both = either(aText, wholeNumber(), 'Expected one of them.')
    both('a', 'x')
    both(1, 'x')
    expect(() => both(-1, 'x')).toThrow('x: Expected one of them.')
  })
})
