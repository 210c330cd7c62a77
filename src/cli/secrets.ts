import { isSecretReference } from '#agent'
import { SkeinError } from '#kernel'

export interface SecretPlaces {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file; throws if there is none. */
  readonly readFile: (path: string) => string
}

/** The secret behind a reference; anything else is the secret itself. Throws `config.invalid`, which never names the secret. */
export function readSecret(text: string, key: string, places: SecretPlaces): string {
  if (!isSecretReference(text)) return text
  const place = text.slice(text.indexOf(':') + 1)
  const found = text.startsWith('env:') ? places.env[place] : readOr(place, places.readFile)
  const secret = found?.trim() ?? ''
  if (secret !== '') return secret
  throw new SkeinError('config.invalid', `${key}: there is nothing at ${text}.`, { details: { key } })
}

function readOr(path: string, read: (path: string) => string): string | undefined {
  try {
    return read(path)
  } catch {
    return undefined
  }
}

/** A value as it may be shown: references stay, passwords in addresses and plain secrets don't. Law H23. */
export function masked(kind: string, value: string): string {
  if (isSecretReference(value)) return value
  if (kind === 'secret') return '***'
  return maskAddress(value)
}

/** An address without the passwords and keys in it. */
export function maskAddress(address: string): string {
  return address
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@?#]*?:)[^@]*@/i, '$1***@')
    .replaceAll(/([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*/gi, '$1***')
}
