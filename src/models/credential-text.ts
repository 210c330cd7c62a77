import { given, isObject, SkeinError } from '#kernel'
import type { StoredCredential } from './credential-store.ts'
import type { OAuth } from './port.ts'

type Members = { readonly [member: string]: unknown }

/**
 * The text of a credential file: an object with a member per provider, whose name ignores case. Members that Skein doesn't know
 * are kept with their place and value, numbers to the last digit. Law P13.
 */
export interface CredentialText {
  readonly providers: readonly string[]
  /** Throws `auth.store_corrupt` where a provider's member is no credential. */
  get(provider: string): StoredCredential | undefined
  /** The text in which this stands for a provider, or nothing (`null`). Throws like `get`. */
  with(provider: string, credential: StoredCredential | null): string
}

/** Throws `auth.store_corrupt` for what is not a JSON object in UTF-8. No text at all stands for an empty file. */
export function readCredentialText(bytes: Uint8Array | undefined, file: string): CredentialText {
  const corrupt = (where: string): SkeinError =>
    new SkeinError('auth.store_corrupt', `${where} Repair ${file} or move it away; Skein does not overwrite it.`, {
      details: { file },
    })
  const all = bytes === undefined ? {} : parse(bytes)
  if (!isObject(all)) throw corrupt('The credential file is not a JSON object.')
  const nameOf = (provider: string): string =>
    Object.hasOwn(all, provider) ? provider : (Object.keys(all).find(name => name.toLowerCase() === provider) ?? provider)
  const membersOf = (provider: string): Members | undefined => {
    const name = nameOf(provider)
    if (!Object.hasOwn(all, name)) return undefined
    const members = (all as Members)[name]
    if (!isCredential(members)) throw corrupt(`The credential file has no credential under ${provider}.`)
    return members
  }
  return {
    providers: Object.keys(all).map(name => name.toLowerCase()),
    get(provider) {
      const members = membersOf(provider)
      return members === undefined ? undefined : readMembers(members)
    },
    with(provider, credential) {
      const members = membersOf(provider)
      const written = writeMembers(members ?? {}, credential ?? {})
      const name = nameOf(provider)
      const isGone = credential === null && Object.keys(written).length === 0
      const before = Object.entries(all).flatMap(([other, value]): [string, unknown][] =>
        other !== name ? [[other, value]] : isGone ? [] : [[name, written]],
      )
      const after = members === undefined && !isGone ? [...before, [name, written] as const] : before
      return `${JSON.stringify(Object.fromEntries(after), null, 2)}\n`
    },
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes), exactNumber) as unknown
  } catch {
    return undefined
  }
}

/** Numbers that a double cannot hold stay as they were written. */
function exactNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source
  return typeof value !== 'number' || source === undefined || String(value) === source ? value : rawJson(source)
}

// ECMA-262's proposal-json-parse-with-source, which Node has and the compiler's library doesn't know yet.
const rawJson = (source: string): unknown => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source)

/** A number as it is, or as it was kept apart because a double cannot hold it. */
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : Number(JSON.stringify(value)))

const isText = (value: unknown): value is string => typeof value === 'string'
const orAbsent = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value)

function isCredential(value: unknown): value is Members {
  if (!isObject(value)) return false
  return orAbsent(value['apiKey'], isText) && orAbsent(value['oauth'], isOAuth) && orAbsent(value['fields'], areFields)
}

export function isOAuth(value: unknown): value is OAuth {
  if (!isObject(value)) return false
  const { accessToken, refreshToken, expiresAt } = value as Members
  return isText(accessToken) && isText(refreshToken) && Number.isFinite(numberOf(expiresAt))
}

const areFields = (value: unknown): boolean => isObject(value) && Object.values(value).every(isText)

function readMembers({ apiKey, oauth, fields }: Members): StoredCredential {
  return given({
    apiKey: apiKey as string | undefined,
    oauth: oauth === undefined ? undefined : readOAuth(oauth as Members),
    fields: fields as StoredCredential['fields'],
  })
}

const readOAuth = ({ accessToken, refreshToken, expiresAt }: Members): OAuth => ({
  accessToken: accessToken as string,
  refreshToken: refreshToken as string,
  expiresAt: numberOf(expiresAt),
})

/** The members that are known become the credential's, all others stay. */
function writeMembers(members: Members, { apiKey, oauth, fields }: StoredCredential): Members {
  const known = given({
    apiKey,
    oauth: oauth === undefined ? undefined : { ...(members['oauth'] as Members | undefined), ...oauth },
    fields,
  })
  const gone = ['apiKey', 'oauth', 'fields'].filter(name => !(name in known))
  const kept = Object.entries(members).filter(([name]) => !gone.includes(name))
  return { ...Object.fromEntries(kept), ...known }
}
