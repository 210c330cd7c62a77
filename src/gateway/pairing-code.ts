import { hmacSha256, type Random, sameDigest } from '#kernel'

/** Letters and digits that nobody mistakes for another. */
const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const codeLength = 8

/**
 * The code of a request, which a stranger reads out to whoever runs the gateway: 40 bits that only the tenant's key and the
 * request's id give, so it is told again without being kept. Law G77.
 */
export function pairingCode(key: Uint8Array, id: string): string {
  const digest = Buffer.from(hmacSha256(key, `pairing\n${id}`), 'hex').subarray(0, codeLength)
  // 32 letters: the low five bits of a byte choose each of them evenly.
  return [...digest].map(byte => alphabet[byte & 31]).join('')
}

/** How a code is kept: with a salt of its own, as a hash. */
export function keptCode(code: string, random: Pick<Random, 'bytes'>): { readonly salt: string; readonly hash: string } {
  const salt = Buffer.from(random.bytes(new Uint8Array(16))).toString('hex')
  return { salt, hash: hmacSha256(salt, code) }
}

/** As people type codes: any case, with spaces or hyphens between. */
export const readPairingCode = (typed: string): string => typed.toUpperCase().replaceAll(/[\s-]/g, '')

export const isCodeOf = (code: string, { salt, hash }: { readonly salt: string; readonly hash: string }): boolean =>
  sameDigest(hmacSha256(salt, code), hash)
