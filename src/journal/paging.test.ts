import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor } from './paging.ts'

describe('a cursor', () => {
  it('reads back as it was made', () => {
    expect(decodeCursor(encodeCursor([5, 'ses_x']), 'number')).toEqual([5, 'ses_x'])
    expect(decodeCursor(encodeCursor(['title', 'ses_x']), 'string')).toEqual(['title', 'ses_x'])
  })

  for (const made of ['[1e400,"x"]', '["5","x"]', '[5]', '[5,"x",1]', '[5,"a\\u0000"]', '[5,"\\ud800"]', '{}', 'x'])
    it(`is refused when somebody made it up: ${made}`, () => {
      expect(() => decodeCursor(Buffer.from(made).toString('base64url'), 'number')).toThrow('Not a cursor')
    })
})
