import { isObject } from '#kernel'
import { isType, type SessionRow } from '#journal'
import type { Front } from './desk.ts'
import { linkedName, parseKey } from './key.ts'
import { keyOfPerson, type Person, personPlatform, readPerson, readPersonAt } from './person.ts'
import { userOf } from './rebind.ts'
import { routeAt } from './find-route.ts'
import type { KeptRoute } from './route.ts'
import { decodeSource, type SourceInput } from './source.ts'

/** Who asks: a source, or the id of a user on the route's platform. */
export type Actor = string | SourceInput

const page = 200

/** Whether the session once was this route's or the actor's. Law G45. */
export async function mayResume(front: Front, route: KeptRoute, target: SessionRow, actor: Actor): Promise<boolean> {
  const { store } = front
  const persons = await personsOf(front, route, actor)
  for (const person of persons) if (await belongsTo(front, target, person)) return true
  for (let after = 0; ;) {
    const entries = await store.entries(target.id, { types: ['route_bound'], after, limit: page })
    for (const entry of entries) {
      if (!isType(entry, 'route_bound')) continue
      if (entry.data.key === route.key || (await leadsTo(front, entry.data.key, route.key))) return true
      const { person: written } = entry.data
      for (const person of persons) if (written !== undefined && (await isSame(front, written, person))) return true
    }
    const last = entries.at(-1)
    if (entries.length < page || last === undefined) return false
    after = last.seq
  }
}

async function leadsTo({ store }: Front, from: string, key: string): Promise<boolean> {
  return (await routeAt(store, from))?.route.key === key
}

/** Somebody's session that was never on a route, such as an imported one. */
async function belongsTo({ store }: Front, target: SessionRow, person: Person): Promise<boolean> {
  if (person.platform === personPlatform) return target.platform === personPlatform && target.user === userOf(person)
  if (target.user === null || target.platform !== person.platform || person.scope !== undefined) return false
  return (await readPerson(store, person.platform, undefined, target.user)).canonical === person.canonical
}

/** Whether a person as it was written down then is this one now. */
async function isSame({ store }: Front, written: string, person: Person): Promise<boolean> {
  const now = await readPersonAt(store, written)
  return now !== undefined && keyOfPerson(now) === keyOfPerson(person)
}

/** Who asks, and the person that links make of them. Law G18. */
async function personsOf(front: Front, route: KeptRoute, actor: Actor): Promise<Person[]> {
  const person = await personOf(front, route, actor)
  if (person === undefined) return []
  const linked = await linkedPerson(front, person)
  return linked === undefined ? [person] : [person, linked]
}

/** Whom the links make of somebody, where they join sessions. */
export async function linkedPerson(
  { store, desk }: Front,
  { platform, canonical, aliases }: Person,
): Promise<Person | undefined> {
  const { flags } = desk.settings
  const name = flags.dmScope === 'person' ? linkedName(flags, platform, [canonical, ...aliases]) : undefined
  return name === undefined ? undefined : await readPerson(store, personPlatform, undefined, name)
}

async function personOf({ store }: Front, route: KeptRoute, actor: Actor): Promise<Person | undefined> {
  if (typeof actor === 'string') {
    const { scope } = parseKey(route.key)
    return await readPerson(store, route.platform, scope, actor)
  }
  const { platform, scopeId, userId, userIdAlt, chatId, chatType } = decodeSource(
    isObject(actor) && actor.platform === undefined ? { ...(actor as object), platform: route.platform } : actor,
  )
  const id = userIdAlt ?? userId ?? (platform === 'whatsapp' && chatType === 'dm' && chatId !== '' ? chatId : undefined)
  return id === undefined ? undefined : await readPerson(store, platform, scopeId, id)
}
