import { hmacSha256, type Random, sameDigest } from '#kernel'

/** Letters and digits that nobody mistakes for another. */
const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const codeLength = 8

/** A code that a stranger reads out to whoever runs the gateway: 40 random bits, kept only as a salted hash. Law G77. */
export function newPairingCode(random: Pick<Random, 'bytes'>): {
  readonly code: string
  readonly salt: string
  readonly hash: string
} {
  // 32 letters: the low five bits of a byte choose each of them evenly.
  const code = [...random.bytes(new Uint8Array(codeLength))].map(byte => alphabet[byte & 31]).join('')
  const salt = Buffer.from(random.bytes(new Uint8Array(16))).toString('hex')
  return { code, salt, hash: hmacSha256(salt, code) }
}

/** As people type codes: any case, with spaces or hyphens between. */
export const readPairingCode = (typed: string): string => typed.toUpperCase().replaceAll(/[\s-]/g, '')

export const isCodeOf = (code: string, { salt, hash }: { readonly salt: string; readonly hash: string }): boolean =>
  sameDigest(hmacSha256(salt, code), hash)
