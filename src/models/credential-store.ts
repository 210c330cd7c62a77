import type { OAuth } from './port.ts'

/** What a credential store keeps of one provider. */
export interface StoredCredential {
  readonly apiKey?: string
  readonly oauth?: OAuth
  /** Further members that a provider needs, e.g. `baseUrl`. */
  readonly fields?: { readonly [name: string]: string }
}

/** Where credentials are kept between processes. Providers are lower case. */
export interface CredentialStore {
  /** Rejects with `auth.store_corrupt` where nothing can be made of what is kept. */
  get(provider: string): Promise<StoredCredential | undefined>
  /** The providers that something is kept for. */
  list(): Promise<readonly string[]>
  /**
   * Replaces what is kept of a provider, while nobody else can: what stands there now is read and handed to `decide`, and what
   * that resolves to stands there when this has resolved; `null` stands for nothing, `undefined` leaves all as it is. What
   * `decide` throws is thrown, and nothing has changed. Rejects with `auth.locked` where others hold the store for too long,
   * and with `auth.store_corrupt`.
   */
  change(provider: string, decide: DecideCredential): Promise<void>
}

export type DecideCredential = (
  kept: StoredCredential | undefined,
) => StoredCredential | null | undefined | Promise<StoredCredential | null | undefined>

/** A store that is forgotten with the process, for tests. */
export function memoryCredentials(kept: { readonly [provider: string]: StoredCredential } = {}): CredentialStore {
  const credentials = new Map(Object.entries(kept))
  let last = Promise.resolve()
  return {
    get: async provider => credentials.get(provider),
    list: async () => [...credentials.keys()],
    change(provider, decide) {
      const change = last.then(async () => {
        const decided = await decide(credentials.get(provider))
        if (decided === null) credentials.delete(provider)
        else if (decided !== undefined) credentials.set(provider, decided)
      })
      last = change.catch(() => undefined)
      return change
    },
  }
}
