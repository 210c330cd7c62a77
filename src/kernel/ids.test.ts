import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import {
  createIds,
  type Id,
  idPrefixes,
  isAlias,
  isBlobId,
  isId,
  isSkeinError,
  manualClock,
  newId,
  parseId,
  parseSessionRef,
  parseTenant,
  seededRandom,
  sha256,
  timeOfId,
  blobId,
} from '#kernel'

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'nothing'
}

const ulidDigit = fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ')
const anyId = fc
  .tuple(fc.constantFrom(...idPrefixes), fc.constantFrom(...'01234567'), fc.array(ulidDigit, { minLength: 25, maxLength: 25 }))
  .map(([prefix, first, rest]) => `${prefix}_${first}${rest.join('')}`)

describe('making ids', () => {
  verifies('J1', 'an id begins with the time it was made', () => {
    const ids = createIds({ clock: manualClock(1_700_000_000_000) })
    expect(ids('ses').slice(0, 14)).toBe('ses_01HF7YAT00')
    expect(timeOfId(ids('ent'))).toBe(1_700_000_000_000)
  })

  verifies('J1', '100,000 ids of one millisecond are distinct and sort as drawn, also after the clock steps back an hour', () => {
    const clock = manualClock()
    const ids = createIds({ clock })
    const drawn: string[] = []
    for (let n = 0; n < 100_000; n++) {
      if (n === 50_000) clock.advance(-3_600_000)
      drawn.push(ids('ent'))
    }
    clock.advance(3_600_001)
    drawn.push(ids('ent'))
    for (let n = 1; n < drawn.length; n++)
      if ((drawn[n - 1] ?? '') >= (drawn[n] ?? '')) expect.fail(`${drawn[n - 1]} before ${drawn[n]}`)
    expect(drawn.every(id => isId('ent', id))).toBe(true)
  })

  verifies('J1', 'ids strictly increase over any steps of the clock, whatever randomness gives', () => {
    const steps = fc.array(fc.integer({ min: -5_000, max: 5_000 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(steps, fc.integer(), (moves, seed) => {
        const clock = manualClock()
        const ids = createIds({ clock, random: seededRandom(seed) })
        let before = ids('ses').slice(4)
        for (const move of moves) {
          clock.advance(move)
          const next = ids('ent')
          expect(next.slice(4) > before).toBe(true)
          expect(isId('ent', next)).toBe(true)
          before = next.slice(4)
        }
      }),
    )
  })

  verifies('J1', 'the highest randomness still counts up within the millisecond', () => {
    const random = { bytes: (target: Uint8Array) => target.fill(255), number: () => 0 }
    const ids = createIds({ clock: manualClock(), random })
    const [a, b] = [ids('ent'), ids('ent')]
    expect(a < b && isId('ent', b)).toBe(true)
  })

  it('gives ids of the time asked for with the default maker, too', () => {
    const id = newId('mem')
    expect(isId('mem', id)).toBe(true)
    expect(newId('mem') > id).toBe(true)
  })
})

describe('reading ids', () => {
  verifies('J2', 'a malformed id is input.invalid', () => {
    const id = newId('ses')
    const malformed = [
      'ses_x',
      id.toLowerCase(),
      `${id}0`,
      id.slice(0, -1),
      '../a',
      '',
      ' ',
      id.replace('ses', 'ent'),
      `${id}\n`,
      'ses_8ZZZZZZZZZZZZZZZZZZZZZZZZZ',
      `ses_${'I'.repeat(26)}`,
    ]
    for (const text of [...malformed, 7, null, undefined, {}, [id]]) {
      expect(isId('ses', text)).toBe(false)
      expect(codeOf(() => parseId('ses', text))).toBe('input.invalid')
    }
    for (const text of [
      'ses_x',
      id.toLowerCase(),
      `${id}0`,
      '../a',
      '',
      '-a',
      '.a',
      'a/b',
      'a b',
      'ent_a',
      'blb_1',
      'a'.repeat(129),
      'é',
    ])
      expect(
        codeOf(() => parseSessionRef(text)),
        text,
      ).toBe('input.invalid')
  })

  verifies('J2', 'every well-formed id and alias is read as what it is', () => {
    fc.assert(
      fc.property(anyId, id => {
        const prefix = id.slice(0, 3) as (typeof idPrefixes)[number]
        expect(parseId(prefix, id)).toBe(id)
        expect(isAlias(id)).toBe(false)
        for (const other of idPrefixes) expect(isId(other, id)).toBe(other === prefix)
        if (prefix === 'ses') expect(parseSessionRef(id)).toBe(id)
      }),
    )
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/), alias => {
        const isReserved = [...idPrefixes, 'blb'].some(prefix => alias.startsWith(`${prefix}_`))
        expect(isAlias(alias)).toBe(!isReserved)
        if (!isReserved) expect(parseSessionRef(alias)).toEqual({ alias })
      }),
    )
  })

  it('says when an id was made, for any time that an id can hold', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), at => {
        const id: Id = createIds({ clock: { now: () => at } })('job')
        expect(timeOfId(id)).toBe(at)
      }),
    )
  })

  it('knows a blob by the first half of its hash', () => {
    const id = blobId(sha256('abc'))
    expect(id).toBe('blb_ba7816bf8f01cfea414140de5dae2223')
    expect([isBlobId(id), isBlobId(`${id}0`), isBlobId(id.toUpperCase()), isBlobId('blb_')]).toEqual([true, false, false, false])
  })

  it('takes short lower-case names for tenants', () => {
    for (const name of ['default', 'a', '0', 'a-b_c', 'x'.repeat(63)]) expect(parseTenant(name)).toBe(name)
    for (const name of ['', '_', '-a', 'A', 'x'.repeat(64), 'a.b', 'a\n', 5])
      expect(codeOf(() => parseTenant(name))).toBe('input.invalid')
  })
})
