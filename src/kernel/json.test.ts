import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { canonical, isSkeinError, type Json, maxJsonDepth, mergePatch, stringify, toJson } from '#kernel'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\u0000', '\ud800', '\udc00x', '😀', '__proto__', 'constructor', 'toJSON'),
)
const { value: anyJson } = fc.letrec<{ value: Json; leaf: Json }>(tie => ({
  leaf: fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(n => (n === 0 ? 0 : n)),
    text,
  ),
  value: fc.oneof(
    { maxDepth: 5 },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 4 }).map(ownMembers),
  ),
}))

/** An object whose members are all its own, also one called `__proto__`. */
function ownMembers(members: readonly (readonly [string, Json])[]): Json {
  return JSON.parse(`{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`) as Json
}

function nested(depth: number, bottom: unknown = 0): unknown {
  let value = bottom
  for (let n = 0; n < depth; n++) value = n % 2 === 0 ? [value] : { a: value }
  return value
}

const pathOf = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return isSkeinError(error) && error.code === 'input.invalid' ? error.details['path'] : error
  }
  return 'accepted'
}

describe('making pure JSON', () => {
  verifies('J6', 'any JSON value is copied deeply equal and comes back from its text', () => {
    fc.assert(
      fc.property(anyJson, value => {
        const copy = toJson(value)
        assert.deepStrictEqual(copy, value)
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value))
        assert.deepStrictEqual(JSON.parse(stringify(value)), value)
        expect(stringify(value).isWellFormed()).toBe(true)
        expect(stringify(value)).not.toContain('\u0000')
      }),
    )
  })

  verifies('J6', 'a key called __proto__ stays data and touches no prototype', () => {
    const value = toJson(JSON.parse('{"__proto__":{"polluted":true},"a":[{"__proto__":1}]}')) as Record<string, unknown>
    expect(Object.keys(value)).toEqual(['__proto__', 'a'])
    expect(value['polluted']).toBeUndefined()
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  verifies('J6', 'depth 128 is taken, 129 is refused with its path', () => {
    expect(maxJsonDepth).toBe(128)
    expect(toJson(nested(128))).toEqual(nested(128))
    expect(pathOf(() => toJson(nested(129)))).toBe(`$${'[0].a'.repeat(64)}`)
  })

  verifies('J6', 'what is not JSON is refused where it stands', () => {
    class Point {
      readonly x = 1
    }
    const cycle: Record<string, unknown> = { a: {} }
    ;(cycle['a'] as Record<string, unknown>)['b'] = [cycle]
    const refused: [unknown, string][] = [
      [Number.NaN, '$'],
      [{ a: [1, Infinity] }, '$.a[1]'],
      [{ 'a b': -Infinity }, '$["a b"]'],
      [[10n], '$[0]'],
      [{ f: () => 1 }, '$.f'],
      [{ s: Symbol('s') }, '$.s'],
      [[undefined], '$[0]'],
      [Array(2), '$[0]'],
      [undefined, '$'],
      [new Date(0), '$'],
      [{ m: new Map() }, '$.m'],
      [{ p: new Point() }, '$.p'],
      [new Uint8Array(2), '$'],
      [cycle, '$.a.b[0]'],
    ]
    for (const [value, path] of refused) expect(pathOf(() => toJson(value))).toBe(path)
    expect(pathOf(() => toJson({ a: Number.NaN }, 'messages[0].data'))).toBe('messages[0].data.a')
  })

  it('drops undefined members, turns -0 into 0 and copies what appears twice', () => {
    const shared = { x: 1 }
    const copy = toJson({ a: undefined, b: -0, c: shared, d: shared, e: Object.create(null) as object })
    expect(copy).toStrictEqual({ b: 0, c: { x: 1 }, d: { x: 1 }, e: {} })
    shared.x = 2
    expect(copy).toMatchObject({ c: { x: 1 } })
  })
})

describe('canonical text', () => {
  it('has its keys in code unit order, also those that objects count as indexes', () => {
    expect(canonical({ b: 1, 9: 2, 10: { z: [], a: { 1: null } }, ['__proto__']: '\ud800' })).toBe(
      '{"10":{"a":{"1":null},"z":[]},"9":2,"__proto__":"\\ud800","b":1}',
    )
    expect(canonical([{ b: 1, a: [{ d: '東', c: 0.5 }] }, 'x'])).toBe('[{"a":[{"c":0.5,"d":"東"}],"b":1},"x"]')
  })

  it('is the same for equal values in any order of keys, and differs for different ones', () => {
    const shuffled = (value: Json): Json =>
      Array.isArray(value)
        ? value.map(shuffled)
        : value !== null && typeof value === 'object'
          ? ownMembers(
              Object.entries(value)
                .reverse()
                .map(([key, member]) => [key, shuffled(member)]),
            )
          : value
    fc.assert(
      fc.property(anyJson, anyJson, (a, b) => {
        expect(canonical(shuffled(a))).toBe(canonical(a))
        assert.deepStrictEqual(JSON.parse(canonical(a)), a)
        if (canonical(a) === canonical(b)) assert.deepStrictEqual(a, b)
      }),
    )
  })
})

describe('merging a patch', () => {
  it('follows RFC 7396', () => {
    // The table of the RFC's appendix A.
    const table: [Json, Json, Json][] = [
      [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
      [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
      [{ a: 'b' }, { a: null }, {}],
      [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
      [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
      [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
      [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
      [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
      [
        ['a', 'b'],
        ['c', 'd'],
        ['c', 'd'],
      ],
      [{ a: 'b' }, ['c'], ['c']],
      [{ a: 'foo' }, null, null],
      [{ a: 'foo' }, 'bar', 'bar'],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [[1, 2], { a: 'b', c: null }, { a: 'b' }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ]
    for (const [target, patch, merged] of table) expect(mergePatch(target, patch)).toStrictEqual(merged)
  })

  it('changes neither argument, and names such as __proto__ and constructor are members like others', () => {
    fc.assert(
      fc.property(anyJson, anyJson, (target, patch) => {
        const before = [JSON.stringify(target), JSON.stringify(patch)]
        const merged = mergePatch(target, patch)
        expect([JSON.stringify(target), JSON.stringify(patch)]).toEqual(before)
        expect(JSON.stringify(mergePatch(merged, patch))).toBe(JSON.stringify(merged))
      }),
    )
    const merged = mergePatch({ a: 1 }, JSON.parse('{"__proto__":{"x":1},"constructor":{"y":2}}') as Json)
    expect(JSON.stringify(merged)).toBe('{"a":1,"__proto__":{"x":1},"constructor":{"y":2}}')
    expect(JSON.stringify(mergePatch(merged, JSON.parse('{"__proto__":{"z":3}}') as Json))).toContain('{"x":1,"z":3}')
  })
})
