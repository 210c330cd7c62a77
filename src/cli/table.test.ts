import { describe, expect, it } from 'vitest'
import { columns, moneyText, oneLine, timeText } from './table.ts'

describe('a table', () => {
  it('aligns its columns, also where characters are wide', () => {
    expect(columns([['a', '東京', 'x'], ['bcd', 'e', '']])).toEqual(['a    東京  x', 'bcd  e']) // prettier-ignore
  })
})

describe('a cell', () => {
  it('is one line, cut between characters', () => {
    expect(oneLine('a\n b\t c', 10)).toBe('a b c')
    expect(oneLine('👍👍👍👍', 3)).toBe('👍👍…')
  })

  it('tells unknown money from none', () => {
    expect([moneyText(null), moneyText(0), moneyText(1_500_000), moneyText(2_500_000_000, false)]).toEqual([
      'unknown',
      '$0',
      '$0.0015',
      '$2.50 and more',
    ])
  })

  it('tells times in UTC', () => {
    expect([timeText(1_700_000_000_000), timeText(null)]).toEqual(['2023-11-14 22:13Z', '–'])
  })
})
