import { given, invalidInput, isId, isSkeinError, type SessionId } from '#kernel'
import type { TenantStore } from '#journal'
import {
  asItem,
  mapCollection,
  type MapHeader,
  type MapId,
  type MapKind,
  type MapResult,
  readHeader,
  readResults,
  unended,
  unknownMap,
} from './map-rows.ts'

/** How far a map is. `total` is `null` while inputs are still to come. */
export interface MapInfo {
  readonly map: MapId
  readonly kind: MapKind
  /** `stopped`: it has not ended, and nobody works on it; it can be resumed. */
  readonly state: 'running' | 'stopped' | 'ended'
  readonly parent: SessionId | null
  readonly total: number | null
  readonly succeeded: number
  readonly failed: number
  /** What whoever resumes it has to give again. */
  readonly needs: readonly string[]
  readonly startedAt: number
  readonly endedAt: number | null
}

export interface MapPageOptions {
  /** Leaves out so many of the first results. */
  readonly after?: number
  /** 1..200, default 50. */
  readonly limit?: number
  /** Only a map of this session; another's is not found. */
  readonly session?: SessionId
}

/** Results in the order in which they came. `next` is the `after` of what follows; absent when all were read. */
export interface MapPage extends MapInfo {
  readonly items: readonly MapResult[]
  readonly next?: number
}

/**
 * What a map's ref stands for, page by page. An id that isn't one, an unknown map and another session's are all
 * `map.not_found`. Laws C78, C90.
 */
export async function expandMap(store: TenantStore, map: string, options: MapPageOptions = {}): Promise<MapPage> {
  const { after = 0, limit = 50, session } = options
  if (!Number.isSafeInteger(after) || after < 0) throw invalidInput('after', 'Expected a whole number from 0.')
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 200)
    throw invalidInput('limit', 'Expected a whole number from 1 to 200.')
  if (!isId('map', map)) throw unknownMap(map)
  const { header } = await readHeader(store, map)
  if (session !== undefined && header.parent !== session) throw unknownMap(map)
  const items = await readResults(store, map, after, limit)
  const end = after + items.length
  const more = header.state === 'running' || end < header.succeeded + header.failed
  return { ...infoOf(map, header), items, ...given({ next: more ? end : undefined }) }
}

/** All results of a map of this session, one JSON line each, after a line on the map itself; undefined for any other map. */
export async function mapText(store: TenantStore, session: SessionId, map: string): Promise<string | undefined> {
  const lines: string[] = []
  try {
    for (let after: number | undefined = 0; after !== undefined;) {
      const { items, next, ...info }: MapPage = await expandMap(store, map, { session, after, limit: 200 })
      if (after === 0) lines.push(JSON.stringify(info))
      lines.push(...items.map(item => JSON.stringify(item)))
      // What is still to come is not waited for.
      after = items.length === 0 ? undefined : next
    }
  } catch (error) {
    if (isSkeinError(error) && error.code === 'map.not_found') return undefined
    throw error
  }
  return lines.map(line => `${line}\n`).join('')
}

export function infoOf(map: MapId, header: MapHeader): MapInfo {
  const { kind, state, parent, total, succeeded, failed, needs, startedAt, endedAt } = header
  return { map, kind, state, parent, total, succeeded, failed, needs, startedAt, endedAt }
}

/** Whether somebody, here or elsewhere, works on an item now; only the first that have not ended are looked at. */
export async function isWorkedOn(store: TenantStore, map: MapId, now: number): Promise<boolean> {
  const query = { keyPrefix: `${map}/`, sortFrom: unended, sortTo: unended, limit: 200 }
  const { items } = await store.records(mapCollection, query)
  return items.some(row => (asItem(row).lease?.until ?? 0) > now)
}
