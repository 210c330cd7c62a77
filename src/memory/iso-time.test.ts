import { describe, expect, it } from 'vitest'
import { aTime, isoTime } from './iso-time.ts'

describe('a time of ISO 8601', () => {
  it('is a day that is in the calendar, with or without time and zone', () => {
    const times = [
      '2024-02-29',
      '2025-02-28T10:00Z',
      '2000-02-29T00:00:00.5+02:00',
      '0096-02-29',
      '2025',
      '2025-04',
      '2025-04-30 10:00',
    ]
    for (const text of times) expect([text, isoTime(text)]).toEqual([text, Date.parse(/\d \d/.test(text) ? `${text}Z` : text)])
    expect(isoTime('2025-01-01T10:00')).toBe(Date.UTC(2025, 0, 1, 10))
    const none = [
      '2025-02-29',
      '2025-02-30T00:00:00Z',
      '2025-04-31',
      '1900-02-29',
      '2025-13-01',
      '2025-01-32',
      'tomorrow',
      '',
      '1e3',
      '2025-01-01T25:00Z',
    ]
    for (const text of none) expect([text, isoTime(text)]).toEqual([text, undefined])
  })

  it('has a time and a zone where one is asked for', () => {
    const isTaken = (value: unknown): boolean => {
      try {
        aTime(value, 'at')
        return true
      } catch {
        return false
      }
    }
    expect(['2025-01-01T10:00Z', '2025-01-01T10:00:00.123-0330'].map(isTaken)).toEqual([true, true])
    const refused = ['2025-01-01', '2025-01-01T10:00', '2025-02-30T10:00Z', '2025-01-01 10:00Z', 0, null, new Date(0)]
    expect(refused.map(isTaken)).toEqual(refused.map(() => false))
  })
})
