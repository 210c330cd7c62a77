import { hmacSha256, isSkeinError } from '#kernel'
import type { Front } from './desk.ts'
import { type Mask, safePlatforms } from './privacy.ts'
import { pseudonym } from './pseudonym.ts'
import { gatewayRecords } from './route.ts'

const name = 'pseudonyms'
const keyBytes = 32

/** The tenant's key: 32 bytes, made once and stored, or made of the configured one. */
export async function pseudonymKey({ store, desk, tenant }: Front): Promise<Uint8Array> {
  const { key } = desk.settings.privacy
  if (key !== undefined) return Buffer.from(hmacSha256(Buffer.from(key, 'hex'), tenant), 'hex')
  const { secret: collection } = gatewayRecords
  const stored = async (): Promise<Uint8Array | undefined> => {
    const value = (await store.record(collection, name))?.value
    return typeof value === 'string' ? Buffer.from(value, 'hex') : undefined
  }
  const found = await stored()
  if (found !== undefined) return found
  const made = desk.runtime.random.bytes(new Uint8Array(keyBytes))
  try {
    await store.commit([
      { type: 'put_record', collection, key: name, value: Buffer.from(made).toString('hex'), expectVersion: 0 },
    ])
    return made
  } catch (error) {
    const theirs = isSkeinError(error) && error.code === 'store.conflict' ? await stored() : undefined
    if (theirs === undefined) throw error
    return theirs
  }
}

/** What hides ids of this tenant, if that is asked for and a platform can do with it. Law G75. */
export async function maskFor(front: Front, platform: string, redact: boolean): Promise<Mask | undefined> {
  const { desk } = front
  if (!redact || !(safePlatforms.includes(platform) || desk.piiSafe.has(platform))) return undefined
  const form = desk.settings.privacy.pseudonyms
  const key = form === 'seed' ? undefined : await pseudonymKey(front)
  const of = (kind: 'user' | 'chat') => (on: string, id: string) =>
    pseudonym(kind, id, { form, platform: on, ...(key === undefined ? {} : { key }) })
  return { user: of('user'), chat: of('chat') }
}
