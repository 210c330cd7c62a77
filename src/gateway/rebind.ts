import { given, type SessionId, sha256 } from '#kernel'
import type { Change } from '#journal'
import { draft } from '#session'
import type { Front } from './desk.ts'
import { keysOf, type Reads } from './find-route.ts'
import { parseKey, type SessionKey } from './key.ts'
import { keyOfPerson, type Person, personPlatform, putPerson } from './person.ts'
import { pausesOf } from './holds.ts'
import { unmarkTurn } from './queue.ts'
import { deleteRoute, type Fresh, type FoundRoute, gatewayRecords, type KeptRoute, storedKey } from './route.ts'
import { boundAtBirth, isThere, leaveSession, sideEntries } from './session-bond.ts'
import type { Source } from './source.ts'

/** A route as it will be over the version that was read, and what else makes it so: its own row is the caller's to write. */
export interface Rebinding {
  readonly found: FoundRoute
  readonly changes: readonly Change[]
}

/** Which session a key gets for whom. */
export interface Wanted {
  readonly key: string
  readonly legacyKey: string
  readonly parts: SessionKey
  readonly source: Source
  readonly person: Person | undefined
}

/** A key's first session and route. */
export async function firstRoute(front: Front, wanted: Wanted): Promise<Rebinding> {
  const { desk, store } = front
  const { key, legacyKey, parts, source, person } = wanted
  const { now } = desk
  const owner = ownerOf(wanted)
  const user = userOf(owner)
  const { id, changes } = await planSession(front, parts.agent, sessionPlatform(parts, source.platform), { user })
  const route: KeptRoute = {
    key,
    legacyKey,
    agent: parts.agent,
    sessionId: id,
    generation: 1,
    origin: source,
    ...given({ displayName: source.chatName }),
    platform: source.platform,
    chatType: source.chatType,
    startedAt: now,
    lastUserAt: now,
    lastActivityAt: now,
    holds: [],
    interruptions: 0,
    expiryFinalized: false,
    ...given({ person: owner && keyOfPerson(owner), user }),
  }
  const bound = { key, generation: 1, ...given({ person: route.person }) }
  return {
    found: { route, version: 0 },
    changes: [
      ...changes,
      boundAtBirth(desk.runtime, id, bound),
      ...(await indexKey(store, legacyKey, key)),
      ...useOf(person, owner, key),
    ],
  }
}

/** Another new session on a route, linked to the one before, which ends and is sealed; with `keeps` that is left to others. */
export async function freshSession(
  front: Front,
  { route, version }: FoundRoute,
  why: { readonly kind: Fresh['kind']; readonly reason: string; readonly title?: string | null; readonly hadActivity: boolean },
  { keeps = false, unpauses = false }: { readonly keeps?: boolean; readonly unpauses?: boolean } = {},
): Promise<Rebinding> {
  const { desk, store } = front
  const { runtime, now } = desk
  const before = await store.session(route.sessionId)
  const { id, changes } = await planSession(front, route.agent, sessionPlatform(parseKey(route.key), route.platform), {
    user: route.user,
    title: why.title,
  })
  const generation = route.generation + 1
  const { kind, reason, hadActivity } = why
  const next: KeptRoute = {
    ...withoutTurn(route),
    sessionId: id,
    generation,
    startedAt: now,
    holds: unpauses ? [] : pausesOf(route),
    interruptions: 0,
    expiryFinalized: false,
    fresh: { kind, reason, previousSessionId: route.sessionId, hadActivity },
  }
  const leaving = { key: route.key, generation: route.generation, reason, next: id }
  return {
    found: { route: next, version },
    changes: [
      ...changes,
      boundAtBirth(runtime, id, {
        key: route.key,
        generation,
        previous: route.sessionId,
        reason,
        ...given({ person: route.person }),
      }),
      ...(keeps ? [] : leaveSession(runtime, isThere(before) ? before : undefined, leaving, 'session_reset')),
      ...(await unmarkTurn(store, route)),
    ],
  }
}

/** An imported route takes the key of the source that adopts it; its session is told. */
export async function adopt(front: Front, found: FoundRoute, wanted: Wanted): Promise<Rebinding> {
  const {
    store,
    desk: { runtime },
  } = front
  const { waits: _waits, ...before } = found.route
  const { key, legacyKey, source, person } = wanted
  const owner = ownerOf(wanted)
  const isHere = before.key === key
  const route: KeptRoute = {
    ...before,
    key,
    legacyKey,
    agent: wanted.parts.agent,
    origin: source,
    platform: source.platform,
    chatType: source.chatType,
    ...given({ displayName: source.chatName ?? before.displayName, person: owner && keyOfPerson(owner), user: userOf(owner) }),
  }
  const version = isHere ? found.version : 0
  const row = await store.session(route.sessionId)
  const bound = { key, generation: route.generation, reason: 'adopted', ...given({ person: route.person }) }
  return {
    found: { route, version },
    changes: [
      ...(isThere(row) ? sideEntries(runtime, row, [draft('route_bound', bound)]) : []),
      ...(isHere ? [] : [deleteRoute(found)]),
      ...(isHere ? [] : await reindexKey(store, before.legacyKey, before.key, legacyKey, key)),
      ...useOf(person, owner, key),
    ],
  }
}

/** The person that a route of this key and source uses: by its key, or because it is that person's DM. */
function ownerOf({ parts, source, person }: Wanted): Person | undefined {
  return parts.user !== undefined || source.chatType === 'dm' ? person : undefined
}

/** The session's user: nobody where many speak. Ids that a user's name cannot hold stand by their hash. Law G88. */
export function userOf(owner: Person | undefined): string | undefined {
  if (owner === undefined) return undefined
  // A link's name is nobody's id on any platform.
  const canonical = owner.platform === personPlatform ? `${personPlatform}:${owner.canonical}` : owner.canonical
  const fits = Buffer.byteLength(canonical) <= 255 && !/\p{Cc}/u.test(canonical)
  return fits ? canonical : `sha256-${sha256(canonical)}`
}

/** Sessions of linked persons belong to no platform. */
const sessionPlatform = (key: SessionKey, platform: string): string =>
  key.platform === personPlatform ? personPlatform : platform

async function planSession(
  { sessions }: Front,
  agent: string,
  platform: string,
  more: { readonly user: string | undefined; readonly title?: string | null | undefined },
): Promise<{ readonly id: SessionId; readonly changes: readonly Change[] }> {
  return await sessions.plan({ agent, platform, ...given(more) })
}

/** A person's routes, with this one. */
function useOf(person: Person | undefined, owner: Person | undefined, key: string): Change[] {
  if (person === undefined || owner === undefined || person.routes.includes(key)) return []
  return [putPerson({ ...person, routes: [...person.routes, key] })]
}

async function putKeys(
  store: Reads,
  legacyKey: string,
  change: (keys: readonly string[]) => readonly string[],
): Promise<Change[]> {
  const key = storedKey(legacyKey)
  const before = await store.record(gatewayRecords.legacy, key)
  const keys = change(keysOf(before))
  const expectVersion = before?.version ?? 0
  const { legacy: collection } = gatewayRecords
  if (keys.length === keysOf(before).length && keys.every((one, n) => one === keysOf(before)[n])) return []
  return keys.length === 0
    ? [{ type: 'delete_record', collection, key, expectVersion }]
    : [{ type: 'put_record', collection, key, value: { keys: [...keys] }, expectVersion }]
}

/** The legacy key names the route, too. */
export async function indexKey(store: Reads, legacyKey: string, key: string): Promise<Change[]> {
  return await putKeys(store, legacyKey, keys => (keys.includes(key) ? keys : [...keys, key]))
}

export async function unindexKey(store: Reads, legacyKey: string, key: string): Promise<Change[]> {
  return await putKeys(store, legacyKey, keys => keys.filter(one => one !== key))
}

/** A route has another key: its old legacy key leads there as well. */
export async function reindexKey(
  store: Reads,
  oldLegacy: string,
  oldKey: string,
  legacyKey: string,
  key: string,
): Promise<Change[]> {
  const replaced = (keys: readonly string[]): string[] => [...new Set(keys.map(one => (one === oldKey ? key : one)))]
  if (oldLegacy === legacyKey) {
    return await putKeys(store, legacyKey, keys => (replaced(keys).includes(key) ? replaced(keys) : [...replaced(keys), key]))
  }
  return [...(await putKeys(store, oldLegacy, replaced)), ...(await indexKey(store, legacyKey, key))]
}

/** The old key leads to the new one. */
export function moveKey(from: string, to: string): Change {
  return { type: 'put_record', collection: gatewayRecords.moved, key: storedKey(from), value: to }
}

export function withoutTurn({ openTurn: _turn, ...route }: KeptRoute): KeptRoute {
  return route
}
