import { type Change, ownBlob, sealEntry } from '#journal'

/** Changes as they are now, so that callers may go on changing what they handed in. Entries are kept as the text they become. */
export function ownChanges(changes: readonly Change[]): Change[] {
  return changes.map(change => {
    if (change.type !== 'append') return ownCopy(change)
    const { entries, blobs, ...rest } = change
    const own = { ...ownCopy(rest), entries: entries.map(sealEntry) }
    return blobs === undefined ? own : { ...own, blobs: blobs.map(ownBlob) }
  })
}

/** A deep copy of plain data with bytes in it. Faster than `structuredClone`. */
export function ownCopy<T>(value: T): T {
  return copy(value) as T
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copy)
  if (value instanceof Uint8Array) return Uint8Array.prototype.slice.call(value)
  const made: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const member = copy((value as Record<string, unknown>)[key])
    if (key === '__proto__') {
      Object.defineProperty(made, key, { value: member, enumerable: true, configurable: true, writable: true })
    } else made[key] = member
  }
  return made
}
