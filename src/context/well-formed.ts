import type { Json, JsonObject } from '#kernel'

/** The value with each lone surrogate, also in keys, as U+FFFD; the very same value where there is none. */
export function wellFormed<T>(value: T): T {
  return walk(value as Json) as T
}

function walk(value: Json): Json {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed()
  if (value === null || typeof value !== 'object') return value
  if (isList(value)) {
    const items = value.map(walk)
    return items.every((item, at) => item === value[at]) ? value : items
  }
  let same = true
  const members = Object.entries(value as JsonObject).map(([key, item]): [string, Json] => {
    const now = walk(item)
    if (now !== item || !key.isWellFormed()) same = false
    return [key.toWellFormed(), now]
  })
  return same ? value : Object.fromEntries(members)
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
