import { invalidInput, isObject, type Json } from '#kernel'
import type { Change, RecordRow } from '#journal'
import type { Reads } from './find-route.ts'
import { bareId, escaped, type IdentityResolver } from './key.ts'
import { gatewayRecords, storedKey } from './route.ts'
import { isId, type Source } from './source.ts'
import { isWhatsAppId, smallestOf } from './whatsapp.ts'

/** All ids of one somebody on one platform and scope. `canonical` stays once a route uses it. */
export interface Person {
  readonly platform: string
  readonly scope: string | undefined
  readonly canonical: string
  /** With the canonical one. */
  readonly aliases: readonly string[]
  /** Keys of the routes that use it. */
  readonly routes: readonly string[]
  /** Of the row under its canonical id; 0: nothing is known of it yet. */
  readonly version: number
}

/** Where those stand whom the configuration makes one person of several platforms. No message comes from there. */
export const personPlatform = 'person'

/** The row of a person: `platform:scope:id`. */
export function personKey(platform: string, scope: string | undefined, id: string): string {
  return `${platform}:${escaped(scope ?? '')}:${escaped(id)}`
}

export const keyOfPerson = ({ platform, scope, canonical }: Person): string => personKey(platform, scope, canonical)

/** Who an id is, by now. Somebody of whom nothing is known is the id alone. */
export async function readPerson(store: Reads, platform: string, scope: string | undefined, given: string): Promise<Person> {
  let canonical = bareId(platform, given)
  for (let hops = 0; hops < 64; hops++) {
    const row = await store.record(gatewayRecords.person, storedKey(personKey(platform, scope, canonical)))
    const now = aliasOf(row)
    if (now === undefined) return { platform, scope, canonical, ...known(row, canonical) }
    canonical = now
  }
  return { platform, scope, canonical, ...known(undefined, canonical) }
}

const aliasOf = (row: RecordRow | undefined): string | undefined =>
  isObject(row?.value) && typeof row.value['is'] === 'string' ? row.value['is'] : undefined

function known(row: RecordRow | undefined, canonical: string): Pick<Person, 'aliases' | 'routes' | 'version'> {
  const value = isObject(row?.value) ? row.value : {}
  const list = (name: string): string[] => (Array.isArray(value[name]) ? (value[name] as string[]) : [])
  return { aliases: row === undefined ? [canonical] : list('aliases'), routes: list('routes'), version: row?.version ?? 0 }
}

/** Writes what is known of a person over the version that was read. */
export function putPerson(person: Person): Change {
  const { aliases, routes, version } = person
  return {
    type: 'put_record',
    collection: gatewayRecords.person,
    key: storedKey(keyOfPerson(person)),
    value: { aliases, routes } as unknown as Json,
    expectVersion: version,
  }
}

/** From now on this one is the other. */
export function leadTo(from: Person, to: string): Change {
  return {
    type: 'put_record',
    collection: gatewayRecords.person,
    key: storedKey(keyOfPerson(from)),
    value: { is: to },
    expectVersion: from.version,
  }
}

/** The persons that a source names, by the ids that it names them with. */
export interface People {
  readonly resolver: IdentityResolver
  /** Who speaks: the user, in a WhatsApp DM else the chat. */
  readonly speaker: Person | undefined
  /** Both user ids, where they are not known to be one person: this source teaches that. */
  readonly pair: readonly [stable: Person, other: Person] | undefined
}

export async function readPeople(store: Reads, source: Source): Promise<People> {
  const { platform, scopeId, userId, userIdAlt, chatId, chatType } = source
  const read = async (id: string | undefined): Promise<Person | undefined> =>
    id === undefined ? undefined : await readPerson(store, platform, scopeId, id)
  const isPersonal = platform === 'whatsapp' && chatType === 'dm' && chatId !== ''
  const [stable, other, chat] = await Promise.all([read(userIdAlt), read(userId), read(isPersonal ? chatId : undefined)])
  const byId = new Map<string, string>()
  const add = (id: string | undefined, person: Person | undefined): void => {
    if (id !== undefined && person !== undefined) byId.set(bareId(platform, id), person.canonical)
  }
  add(userIdAlt, stable)
  add(userId, other)
  add(isPersonal ? chatId : undefined, chat)
  const isPair = stable !== undefined && other !== undefined && stable.canonical !== other.canonical
  return {
    resolver: (_platform, id) => byId.get(id) ?? id,
    speaker: stable ?? other ?? chat,
    pair: isPair ? [stable, other] : undefined,
  }
}

/** An alias as it is learnt. Throws `input.invalid`. Law G16. */
export function readAliasId(platform: string, value: unknown, path: string): string {
  const id = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  if (typeof id !== 'string' || !isId(id)) throw invalidInput(path, 'Expected an id of at most 512 bytes.')
  if (platform === 'whatsapp' && !isWhatsAppId(id)) throw invalidInput(path, 'Expected a WhatsApp id: letters, digits and @.+-')
  return bareId(platform, id)
}

/** The id that stands for two who are one: who is used stays; of two unused the shortest, then the smallest. */
export function survivorOf(a: Person, b: Person): Person {
  if (a.routes.length > 0 !== b.routes.length > 0) return a.routes.length > 0 ? a : b
  return smallestOf([a.canonical, b.canonical]) === a.canonical ? a : b
}

/** The person of a written row key, `platform:scope:id`, who it is by now. */
export async function readPersonAt(store: Reads, written: string): Promise<Person | undefined> {
  const [platform, scope, id] = written.split(':').map(part => decodeURIComponent(part))
  if (platform === undefined || id === undefined) return undefined
  return await readPerson(store, platform, scope === '' ? undefined : scope, id)
}
