import { invalidInput } from './errors.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

export const maxJsonDepth = 128

/**
 * A deep copy as pure JSON: `undefined` members vanish, `-0` becomes `0`.
 * Throws `input.invalid` with a JSON path for NaN, infinities, BigInt, functions, symbols, cycles, class instances
 * and depth over 128 (a scalar has depth 0). Keys such as `__proto__` stay plain data. Law J6.
 */
export function toJson(value: unknown, path: string = '$'): Json {
  try {
    return copy(value, 0, [])
  } catch (error) {
    if (error instanceof NotJson) throw invalidInput(path + error.steps.reverse().join(''), error.message)
    throw error
  }
}

/** What is wrong, and the way to it, innermost step first: only a refusal pays for its path. */
class NotJson extends Error {
  readonly steps: string[] = []
}

function copy(value: unknown, depth: number, above: unknown[]): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value)) throw new NotJson(`${value} is not JSON.`)
      return value === 0 ? 0 : value
    case 'object':
      break
    default:
      throw new NotJson(`A ${typeof value} is not JSON.`)
  }
  if (value === null) return null
  if (depth >= maxJsonDepth) throw new NotJson(`Nested deeper than ${maxJsonDepth}.`)
  if (above.includes(value)) throw new NotJson('A cycle is not JSON.')
  above.push(value)
  const result = Array.isArray(value) ? copyArray(value, depth, above) : copyObject(value, depth, above)
  above.pop()
  return result
}

function copyArray(value: readonly unknown[], depth: number, above: unknown[]): Json {
  const out: Json[] = []
  let at = 0
  try {
    for (; at < value.length; at++) {
      const item = value[at]
      if (item === undefined) throw new NotJson('undefined is not JSON.')
      out.push(copy(item, depth + 1, above))
    }
  } catch (error) {
    if (error instanceof NotJson) error.steps.push(`[${at}]`)
    throw error
  }
  return out
}

function copyObject(value: object, depth: number, above: unknown[]): Json {
  const proto: unknown = Object.getPrototypeOf(value)
  if (proto !== null && proto !== Object.prototype && Object.getPrototypeOf(proto) !== null) {
    throw new NotJson('An instance of a class is not JSON.')
  }
  const out: Record<string, Json> = {}
  let at = ''
  try {
    for (const key of Object.keys(value)) {
      at = key
      const item = (value as Record<string, unknown>)[key]
      if (item !== undefined) setOwn(out, key, copy(item, depth + 1, above))
    }
  } catch (error) {
    if (error instanceof NotJson) error.steps.push(step(at))
    throw error
  }
  return out
}

/** Sets a member as plain data, also one called `__proto__`, which an assignment would take for the prototype. */
function setOwn(target: Record<string, Json>, key: string, value: Json): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  else target[key] = value
}

const step = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)

/**
 * JSON text that survives UTF-8 and SQL: lone surrogates stand escaped (JSON.stringify does that) and U+0000, too.
 * What is hashed and stored is always this text, so different values never hash alike.
 */
export function stringify(value: Json): string {
  return JSON.stringify(value)
}

/** The same text for the same value whatever the order of its keys (code unit order); for digests and comparing. */
export function canonical(value: Json): string {
  const ordered = inOrder(value)
  return ordered === undefined ? inOrderText(value) : JSON.stringify(ordered)
}

/** Keys that an object lists before all others, by their number, whenever they were set. */
const index = /^\d{1,10}$/

/** A copy with its keys in order; undefined if no object can have them so. */
function inOrder(value: Json): Json | undefined {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    const items: Json[] = []
    for (const item of value as readonly Json[]) {
      const ordered = inOrder(item)
      if (ordered === undefined) return undefined
      items.push(ordered)
    }
    return items
  }
  const out: Record<string, Json> = {}
  for (const key of Object.keys(value).sort()) {
    const ordered = index.test(key) ? undefined : inOrder((value as JsonObject)[key] ?? null)
    if (ordered === undefined) return undefined
    setOwn(out, key, ordered)
  }
  return out
}

function inOrderText(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(inOrderText).join(',')}]`
  const object = value as JsonObject
  const members = Object.keys(object)
    .sort()
    .map(key => `${JSON.stringify(key)}:${inOrderText(object[key] ?? null)}`)
  return `{${members.join(',')}}`
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** RFC 7396: `null` removes a member, objects merge, anything else replaces. Neither argument is changed. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch
  const out: Record<string, Json> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    else setOwn(out, key, mergePatch((Object.hasOwn(out, key) ? out[key] : undefined) ?? null, value))
  }
  return out
}
