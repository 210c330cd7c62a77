/** A deep copy of plain data with bytes in it, so that callers may go on changing what they handed in. Faster than `structuredClone`. */
export function ownCopy<T>(value: T): T {
  return copy(value) as T
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copy)
  if (value instanceof Uint8Array) return value.slice()
  const made: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const member = copy((value as Record<string, unknown>)[key])
    if (key === '__proto__') {
      Object.defineProperty(made, key, { value: member, enumerable: true, configurable: true, writable: true })
    } else made[key] = member
  }
  return made
}
