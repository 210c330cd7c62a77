import type { Json } from '#kernel'
import { describe, expect, it } from 'vitest'
import { checkJsonSchema, schemaIssues } from './json-schema.ts'

/** A schema, values that fit it, and values that don't. */
const table: readonly (readonly [schema: Json, fit: readonly Json[], unfit: readonly Json[]])[] = [
  [true, [null, 1], []],
  [{ not: {} }, [], [null, 'x']],
  [{ type: 'integer' }, [1, 1.0, -3], [1.5, '1', null, true]],
  [{ type: 'number' }, [1, 1.5], ['1']],
  [{ type: ['string', 'null'] }, ['', null], [0, []]],
  [{ type: 'array' }, [[]], [{}]],
  [{ type: 'object' }, [{}], [[], null]],
  [{ enum: [{ a: 1, b: [2] }, 'x'] }, ['x', { b: [2], a: 1 }], ['y', { a: 1 }]],
  [{ const: null }, [null], [0, false]],
  [{ multipleOf: 0.01 }, [0.07, 19.99, 'x'], [0.015]],
  [{ minimum: 1, exclusiveMaximum: 3 }, [1, 2.9], [0.9, 3]],
  [{ exclusiveMinimum: 1, maximum: 3 }, [1.1, 3], [1, 3.1]],
  [{ minLength: 2, maxLength: 2 }, ['ab', '😀😀', 7], ['a', 'abc']],
  [{ pattern: '^a+$' }, ['aa', 5], ['ab', '']],
  [{ minItems: 1, maxItems: 2, uniqueItems: true }, [[1], [1, 2]], [[], [1, 2, 3], [{ a: 1 }, { a: 1 }]]],
  [{ prefixItems: [{ type: 'string' }], items: { type: 'number' } }, [['a', 1, 2], ['a'], []], [['a', 'b'], [1]]],
  [{ contains: { const: 1 } }, [[0, 1]], [[0], []]],
  [{ contains: { const: 1 }, minContains: 0, maxContains: 1 }, [[], [1]], [[1, 1]]],
  [{ required: ['a'], properties: { a: { type: 'string' } } }, [{ a: 'x' }, { a: 'x', b: 1 }, 'text'], [{}, { a: 1 }]],
  [{ required: ['toString'] }, [{ toString: 1 }], [{}]],
  [{ properties: { a: true }, patternProperties: { '^x-': {} }, additionalProperties: false }, [{ a: 1, 'x-b': 2 }], [{ b: 1 }]],
  [{ additionalProperties: { type: 'number' } }, [{ a: 1 }], [{ a: 'x' }]],
  [{ propertyNames: { maxLength: 1 }, minProperties: 1, maxProperties: 2 }, [{ a: 1 }], [{ ab: 1 }, {}, { a: 1, b: 2, c: 3 }]],
  [{ dependentRequired: { a: ['b'] } }, [{}, { a: 1, b: 2 }], [{ a: 1 }]],
  [{ dependentSchemas: { a: { required: ['b'] } } }, [{ b: 1 }], [{ a: 1 }]],
  [{ allOf: [{ type: 'number' }, { minimum: 2 }] }, [2], [1, 'x']],
  [{ anyOf: [{ type: 'string' }, { minimum: 2 }] }, ['x', 2], [1]],
  [{ oneOf: [{ multipleOf: 2 }, { multipleOf: 3 }] }, [2, 3], [6, 5]],
  [{ if: { type: 'string' }, then: { minLength: 1 }, else: { minimum: 0 } }, ['a', 0], ['', -1]],
  [{ $ref: '#/$defs/a~1b', $defs: { 'a/b': { type: 'null' } } }, [null], [1]],
  [{ $ref: '#/$defs/none' }, [], [1]],
  [{ properties: { next: { $ref: '#' } }, additionalProperties: false }, [{ next: { next: {} } }], [{ next: { other: 1 } }]],
  [{ $ref: '#' }, [], [1]],
  [{ format: 'email' }, ['not one'], []],
]

describe('a JSON Schema', () => {
  it.each(table)('%j', (schema, fit, unfit) => {
    checkJsonSchema(schema)
    expect(fit.filter(value => schemaIssues(schema, value).length > 0)).toEqual([])
    expect(unfit.filter(value => schemaIssues(schema, value).length === 0)).toEqual([])
  })

  it('names the place and the problem', () => {
    const schema = { properties: { list: { items: { properties: { 'a b': { type: 'string' } } } } } }
    expect(schemaIssues(schema, { list: [{}, { 'a b': 1 }] })).toEqual([
      { path: '$.list[1]["a b"]', message: 'Expected string, got integer.' },
    ])
  })

  it.each([
    [{ $ref: 'other.json' }, 'schema.$ref'],
    [{ items: { unevaluatedProperties: false } }, 'schema.items.unevaluatedProperties'],
    [{ properties: { a: { pattern: '(' } } }, 'schema.properties.a.pattern'],
    [{ anyOf: {} }, 'schema.anyOf'],
    [{ properties: [] }, 'schema.properties'],
    [{ not: 3 }, 'schema.not'],
  ])('refuses %j, which it could not check', (schema, path) => {
    expect(() => checkJsonSchema(schema as Json)).toThrow(path)
  })
})
