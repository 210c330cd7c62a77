import { isObject, SkeinError } from '#kernel'
import type { RecordRow, TenantStore } from '#journal'
import { invalidKey, parseKey } from './key.ts'
import { type FoundRoute, gatewayRecords, readRoute, storedKey } from './route.ts'

/** What deciding reads of a store. */
export type Reads = Pick<TenantStore, 'route' | 'record' | 'session' | 'jobs' | 'entries'>

const legacyShape = /^agent:[a-z][a-z0-9_]{0,31}:[a-z][a-z0-9_]{0,31}:[a-z][a-z0-9_]{0,31}(:|$)/

/** The route under a key itself. */
export async function readRouteRow(store: Reads, key: string): Promise<FoundRoute | undefined> {
  return readRoute(await store.route(storedKey(key)))
}

/** The route of a canonical key, where it is now if two persons turned out to be one. */
export async function routeAt(store: Reads, key: string): Promise<FoundRoute | undefined> {
  for (let at = key, hops = 0; hops < 16; hops++) {
    const found = await readRouteRow(store, at)
    if (found !== undefined) return found
    const moved = await store.record(gatewayRecords.moved, storedKey(at))
    if (moved === undefined || typeof moved.value !== 'string') return undefined
    at = moved.value
  }
  return undefined
}

/** Takes a canonical key or a legacy one. Throws `key.invalid`, and `key.ambiguous` for a legacy key of two routes. Law G11. */
export async function findRoute(store: Reads, key: unknown): Promise<FoundRoute | undefined> {
  if (typeof key !== 'string') throw invalidKey('Expected a text.')
  if (!key.startsWith('agent:')) {
    parseKey(key)
    return await routeAt(store, key)
  }
  if (!legacyShape.test(key) || !key.isWellFormed() || key.includes('\u0000'))
    throw invalidKey('Expected agent:AGENT:PLATFORM:TYPE and what else it names.')
  const found = new Map<string, FoundRoute>()
  for (const canonical of keysOf(await store.record(gatewayRecords.legacy, storedKey(key)))) {
    const route = await routeAt(store, canonical)
    if (route !== undefined) found.set(route.route.key, route)
  }
  const keys = [...found.keys()].sort()
  if (keys.length > 1)
    throw new SkeinError('key.ambiguous', `${key} names ${keys.length} routes. Take one of their keys: ${keys.join(', ')}`, {
      details: { key, keys },
    })
  return found.get(keys[0] ?? '')
}

export function keysOf(record: RecordRow | undefined): readonly string[] {
  const value = record?.value
  return isObject(value) && Array.isArray(value['keys']) ? (value['keys'] as string[]) : []
}
