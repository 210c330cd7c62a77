import { isObject, SkeinError } from '#kernel'

export interface Issue {
  readonly path: string
  readonly message: string
}

/** Reads a value, or says what is wrong with it and reads on; what is `undefined` is not there. */
export type Reader<T> = (value: unknown, path: string, issues: Issue[]) => T | undefined

const reader =
  <T>(fits: (value: unknown) => boolean, message: string, read: (value: unknown) => T = value => value as T): Reader<T> =>
  (value, path, issues) => {
    if (fits(value)) return read(value)
    issues.push({ path, message })
    return undefined
  }

export const aFlag: Reader<boolean> = reader(value => typeof value === 'boolean', 'Expected true or false.')
export const aText: Reader<string> = reader(
  value => typeof value === 'string' && value.trim() !== '',
  'Expected a text that is not blank.',
)
export const aFunction = <F>(): Reader<F> => reader(value => typeof value === 'function', 'Expected a function.')

export function oneOf<T extends string>(...values: readonly T[]): Reader<T> {
  return reader(value => (values as readonly unknown[]).includes(value), `Expected one of ${values.join(', ')}.`)
}

/** A finite number in a range; `whole` ones have no fraction. */
export function aNumber(min: number, max: number, { whole = false }: { readonly whole?: boolean } = {}): Reader<number> {
  const kind = whole ? 'a whole number' : 'a number'
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return reader(
    value =>
      typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max && (!whole || Number.isInteger(value)),
    `Expected ${kind} ${range}.`,
  )
}

/** A value that fits a test of its own. */
export function aValue<T>(fits: (value: unknown) => boolean, message: string, read?: (value: unknown) => T): Reader<T> {
  return reader(fits, message, read)
}

/** The first reader that has no complaint; if none is content, what the last one says. */
export function anyOf<T>(...readers: readonly Reader<T>[]): Reader<T> {
  return (value, path, issues) => {
    let last: Issue[] = []
    for (const read of readers) {
      last = []
      const found = read(value, path, last)
      if (last.length === 0) return found
    }
    issues.push(...last)
    return undefined
  }
}

export function listOf<T>(inner: Reader<T>): Reader<readonly T[]> {
  return (value, path, issues) => {
    if (!Array.isArray(value)) {
      issues.push({ path, message: 'Expected a list.' })
      return undefined
    }
    return value.flatMap((item: unknown, index) => inner(item, `${path}[${index}]`, issues) ?? [])
  }
}

/** Values by names; a name that does not fit is a problem of its own. */
export function byName<T>(
  inner: Reader<T>,
  nameOf: (name: string) => string | undefined,
  message: string,
): Reader<Readonly<Record<string, T>>> {
  return (value, path, issues) => {
    if (!isObject(value)) {
      issues.push({ path, message: 'Expected an object.' })
      return undefined
    }
    const found: Record<string, T> = {}
    for (const [name, item] of Object.entries(value)) {
      if (item === undefined) continue
      const kept = nameOf(name)
      if (kept === undefined) issues.push({ path: `${path}.${name}`, message })
      const read = inner(item, `${path}.${name}`, issues)
      if (kept !== undefined && read !== undefined) found[kept] = read
    }
    return found
  }
}

/** An object with these members; others are named as unknown. Required ones are said to be missing. */
export function members<T extends object>(
  readers: { readonly [K in keyof Required<T>]: Reader<NonNullable<T[K]>> },
  required: readonly (keyof T & string)[] = [],
): Reader<T> {
  const known = new Map(Object.entries(readers) as [string, Reader<unknown>][])
  return (value, path, issues) => {
    const at = (name: string): string => (path === '' ? name : `${path}.${name}`)
    if (!isObject(value)) {
      issues.push({ path, message: 'Expected an object.' })
      return undefined
    }
    const found: Record<string, unknown> = {}
    for (const [name, item] of Object.entries(value)) {
      if (item === undefined || item === null) continue
      const read = known.get(name)
      if (read === undefined)
        issues.push({ path: at(name), message: `Unknown setting; expected ${[...known.keys()].join(', ')}.` })
      else {
        const kept = read(item, at(name), issues)
        if (kept !== undefined) found[name] = kept
      }
    }
    for (const name of required)
      if (value[name] === undefined || value[name] === null) issues.push({ path: at(name), message: 'Missing.' })
    return found as T
  }
}

/** Reads all, then refuses all of it with every problem at once. Throws `config.invalid`. Law G83. */
export function readWhole<T>(read: Reader<T>, value: unknown, path: string): T {
  const issues: Issue[] = []
  const found = read(value, path, issues)
  const [first] = issues
  if (first === undefined && found !== undefined) return found
  const message = issues.map(issue => `${issue.path}: ${issue.message}`).join('\n')
  throw new SkeinError('config.invalid', message, { details: { key: first?.path ?? path, path: first?.path ?? path, issues } })
}
