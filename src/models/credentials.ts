import { given, SkeinError } from '#kernel'
import type { Credential, OAuth } from './port.ts'

/** Names and values of an environment, handed in: nothing here reads the process's own. */
export type Environment = { readonly [name: string]: string | undefined }

/** What a credential store keeps of one provider. */
export interface StoredCredential {
  readonly apiKey?: string
  readonly oauth?: OAuth
  readonly fields?: { readonly [name: string]: string }
}

/** Where credentials are kept between processes. */
export interface CredentialStore {
  get(provider: string): Promise<StoredCredential | undefined>
}

/** Kinds and places of credentials, never a secret. */
export interface CredentialSummary {
  readonly provider: string
  readonly kind: 'apiKey' | 'oauth'
  readonly source: 'runtime' | 'stored' | 'environment'
}

export interface Credentials {
  /**
   * The first of: the caller's own key, runtime, OAuth, stored key, environment; `undefined` if none. Blank counts as absent.
   * OAuth is found only for providers that take it, keys only for those that take keys; a provider that needs none has `none`.
   * Laws P11, P18.
   */
  find(provider: string, options?: { readonly apiKey?: string | undefined }): Promise<Credential | undefined>
  /** A key for this process alone, kept in memory only. Blank removes it. Law P12. */
  setRuntime(provider: string, apiKey: string): void
  /** Of these providers, the ones that have a credential. */
  list(providers: readonly string[]): Promise<CredentialSummary[]>
}

/** Variables that hold a key where they are not called `PROVIDER_API_KEY`; the first that is set counts. */
const keyVariables: { readonly [provider: string]: readonly string[] | undefined } = {
  google: ['GOOGLE_API_KEY', 'GEMINI_API_KEY'],
  moonshot: ['MOONSHOT_API_KEY', 'KIMI_API_KEY'],
  'kimi-code': ['KIMICODE_API_KEY', 'KIMI_CODE_API_KEY'],
}
/** Providers that answer without a key, too. */
const keyless: ReadonlySet<string> = new Set(['demo', 'openai-compatible'])
const oauthOnly: ReadonlySet<string> = new Set(['openai-codex'])
const takesOAuth: ReadonlySet<string> = new Set(['openai-codex', 'anthropic', 'kimi-code'])
/** openai-codex falls back to a login that was made for openai. */
const oauthHomes: { readonly [provider: string]: readonly string[] | undefined } = { 'openai-codex': ['openai-codex', 'openai'] }

/** `openai-compatible` and `BASE_URL` make `OPENAI_COMPATIBLE_BASE_URL`. */
export const variableOf = (provider: string, field: string): string =>
  `${provider.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_${field}`

/** The variables that may hold a provider's key, the first one first. */
export const keyVariablesOf = (provider: string): readonly string[] => keyVariables[provider] ?? [variableOf(provider, 'API_KEY')]

export function createCredentials({ env, store }: { env: Environment; store?: CredentialStore }): Credentials {
  const runtime = new Map<string, string>()
  const fieldsOf = (provider: string, stored?: StoredCredential): { fields?: { readonly [name: string]: string } } => {
    const baseUrl = present(env[variableOf(provider, 'BASE_URL')])
    const fields = { ...given({ baseUrl }), ...stored?.fields }
    return Object.keys(fields).length === 0 ? {} : { fields }
  }
  const oauthOf = async (provider: string): Promise<OAuth | undefined> => {
    if (!takesOAuth.has(provider)) return undefined
    for (const home of oauthHomes[provider] ?? [provider]) {
      const oauth = (await store?.get(home))?.oauth
      if (oauth !== undefined) return oauth
    }
    return undefined
  }
  const find: Credentials['find'] = async (provider, { apiKey } = {}) => {
    const key = (text: string | undefined, source: KeySource, stored?: StoredCredential): Credential | undefined => {
      const found = oauthOnly.has(provider) ? undefined : present(text)
      return found === undefined ? undefined : { kind: 'apiKey', apiKey: found, source, ...fieldsOf(provider, stored) }
    }
    const own = key(apiKey, 'option') ?? key(runtime.get(provider), 'runtime')
    if (own !== undefined) return own
    const oauth = await oauthOf(provider)
    if (oauth !== undefined) return { kind: 'oauth', oauth, source: 'stored' }
    const stored = await store?.get(provider)
    const variable = keyVariablesOf(provider).find(name => present(env[name]) !== undefined)
    const kept =
      key(stored?.apiKey, 'stored', stored) ?? key(variable === undefined ? undefined : env[variable], 'environment', stored)
    return kept ?? (keyless.has(provider) ? { kind: 'none', ...fieldsOf(provider, stored) } : undefined)
  }
  return {
    find,
    setRuntime(provider, apiKey) {
      if (present(apiKey) === undefined) runtime.delete(provider)
      else runtime.set(provider, apiKey)
    },
    async list(providers) {
      const found = await Promise.all(providers.map(async provider => ({ provider, credential: await find(provider) })))
      return found.flatMap(({ provider, credential }) =>
        credential === undefined || credential.kind === 'none' || credential.source === 'option'
          ? []
          : [{ provider, kind: credential.kind, source: credential.source }],
      )
    },
  }
}

type KeySource = Extract<Credential, { kind: 'apiKey' }>['source']

const present = (text: string | undefined): string | undefined => {
  const trimmed = text?.trim() ?? ''
  return trimmed === '' ? undefined : trimmed
}

/** No credential for a provider that needs one. Law P17. */
export function authMissing(provider: string): SkeinError {
  const how = oauthOnly.has(provider) ? 'Log in to it first.' : `Set ${keyVariablesOf(provider).join(' or ')}, or pass apiKey.`
  return new SkeinError('auth.missing', `Auth failed for ${provider}: no credential was found. ${how}`, { details: { provider } })
}
