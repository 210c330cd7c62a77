import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { asSkeinError, type ErrorCode, type ErrorRule, errorRules, invalidInput, isSkeinError, SkeinError } from '#kernel'

const rules = Object.entries(errorRules) as [ErrorCode, ErrorRule][]
const codesWhere = (holds: (rule: ErrorRule) => boolean): ErrorCode[] =>
  rules.filter(([, rule]) => holds(rule)).map(([code]) => code)

describe('the error table', () => {
  verifies('J3', 'each code has one category, retryable flag, HTTP status and exit code, and an error carries them', () => {
    for (const [code, rule] of rules) {
      expect(code).toMatch(/^[a-z]+\.[a-z_]+$/)
      const error = new SkeinError(code, 'text')
      expect([error.category, error.retryable]).toEqual([rule.category, rule.retryable])
      expect(rule.http).toBeGreaterThanOrEqual(400)
      expect([1, 2, 6, 7, 8, 9]).toContain(rule.exit)
    }
  })

  verifies('J3', 'a code without status, exit or flag does not compile', () => {
    const complete = { category: 'input', http: 400, exit: 2, retryable: false } satisfies ErrorRule
    const { http: _http, ...withoutStatus } = complete
    const { exit: _exit, ...withoutExit } = complete
    const { retryable: _retryable, ...withoutFlag } = complete
    const { category: _category, ...withoutCategory } = complete
    // @ts-expect-error A rule needs its HTTP status.
    void ({ 'new.code': withoutStatus } satisfies Record<string, ErrorRule>)
    // @ts-expect-error A rule needs its exit code.
    void ({ 'new.code': withoutExit } satisfies Record<string, ErrorRule>)
    // @ts-expect-error A rule needs its retryable flag.
    void ({ 'new.code': withoutFlag } satisfies Record<string, ErrorRule>)
    // @ts-expect-error A rule needs its category.
    void ({ 'new.code': withoutCategory } satisfies Record<string, ErrorRule>)
    // @ts-expect-error A code that the table does not have is no code.
    const unknown: ErrorCode = 'new.code'
    expect(Object.hasOwn(errorRules, unknown)).toBe(false)
  })

  verifies('J3', 'exit codes follow the category, and what can be retried is what is unavailable, busy or raced', () => {
    for (const [code, { category, http, exit }] of rules) {
      if (code.endsWith('.not_found')) expect([category, http, exit], code).toEqual(['input', 404, 7])
      else if (category === 'input') expect(exit, code).toBe(code.startsWith('auth.') ? 6 : 2)
      else expect(exit, code).toBe({ refused: 8, conflict: 8, unavailable: 9, broken: 1 }[category])
    }
    const unavailable = codesWhere(rule => rule.category === 'unavailable')
    expect(codesWhere(rule => rule.retryable).sort()).toEqual(
      ['session.busy', 'gateway.queue_full', 'store.conflict', ...unavailable].sort(),
    )
    expect(codesWhere(rule => rule.http === 409).filter(code => errorRules[code].category === 'conflict')).toEqual([
      'store.conflict',
      'store.fenced',
    ])
    expect(codesWhere(rule => rule.http === 507)).toEqual(['store.full'])
  })
})

describe('telling errors apart', () => {
  verifies('J4', 'an error of a second copy of the package is one of ours', async () => {
    const second = './errors.ts?second'
    const copy = (await import(/* @vite-ignore */ second)) as {
      readonly SkeinError: typeof SkeinError
      readonly isSkeinError: typeof isSkeinError
    }
    expect(copy.SkeinError).not.toBe(SkeinError)
    const error: unknown = new copy.SkeinError('store.conflict', 'text', { details: { change: 3 } })
    expect(error instanceof SkeinError).toBe(false)
    expect(isSkeinError(error)).toBe(true)
    expect(asSkeinError(error)).toBe(error)
    expect(copy.isSkeinError(new SkeinError('store.full', 'text'))).toBe(true)
  })

  verifies('J4', 'nothing else is one of ours', () => {
    for (const other of [
      { code: 'store.conflict' },
      new Error('store.conflict'),
      { [Symbol.for('skein.error')]: true },
      null,
      undefined,
      'x',
      class {},
    ])
      expect(isSkeinError(other)).toBe(false)
  })

  it('keeps code, details and cause, and is an Error', () => {
    const cause = new Error('below')
    const error = new SkeinError('store.full', 'No space.', { details: { needed: 5 }, cause })
    expect(error).toBeInstanceOf(Error)
    expect([error.name, error.message, error.code, error.details, error.cause]).toEqual([
      'SkeinError',
      'No space.',
      'store.full',
      { needed: 5 },
      cause,
    ])
    expect(new SkeinError('store.full', 'x').details).toEqual({})
    expect('cause' in new SkeinError('store.full', 'x')).toBe(false)
  })

  it('names the place of a wrong input', () => {
    expect(invalidInput('a[0].b', 'No.')).toMatchObject({
      code: 'input.invalid',
      message: 'a[0].b: No.',
      details: { path: 'a[0].b', issues: [{ path: 'a[0].b', message: 'No.' }] },
    })
    expect(invalidInput('', 'No.').message).toBe('No.')
  })

  it('calls an unknown throw a bug and keeps it', () => {
    const cause = new TypeError('x is not a function')
    expect(asSkeinError(cause)).toMatchObject({ code: 'skein.bug', message: 'Unexpected: x is not a function', cause })
    expect(asSkeinError('text')).toMatchObject({ code: 'skein.bug', cause: 'text' })
  })
})
