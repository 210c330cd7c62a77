import { hmacSha256, sameDigest } from '#kernel'

/** How far a signed time may be off. Milliseconds. */
const toleranceMs = 300_000

/** `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">` */
export function signBody(secret: string, body: string, now: number): string {
  const at = Math.floor(now / 1_000)
  return `t=${at},v1=${hmacSha256(secret, `${at}.${body}`)}`
}

/** Whether a header signs this body, at about this time; of several `v1` one has to. Compared in constant time. Law G81. */
export function isSigned(header: string | undefined, body: string, secret: string, now: number): boolean {
  const members = (header ?? '').split(',').map(member => member.trim().split('=', 2))
  const times = members.filter(([name]) => name === 't')
  const at = times[0]?.[1] ?? ''
  if (times.length !== 1 || !/^\d{1,12}$/.test(at) || Math.abs(now - Number(at) * 1_000) > toleranceMs) return false
  const expected = hmacSha256(secret, `${at}.${body}`)
  return members.some(([name, digest = '']) => name === 'v1' && sameDigest(expected, digest))
}
