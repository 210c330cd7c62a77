import { type Clock, given, SkeinError, systemClock, systemTimers, type Timers } from '#kernel'
import {
  keyless,
  keyVariablesOf,
  needsNone,
  oauthHomes,
  oauthOnly,
  presentText,
  takesOAuth,
  variableOf,
} from './credential-kinds.ts'
import type { CredentialStore, StoredCredential } from './credential-store.ts'
import { freshOAuth } from './fresh-oauth.ts'
import type { Connector, Credential, OAuth } from './port.ts'
import { readCredential, readProvider } from './read-credential.ts'

/** Names and values of an environment, handed in: nothing here reads the process's own. */
export type Environment = { readonly [name: string]: string | undefined }

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
  /**
   * The login that `find` gives for this provider, refreshed if it is due. `undefined` if it is gone. See `freshOAuth` for what
   * it rejects with.
   */
  fresh(provider: string, refresh: Connector['refresh']): Promise<OAuth | undefined>
  /**
   * Keeps these members of a provider's credential; members that aren't given stay as they are. Rejects with `input.invalid` for
   * a kind that the provider doesn't take, `config.invalid` where there is no file to keep it in, `auth.locked`,
   * `auth.store_corrupt`.
   */
  set(provider: string, credential: StoredCredential): Promise<void>
  /** Forgets what is kept of a provider; members that Skein doesn't know stay. `false` if there was nothing. */
  remove(provider: string): Promise<boolean>
  /** A key for this process alone, kept in memory only. Blank removes it. Law P12. */
  setRuntime(provider: string, apiKey: string): void
  /** Of these providers, and those that something is kept for, the ones that have a credential. */
  list(providers: readonly string[]): Promise<CredentialSummary[]>
}

export interface CredentialsOptions {
  readonly env: Environment
  readonly store?: CredentialStore
  readonly clock?: Clock
  readonly timers?: Timers
  /** Keys of this process by provider; several may share one. */
  readonly runtime?: Map<string, string>
}

export function createCredentials(options: CredentialsOptions): Credentials {
  const { env, store, clock = systemClock, timers = systemTimers, runtime = new Map<string, string>() } = options
  const fieldsOf = (provider: string, stored?: StoredCredential): { fields?: { readonly [name: string]: string } } => {
    const baseUrl = presentText(env[variableOf(provider, 'BASE_URL')])
    const fields = { ...given({ baseUrl }), ...stored?.fields }
    return Object.keys(fields).length === 0 ? {} : { fields }
  }
  /** Where a provider's login is kept, and what it is. */
  const loginOf = async (provider: string): Promise<{ home: string; oauth: OAuth } | undefined> => {
    if (!takesOAuth.has(provider)) return undefined
    for (const home of oauthHomes[provider] ?? [provider]) {
      const oauth = (await store?.get(home))?.oauth
      if (oauth !== undefined && presentText(oauth.accessToken) !== undefined) return { home, oauth }
    }
    return undefined
  }
  const find: Credentials['find'] = async (provider, { apiKey } = {}) => {
    if (needsNone.has(provider)) return { kind: 'none' }
    const key = (text: string | undefined, source: KeySource, stored?: StoredCredential): Credential | undefined => {
      const found = oauthOnly.has(provider) ? undefined : presentText(text)
      return found === undefined ? undefined : { kind: 'apiKey', apiKey: found, source, ...fieldsOf(provider, stored) }
    }
    // A key that is given here must work though nothing can be made of the store, whose fields go with it otherwise. Law P14.
    const kept = async (): Promise<StoredCredential | undefined> => await store?.get(provider)
    const own = key(apiKey, 'option') ?? key(runtime.get(provider), 'runtime')
    if (own !== undefined) return { ...own, ...fieldsOf(provider, await kept().catch(() => undefined)) }
    const login = await loginOf(provider)
    if (login !== undefined) return { kind: 'oauth', oauth: login.oauth, source: 'stored' }
    const stored = await kept()
    const variable = keyVariablesOf(provider).find(name => presentText(env[name]) !== undefined)
    const found =
      key(stored?.apiKey, 'stored', stored) ?? key(variable === undefined ? undefined : env[variable], 'environment', stored)
    return found ?? (keyless.has(provider) ? { kind: 'none', ...fieldsOf(provider, stored) } : undefined)
  }
  /** One refresh at a time within this process; the store's lock is between processes. */
  const refreshing = new Map<string, Promise<OAuth | undefined>>()
  const fresh: Credentials['fresh'] = async (provider, refresh) => {
    const home = (await loginOf(provider))?.home
    if (store === undefined || home === undefined) return undefined
    let going = refreshing.get(provider)
    if (going === undefined) {
      going = freshOAuth(home, provider, refresh, { store, clock, timers }).finally(() => refreshing.delete(provider))
      refreshing.set(provider, going)
    }
    return await going
  }
  const storeOf = (): CredentialStore => {
    if (store !== undefined) return store
    throw new SkeinError('config.invalid', 'There is no file to keep credentials in: say credentials, or SKEIN_CREDENTIALS.', {
      details: { key: 'credentials' },
    })
  }
  return {
    find,
    fresh,
    async set(provider, credential) {
      const name = readProvider(provider)
      const told = readCredential(name, credential)
      await storeOf().change(name, kept => ({ ...kept, ...told }))
    },
    async remove(provider) {
      const name = readProvider(provider)
      let was = false
      await storeOf().change(name, kept => {
        was = kept !== undefined && Object.keys(kept).length > 0
        return was ? null : undefined
      })
      return was
    },
    setRuntime(provider, apiKey) {
      const name = readProvider(provider)
      const key = presentText(apiKey)
      if (key === undefined) runtime.delete(name)
      else runtime.set(name, key)
    },
    async list(providers) {
      const names = [...new Set([...providers, ...((await store?.list()) ?? []), ...runtime.keys()])]
      const found = await Promise.all(names.map(async provider => ({ provider, credential: await find(provider) })))
      return found.flatMap(({ provider, credential }) =>
        credential === undefined || credential.kind === 'none' || credential.source === 'option'
          ? []
          : [{ provider, kind: credential.kind, source: credential.source }],
      )
    },
  }
}

type KeySource = Extract<Credential, { kind: 'apiKey' }>['source']

/** No credential for a provider that needs one. Law P17. */
export function authMissing(provider: string): SkeinError {
  const how = oauthOnly.has(provider) ? 'Log in to it first.' : `Set ${keyVariablesOf(provider).join(' or ')}, or pass apiKey.`
  return new SkeinError('auth.missing', `Auth failed for ${provider}: no credential was found. ${how}`, { details: { provider } })
}
