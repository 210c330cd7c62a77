import assert from 'node:assert/strict'
import { newId } from '#kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { decodeCursor, encodeCursor, type Entry, entryBody, entryFrom, erasedEntry } from '#journal'

const columns = { id: newId('ent'), session: newId('ses'), seq: 7, parentId: newId('ent'), type: 'message_added', at: 5 }

describe('an entry as text', () => {
  verifies('J6 J7', 'comes back whole, with fields that this release does not know', () => {
    const anyMembers = fc.dictionary(
      fc.string({ minLength: 1 }).map(key => `x${key}`),
      fc.jsonValue(),
    )
    fc.assert(
      fc.property(anyMembers, fc.jsonValue(), (more, data) => {
        const entry = JSON.parse(JSON.stringify({ ...columns, v: 3, by: 'me', ...more, data })) as Entry
        const body = entryBody(entry)
        assert.deepStrictEqual(entryFrom(columns, body), entry)
        expect(body).not.toContain(entry.id)
      }),
    )
  })

  it('is a marker once erased: place, time and running totals stay, nothing else', () => {
    const totals = { messages: 1, turns: 1, tokens: 9 }
    const entry: Entry = { ...columns, v: 3, by: 'me', traceId: 'tr', turn: newId('trn'), tokens: 9, totals, data: { secret: 1 } }
    expect(erasedEntry(entry)).toEqual({ ...columns, type: 'erased', v: 1, totals, data: {} })
    expect(erasedEntry(erasedEntry(entry))).toEqual(erasedEntry(entry))
  })
})

describe('a cursor', () => {
  it('comes back as it was, and nothing else is taken for one', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.double({ noNaN: true, noDefaultInfinity: true }).filter(n => !Object.is(n, -0)),
        ),
        fc.string(),
        (value, id) => {
          const kind = typeof value as 'string' | 'number'
          expect(decodeCursor(encodeCursor([value, id]), kind)).toEqual([value, id])
          expect(() => decodeCursor(encodeCursor([value, id]), kind === 'string' ? 'number' : 'string')).toThrow('cursor')
        },
      ),
    )
    fc.assert(
      fc.property(fc.string(), text => {
        let outcome: unknown
        try {
          outcome = decodeCursor(text, 'string')
        } catch (error) {
          outcome = (error as { code?: string }).code
        }
        if (outcome !== 'input.invalid') expect(outcome).toHaveLength(2)
      }),
    )
  })
})
