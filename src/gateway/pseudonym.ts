import { hmacSha256, sha256 } from '#kernel'

/** `seed`: a bare hash, which is guessed in minutes where ids are phone numbers. `hmac`: under the tenant's own key. */
export type PseudonymForm = 'seed' | 'hmac'

export interface PseudonymOptions {
  /** Default: `hmac` where a key is given, else `seed`. */
  readonly form?: PseudonymForm
  /** 32 bytes of the tenant's own. */
  readonly key?: Uint8Array
  readonly platform?: string
}

/**
 * What stands for an id where it must not be shown: `user_` and 12 hex digits; of a chat the hash alone, behind its prefix if
 * it has one. The same id gives the same pseudonym. Law G73.
 */
export function pseudonym(kind: 'user' | 'chat', id: string, options: PseudonymOptions = {}): string {
  const hash = (value: string): string => digest(kind, value, options).slice(0, 12)
  if (kind === 'user') return `user_${hash(id)}`
  const colon = id.indexOf(':')
  return colon > 0 ? `${id.slice(0, colon)}:${hash(id.slice(colon + 1))}` : hash(id)
}

function digest(
  kind: string,
  value: string,
  { key, platform = '', form = key === undefined ? 'seed' : 'hmac' }: PseudonymOptions,
): string {
  return form === 'hmac' && key !== undefined ? hmacSha256(key, `${kind}\n${platform}\n${value}`) : sha256(value)
}

/** 7–15 digits without spaces and `+-().`: a name that is a phone number hides nobody. */
export function isPhoneNumber(text: string): boolean {
  return /^\d{7,15}$/.test(text.replace(/[\s+\-().]/g, ''))
}
