import { anObject, aText, given, invalidInput, isObject, shape } from '#kernel'
import { keepsOAuth, oauthOnly, presentText, takesOAuth } from './credential-kinds.ts'
import type { StoredCredential } from './credential-store.ts'
import { isOAuth } from './credential-text.ts'

/** A provider's name, which ignores case. */
export function readProvider(provider: unknown): string {
  const name = typeof provider === 'string' ? provider.trim().toLowerCase() : ''
  if (name === '') throw invalidInput('provider', 'Expected the name of a provider.')
  return name
}

const checkCredential = shape<StoredCredential>({ apiKey: aText, oauth: anObject, fields: anObject }, 'credential')

/** What a caller wants to be kept, or `input.invalid`: nothing to keep, or a kind that the provider doesn't take. */
export function readCredential(provider: string, credential: StoredCredential): StoredCredential {
  if (!isObject(credential as unknown)) throw invalidInput('credential', 'Expected an object.')
  checkCredential(credential, 'credential')
  const { apiKey, oauth, fields } = credential
  if (apiKey !== undefined && presentText(apiKey) === undefined)
    throw invalidInput('credential.apiKey', 'Expected a key, not blanks.')
  if (apiKey !== undefined && oauthOnly.has(provider))
    throw invalidInput('credential.apiKey', `${provider} takes a login, no key.`)
  if (oauth !== undefined && !isOAuth(oauth))
    throw invalidInput('credential.oauth', 'Expected accessToken, refreshToken and expiresAt (epoch milliseconds).')
  if (oauth !== undefined && !takesOAuth.has(provider) && !keepsOAuth.has(provider))
    throw invalidInput('credential.oauth', `${provider} takes keys only.`)
  if (fields !== undefined && !Object.values(fields).every(value => typeof value === 'string'))
    throw invalidInput('credential.fields', 'Expected texts.')
  const told = given({ apiKey: presentText(apiKey), oauth, fields })
  if (Object.keys(told).length === 0) throw invalidInput('credential', 'Expected apiKey, oauth or fields.')
  return told
}
