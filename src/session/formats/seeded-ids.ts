import { type Id, type IdPrefix, sha256 } from '#kernel'

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const latest = 2 ** 48 - 1

/**
 * An id that follows from a time and a text alone: the time as ULIDs have it, then the first 80 bits of the text's SHA-256.
 * A time that no id can hold counts as 0.
 */
export function seededId<P extends IdPrefix>(prefix: P, at: number, text: string): Id<P> {
  let time = ''
  for (let rest = isIdTime(at) ? at : 0, i = 0; i < 10; i++, rest = Math.floor(rest / 32))
    time = (digits[rest % 32] ?? '0') + time
  const hash = BigInt(`0x${sha256(text).slice(0, 20)}`)
  let tail = ''
  for (let i = 75n; i >= 0n; i -= 5n) tail += digits[Number((hash >> i) & 31n)] ?? '0'
  return `${prefix}_${time}${tail}`
}

/** Whether a time is whole epoch milliseconds that an id can hold. */
export const isIdTime = (at: unknown): at is number => Number.isSafeInteger(at) && (at as number) >= 0 && (at as number) <= latest
