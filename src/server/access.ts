import { type Clock, parseTenant, sameDigest, sha256, SkeinError } from '#kernel'
import type { Store } from '#journal'
import { findAccessToken, hasAccessTokens, type Scope, scopes } from './access-tokens.ts'
import type { GivenToken } from './options.ts'

/** Who calls, and what that one may do. */
export interface Caller {
  /** The same for every request of one token; names its rate bucket. */
  readonly bucket: string
  readonly tenant: string
  readonly scopes: readonly Scope[]
  readonly owners: 'all' | readonly string[]
}

const everyone: Caller = { bucket: '', tenant: 'default', scopes, owners: 'all' }
/** How long it may go unnoticed that somebody made the first token. */
const recheckMs = 1_000

/** Finds callers by their tokens. Without any token, in the options or the store, everyone on this machine may do everything. */
export class Access {
  readonly #given: readonly { readonly digest: string; readonly caller: Caller }[]
  readonly #store: Store
  readonly #clock: Clock
  #required: boolean
  #checkedAt = -Infinity

  constructor(given: readonly GivenToken[], store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#given = given.map(({ name, secret, tenant = 'default', scopes: granted = ['read', 'write'], owners }) => {
      if (secret.length < 8)
        throw new SkeinError('config.invalid', `tokens.${name}: A secret has at least 8 characters.`, {
          details: { key: `tokens.${name}` },
        })
      const digest = sha256(secret)
      return { digest, caller: { bucket: digest, tenant: parseTenant(tenant), scopes: granted, owners: owners ?? 'all' } }
    })
    this.#required = given.length > 0
  }

  /** Whether callers need a token. Once true it stays so: taking the last token away opens nothing. */
  async required(): Promise<boolean> {
    const now = this.#clock.now()
    if (!this.#required && now - this.#checkedAt >= recheckMs) {
      this.#required = await hasAccessTokens(this.#store)
      this.#checkedAt = now
    }
    return this.#required
  }

  /** Throws `auth.required`, the same for a missing and a wrong token. Law H7. */
  async caller(headers: Headers): Promise<Caller> {
    if (!(await this.required())) return everyone
    const token = /^Bearer +([\x21-\x7e]+)$/i.exec(headers.get('authorization') ?? '')?.[1]
    const found = token === undefined ? undefined : (this.#findGiven(token) ?? (await this.#findStored(token)))
    if (found === undefined) throw new SkeinError('auth.required', 'Send a valid token: Authorization: Bearer skn_….')
    return found
  }

  #findGiven(token: string): Caller | undefined {
    const digest = sha256(token)
    let found: Caller | undefined
    // All are compared, whichever fits.
    for (const given of this.#given) if (sameDigest(given.digest, digest)) found = given.caller
    return found
  }

  async #findStored(token: string): Promise<Caller | undefined> {
    const stored = await findAccessToken(this.#store, token)
    return stored === undefined
      ? undefined
      : { bucket: sha256(token), tenant: stored.tenant, scopes: stored.scopes, owners: stored.owners }
  }
}

/** Each scope includes those before it. Throws `auth.denied`. */
export function demandScope(caller: Pick<Caller, 'scopes'>, scope: Scope): void {
  const needed = scopes.indexOf(scope)
  if (!caller.scopes.some(granted => scopes.indexOf(granted) >= needed)) {
    throw new SkeinError('auth.denied', `This needs a token with the scope ${scope}.`, { details: { scope } })
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * Where nobody needs a token, only pages and programs of this machine get in: `Host` is a loopback name, and a browser's
 * `Origin` is the server's own or a configured one. Throws `auth.denied`. Law H8.
 */
export function demandLocal(request: Request, origins: readonly string[]): void {
  const host = request.headers.get('host') ?? new URL(request.url).host
  if (!URL.canParse(`http://${host}`) || !isLoopback(new URL(`http://${host}`).hostname)) {
    throw new SkeinError(
      'auth.denied',
      'Without tokens this server answers to loopback names alone, such as localhost. Make one: skein token new.',
    )
  }
  const origin = request.headers.get('origin')
  if (origin !== null && origin !== new URL(request.url).origin && !origins.includes(origin)) {
    throw new SkeinError('auth.denied', 'Pages of that origin may not call. Name it in server.origins.')
  }
}
