import {
  type Clock,
  cleanLine,
  given,
  invalidInput,
  isObject,
  parseTenant,
  type Random,
  reservedTenant,
  sameDigest,
  sha256,
  SkeinError,
} from '#kernel'
import type { Store } from '#journal'

export const scopes = ['read', 'write', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** What a bearer may do. `owners`: whose memories; all of the tenant's, or these. */
export interface AccessToken {
  readonly name: string
  readonly tenant: string
  readonly scopes: readonly Scope[]
  readonly owners: 'all' | readonly string[]
  readonly createdAt: number
}

/** Records of the reserved tenant, each under the SHA-256 of its token: the token itself is kept nowhere. */
const collection = 'access_token'
const tokenShape = /^skn_[A-Za-z0-9_-]{43}$/

/** Makes a token of 32 random bytes and stores its digest. What is returned can't be had again. */
export async function newAccessToken(
  store: Store,
  asked: {
    readonly name: string
    readonly tenant: string
    readonly scopes: readonly string[]
    readonly owners?: readonly string[]
  },
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<{ readonly token: string } & AccessToken> {
  const name = cleanLine(asked.name, 100)
  if (name === null) throw invalidInput('name', 'Expected a name of 1–100 visible characters.')
  const granted = {
    name,
    tenant: parseTenant(asked.tenant),
    scopes: readScopes(asked.scopes),
    owners: asked.owners === undefined || asked.owners.length === 0 ? ('all' as const) : asked.owners,
    createdAt: clock.now(),
  }
  const token = `skn_${Buffer.from(random.bytes(new Uint8Array(32))).toString('base64url')}`
  await store.in(reservedTenant).commit([
    {
      type: 'put_record',
      collection,
      key: sha256(token),
      value: granted,
      tags: [granted.tenant],
      sort: granted.createdAt,
      expectVersion: 0,
    },
  ])
  return { token, ...granted }
}

/** What a token grants, `undefined` for one that nobody made. The digest finds it, so no comparison's time tells anything. */
export async function findAccessToken(store: Store, token: string): Promise<AccessToken | undefined> {
  if (!tokenShape.test(token)) return undefined
  const digest = sha256(token)
  const row = await store.in(reservedTenant).record(collection, digest)
  if (row === undefined || !sameDigest(row.key, digest)) return undefined
  return isObject(row.value) ? (row.value as unknown as AccessToken) : undefined
}

/** Whether anyone made a token: without one, a server listens to loopback only. */
export async function hasAccessTokens(store: Store): Promise<boolean> {
  return (await store.in(reservedTenant).records(collection, { limit: 1 })).items.length > 0
}

/** A token that was made; `digest` is its SHA-256, which tells it from others of its name and opens nothing. */
export interface MadeToken extends AccessToken {
  readonly digest: string
}

/** Every token of every tenant, oldest first. */
export async function listAccessTokens(store: Store): Promise<readonly MadeToken[]> {
  const made: MadeToken[] = []
  let cursor: string | undefined
  do {
    const page = await store.in(reservedTenant).records(collection, given({ cursor }))
    for (const { key, value } of page.items) made.push({ digest: key, ...(value as unknown as AccessToken) })
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return made.sort((one, other) => one.createdAt - other.createdAt)
}

/** From now on nobody gets in with it. `false` if it is gone already. */
export async function removeAccessToken(store: Store, digest: string): Promise<boolean> {
  const { results } = await store.in(reservedTenant).commit([{ type: 'delete_record', collection, key: digest }])
  return (results[0] as { readonly deleted?: boolean } | undefined)?.deleted === true
}

function readScopes(asked: readonly string[]): Scope[] {
  const found = scopes.filter(scope => asked.includes(scope))
  const unknown = asked.find(scope => !(scopes as readonly string[]).includes(scope))
  if (unknown !== undefined || found.length === 0) {
    throw new SkeinError(
      'input.invalid',
      `scope: expected ${scopes.join(', ')}${unknown === undefined ? '' : `; got ${unknown}`}.`,
      { details: { path: 'scope' } },
    )
  }
  return found
}
