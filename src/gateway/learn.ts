import { invalidInput } from '#kernel'
import type { Front } from './desk.ts'
import { joined, type Learning } from './joined-persons.ts'
import { type Person, readAliasId, readPerson, survivorOf } from './person.ts'
import { mergeRoutes } from './merge-routes.ts'
import { retried } from './retried.ts'
import { wordShape } from './source.ts'

/**
 * Two persons are one: the one that routes use stays, of two unused ones `preferred`, else the shortest id, then the smallest.
 * Where both have routes these are joined. Law G17.
 */
export async function planLearning(front: Front, a: Person, b: Person, preferred?: Person): Promise<Learning> {
  if (a.canonical === b.canonical) return { changes: [], events: [], canonical: a.canonical }
  if (a.routes.length > 0 && b.routes.length > 0) return await mergeRoutes(front, a, b)
  const isNew = [a, b].every(({ version, routes }) => version === 0 && routes.length === 0)
  const stays = (isNew ? preferred : undefined) ?? survivorOf(a, b)
  const goes = stays === a ? b : a
  return { changes: joined(stays, goes), events: [], canonical: stays.canonical }
}

/** A source with both user ids says that they are one person's; the stable one stands for both if both are new. */
export async function learnPair(front: Front, stable: Person, other: Person): Promise<void> {
  const { platform, scope } = stable
  const read = (person: Person): Promise<Person> => readPerson(front.store, platform, scope, person.canonical)
  await retried(async () => {
    const [a, b] = await Promise.all([read(stable), read(other)])
    await write(front, await planLearning(front, a, b, a))
  })
}

export interface Learnt {
  readonly canonical: string
  readonly aliases: readonly string[]
}

/** Records that two ids are one person's. Again: nothing. Throws `input.invalid`. Law G16. */
export async function learn(front: Front, platform: unknown, a: unknown, b: unknown, scope?: string): Promise<Learnt> {
  const named = typeof platform === 'string' ? platform.toLowerCase() : ''
  if (!wordShape.test(named)) throw invalidInput('platform', 'Expected the name of a platform.')
  const [one, other] = [readAliasId(named, a, 'a'), readAliasId(named, b, 'b')]
  return await retried(async () => {
    const read = (id: string): Promise<Person> => readPerson(front.store, named, scope, id)
    await write(front, await planLearning(front, await read(one), await read(other)))
    const { canonical, aliases } = await read(one)
    return { canonical, aliases }
  })
}

async function write({ store, desk, tenant }: Front, { changes, events }: Learning): Promise<void> {
  if (changes.length === 0) return
  await store.commit(changes)
  desk.events.tell(tenant, desk.now, ...events)
}
