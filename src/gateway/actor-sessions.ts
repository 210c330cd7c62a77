import { isSkeinError, type SessionId } from '#kernel'
import { isType, type SessionRow } from '#journal'
import { linkedPerson, mayResume } from './actor.ts'
import type { Front } from './desk.ts'
import { personPlatform, readPeople } from './person.ts'
import { userOf } from './rebind.ts'
import type { KeptRoute } from './route.ts'
import { isThere } from './session-bond.ts'
import type { Source } from './source.ts'

const mostLooked = 200

/** Sessions that were this route's or the actor's, newest first, without the current one. Law G66. */
export async function actorSessions(
  front: Front,
  source: Source,
  route: KeptRoute | undefined,
  current: SessionRow | undefined,
  query = '',
  limit = 10,
): Promise<SessionRow[]> {
  const found = new Map<SessionId, SessionRow>()
  for (const row of [...(await before(front, current)), ...(await ownedBy(front, source))]) found.set(row.id, row)
  const asked = query.trim().toLowerCase()
  const fits = ({ id, title, preview }: SessionRow): boolean =>
    asked === '' || [id, title, preview].some(text => text?.toLowerCase().includes(asked) === true)
  const mine: SessionRow[] = []
  const newestFirst = [...found.values()].sort((a, b) => b.updatedAt - a.updatedAt || (a.id < b.id ? 1 : -1))
  for (const row of newestFirst) {
    if (mine.length === limit) break
    if (row.id === current?.id || !fits(row)) continue
    if (route !== undefined && (await mayResume(front, route, row, source))) mine.push(row)
  }
  return mine
}

/** One of them: by its place in the list, its id or alias, or its whole title. */
export async function namedSession(
  front: Front,
  source: Source,
  route: KeptRoute,
  current: SessionRow | undefined,
  name: string,
): Promise<SessionRow | undefined> {
  if (/^\d{1,3}$/.test(name)) return (await actorSessions(front, source, route, current))[Number(name) - 1]
  const listed = await actorSessions(front, source, route, current, '', mostLooked)
  const titled = listed.find(({ title }) => title?.toLowerCase() === name.toLowerCase())
  if (titled !== undefined) return titled
  const row = await byReference(front, name)
  return isThere(row) && (await mayResume(front, route, row, source)) ? row : undefined
}

async function byReference({ store }: Front, name: string): Promise<SessionRow | undefined> {
  try {
    return (await store.session(name as SessionId)) ?? (await store.session({ alias: name }))
  } catch (error) {
    if (isSkeinError(error) && error.category === 'input') return undefined
    throw error
  }
}

/** The sessions that came before on the same route, each named by the one after it. */
async function before({ store }: Front, current: SessionRow | undefined): Promise<SessionRow[]> {
  const rows: SessionRow[] = []
  const seen = new Set<SessionId>()
  const queue = current === undefined ? [] : [current.id]
  for (let id = queue.shift(); id !== undefined && seen.size < mostLooked; id = queue.shift()) {
    if (seen.has(id)) continue
    seen.add(id)
    const row = await store.session(id)
    if (isThere(row)) rows.push(row)
    for (const entry of await store.entries(id, { types: ['route_bound'], limit: 50 }))
      if (isType(entry, 'route_bound') && entry.data.previous !== undefined) queue.push(entry.data.previous)
  }
  return rows
}

async function ownedBy(front: Front, source: Source): Promise<readonly SessionRow[]> {
  const { store } = front
  const { speaker } = await readPeople(store, source)
  if (speaker === undefined) return []
  const page = await store.sessions({ user: speaker.canonical, platform: source.platform, limit: mostLooked })
  const user = userOf(await linkedPerson(front, speaker))
  if (user === undefined) return page.items
  return [...page.items, ...(await store.sessions({ user, platform: personPlatform, limit: mostLooked })).items]
}
