import type { Json, JsonObject } from '#kernel'

/** The value with each lone surrogate, also in keys, as U+FFFD; the very same value where there is none. */
export function wellFormed<T>(value: T): T {
  return isWell(value as Json) ? value : (mended(value as Json) as T)
}

function isWell(value: Json): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (value === null || typeof value !== 'object') return true
  if (isList(value)) return value.every(isWell)
  for (const key in value) if (!key.isWellFormed() || !isWell((value as JsonObject)[key] ?? null)) return false
  return true
}

function mended(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed()
  if (value === null || typeof value !== 'object') return value
  if (isList(value)) return value.map(mended)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toWellFormed(), mended(item)]))
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
