import { type Clock, isObject, isSkeinError, messageOf, SkeinError, type Timers, within } from '#kernel'
import type { CredentialStore } from './credential-store.ts'
import { isOAuth } from './credential-text.ts'
import type { Connector, OAuth } from './port.ts'
import { providerError } from './provider-error.ts'
import { redacted } from './redact.ts'

/** Source: spec/agent.md 2. */
export const refreshLimits = {
  /** A token is due this long before it expires. */
  earlyMs: 300_000,
  /** A refresh that takes longer has failed: the lock must not become stale under it. */
  refreshMs: 20_000,
} as const

export interface Refreshing {
  readonly store: CredentialStore
  readonly clock: Clock
  readonly timers: Timers
}

type Refresh = NonNullable<Connector['refresh']>

/**
 * The login that is kept under `home`, refreshed if it is due: once, under the store's lock, however many find it due; a newer
 * token that another process wrote is used. `undefined` if there is none. Rejects with `auth.expired` where the refresh is
 * refused (what is kept stays), or where there is none and the token's time is over; with `auth.refresh_failed` or
 * `auth.locked` where it could not be done now, but a token whose time isn't over is used all the same. Laws P15, P16, P33.
 */
export async function freshOAuth(
  home: string,
  provider: string,
  refresh: Refresh | undefined,
  { store, clock, timers }: Refreshing,
): Promise<OAuth | undefined> {
  const kept = (await store.get(home))?.oauth
  if (kept === undefined || !isDue(kept, clock.now())) return kept
  if (refresh === undefined) {
    if (!isExpired(kept, clock.now())) return kept
    throw expired(provider, 'its token has expired, and its connector cannot refresh it')
  }
  let fresh: OAuth | undefined
  try {
    await store.change(home, async found => {
      fresh = found?.oauth
      if (fresh === undefined || isNewer(fresh, kept, clock.now())) return undefined
      fresh = await refreshed(fresh, provider, refresh, timers)
      return { ...found, oauth: fresh }
    })
  } catch (error) {
    const isFinal = isSkeinError(error) && (error.code === 'auth.expired' || error.code === 'auth.store_corrupt')
    if (isFinal || isExpired(kept, clock.now())) throw error
    return kept
  }
  return fresh
}

const isDue = ({ expiresAt }: OAuth, now: number): boolean => now >= expiresAt - refreshLimits.earlyMs
export const isExpired = ({ expiresAt }: OAuth, now: number): boolean => now >= expiresAt

/** True for a token that isn't due, or that another process has just got. */
const isNewer = (found: OAuth, before: OAuth, now: number): boolean =>
  !isDue(found, now) || (found.accessToken !== before.accessToken && !isExpired(found, now))

async function refreshed(oauth: OAuth, provider: string, refresh: Refresh, timers: Timers): Promise<OAuth> {
  const over = new AbortController()
  const late = (): never => {
    over.abort()
    throw new Error(`no answer within ${refreshLimits.refreshMs / 1_000} s`)
  }
  const failed = (why: string): SkeinError => {
    // No cause: what a refresh throws may hold the token.
    const clean = redacted(why, [oauth.accessToken, oauth.refreshToken])
    return new SkeinError('auth.refresh_failed', `The login for ${provider} cannot be refreshed now: ${clean}`, {
      details: { provider },
    })
  }
  let answer: unknown
  try {
    // What a refresh throws at once counts like what it rejects with.
    answer = await within(timers, refreshLimits.refreshMs, (async () => await refresh(oauth, over.signal))(), late)
  } catch (error) {
    throw isRefusal(error, provider) ? expired(provider, 'the login is refused') : failed(messageOf(error))
  }
  // A provider that doesn't change refresh tokens may leave it out.
  const token = isObject(answer) ? { ...answer, refreshToken: answer['refreshToken'] || oauth.refreshToken } : undefined
  if (!isOAuth(token) || token.accessToken.trim() === '') throw failed('the answer has no token')
  return { accessToken: token.accessToken, refreshToken: token.refreshToken, expiresAt: token.expiresAt }
}

/** A provider's no: 400, 401, 403 and what OAuth calls an invalid grant. Everything else may be better the next time. */
function isRefusal(error: unknown, provider: string): boolean {
  if (isSkeinError(error)) return ['auth.rejected', 'auth.expired', 'provider.rejected'].includes(error.code)
  const said = isObject(error) ? [error['status'], error['statusCode'], error['error']] : []
  if (said.some(value => value === 400 || value === 401 || value === 403 || value === 'invalid_grant')) return true
  if (messageOf(error).includes('invalid_grant')) return true
  return providerError(error, { provider, model: '', now: 0, begun: false }).code === 'auth.rejected'
}

export const expired = (provider: string, why: string): SkeinError =>
  new SkeinError('auth.expired', `Auth failed for ${provider}: ${why}. Log in again.`, { details: { provider } })
