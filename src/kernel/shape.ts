import { invalidInput } from './errors.ts'

/** Refuses a value that a caller gave at `path` with `input.invalid`; never changes it. */
export type Check = (value: unknown, path: string) => void

/** One check for each member of `T`: an option that is added without one does not compile. */
export type Members<T> = { readonly [K in keyof Required<T>]: Check }

/**
 * The check of an option object: anything but an object, a member that it doesn't know and a member that its check refuses
 * are `input.invalid` with their path. A member that is `undefined` counts as absent, an absent object is none.
 */
export function shape<T>(members: Members<T>, name: string = 'options'): (value: unknown, path?: string) => void {
  const known = new Map<string, Check>(Object.entries(members))
  return (value, path = '') => {
    if (value === undefined) return
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw invalidInput(path === '' ? name : path, 'Expected an object.')
    for (const key in value) {
      const member = (value as Record<string, unknown>)[key]
      if (member === undefined) continue
      const check = known.get(key)
      const at = path === '' ? key : `${path}.${key}`
      if (check === undefined) throw invalidInput(at, `Unknown member; expected ${[...known.keys()].join(', ')}.`)
      check(member, at)
    }
  }
}

const check =
  (fits: (value: unknown) => boolean, problem: string): Check =>
  (value, path) => {
    if (!fits(value)) throw invalidInput(path, problem)
  }

/** For what is read and refused, with its path, where it is used. */
export const anything: Check = () => undefined
export const aText: Check = check(value => typeof value === 'string', 'Expected a text.')
export const aFlag: Check = check(value => typeof value === 'boolean', 'Expected true or false.')
export const anObject: Check = check(
  value => typeof value === 'object' && value !== null && !Array.isArray(value),
  'Expected an object.',
)
export const aFunction: Check = check(value => typeof value === 'function', 'Expected a function.')
export const aSignal: Check = check(value => value instanceof AbortSignal, 'Expected an AbortSignal.')

export function orNull(inner: Check): Check {
  return (value, path) => {
    if (value !== null) inner(value, path)
  }
}

/** The first that fits; a value that none takes gets `problem`. */
export function either(first: Check, second: Check, problem: string): Check {
  return (value, path) => {
    for (const one of [first, second]) {
      try {
        one(value, path)
        return
      } catch {
        // The next may take it.
      }
    }
    throw invalidInput(path, problem)
  }
}

export function oneOf(...values: readonly string[]): Check {
  return check(
    value => typeof value === 'string' && values.includes(value),
    `Expected ${values.length === 1 ? '' : 'one of '}${values.join(', ')}.`,
  )
}

export function listOf(inner: Check, of: string): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw invalidInput(path, `Expected a list of ${of}.`)
    for (const [index, item] of value.entries()) inner(item, `${path}[${index}]`)
  }
}

/** A safe integer from `min` to `max`. */
export function wholeNumber(min: number = 0, max: number = Number.MAX_SAFE_INTEGER): Check {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`
  return check(
    value => typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max,
    `Expected a whole number ${range}.`,
  )
}
