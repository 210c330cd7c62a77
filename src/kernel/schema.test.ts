import { describe, expect, it } from 'vitest'
import { isStandardSchema, type StandardResult, type StandardSchema, validate } from '#kernel'

const schemaOf = (run: (value: unknown) => StandardResult<number> | Promise<StandardResult<number>>): StandardSchema<number> => ({
  '~standard': { version: 1, vendor: 'test', validate: run },
})

describe("checking by a caller's schema", () => {
  it('gives what the schema made of the value, also later', async () => {
    expect(
      await validate(
        schemaOf(value => ({ value: Number(value) })),
        '5',
      ),
    ).toBe(5)
    expect(
      await validate(
        schemaOf(async value => ({ value: Number(value) })),
        '6',
      ),
    ).toBe(6)
  })

  it('rejects with every issue and its path', async () => {
    const schema = schemaOf(() => ({ issues: [{ message: 'too small', path: ['a', { key: 0 }, 'b'] }, { message: 'odd' }] }))
    await expect(validate(schema, 1)).rejects.toMatchObject({
      code: 'input.invalid',
      message: 'a.0.b: too small',
      details: {
        path: 'a.0.b',
        issues: [
          { path: 'a.0.b', message: 'too small' },
          { path: '', message: 'odd' },
        ],
      },
    })
    await expect(
      validate(
        schemaOf(() => ({ issues: [] })),
        1,
      ),
    ).rejects.toMatchObject({ code: 'input.invalid' })
  })

  it('knows a schema when it sees one, be it an object or a function', () => {
    const schema = schemaOf(() => ({ value: 1 }))
    expect([schema, Object.assign(() => 1, schema)].map(isStandardSchema)).toEqual([true, true])
    expect([null, {}, 'x', () => 1].map(isStandardSchema)).toEqual([false, false, false, false])
  })
})
