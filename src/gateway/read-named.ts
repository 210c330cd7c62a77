import { byteLength, invalidInput } from '#kernel'

/** A reason or name: 1–255 bytes without control characters. Throws `input.invalid`. */
export function readNamed(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '' && byteLength(value) <= 255 && !/\p{Cc}/u.test(value) && value.isWellFormed())
    return value
  throw invalidInput(path, 'Expected 1–255 bytes of text without control characters.')
}
