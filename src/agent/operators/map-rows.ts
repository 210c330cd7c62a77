import { type BlobId, type Id, type Json, type JsonObject, type SessionId, SkeinError } from '#kernel'
import { noUsage, type RecordRow, type TenantStore, type Usage } from '#journal'

export type MapId = Id<'map'>
export type MapKind = 'llm' | 'agentic'
export type MapErrorKind = 'timeout' | 'not_json' | 'schema_mismatch' | 'model_error' | 'aborted'

/** What became of one input. `usage` is that of all its attempts. Source: spec/context.md 11. */
export interface MapResult<O = Json> {
  readonly index: number
  readonly input: Json
  /** `null` unless it succeeded. */
  readonly output: O | null
  readonly success: boolean
  readonly error: string | null
  readonly errorKind: MapErrorKind | null
  readonly attempts: number
  readonly usage: Usage
  /** The sub-session that worked on it. */
  readonly session?: SessionId
}

/** What a calling model gets of a map; its outputs stay in the rows. */
export interface MapCount {
  readonly map: MapId
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  /** It was stopped before its end and can be resumed; `total` is what is known of so far. */
  readonly stopped?: true
}

/** What can be stored of a map's options. */
export interface MapSettings {
  readonly model: string | null
  readonly prompt: string | null
  readonly schema: JsonObject | null
  readonly concurrency: number
  readonly maxRetries: number
  readonly timeoutMs: number
  readonly temperature: number
  readonly system: string | null
  readonly maxTurns: number
  readonly continuation: string
  readonly readOnly: boolean
}

/** Options that no row can hold; whoever resumes in another process gives them again. */
export type Unstored = 'prompt' | 'schema' | 'model' | 'tools'

/** A map's own record. `read` inputs are stored as items; `total` is known once there are no more. */
export interface MapHeader {
  readonly v: 1
  readonly kind: MapKind
  readonly state: 'running' | 'ended'
  readonly parent: SessionId | null
  readonly blob: BlobId | null
  readonly total: number | null
  readonly read: number
  readonly succeeded: number
  readonly failed: number
  readonly startedAt: number
  readonly endedAt: number | null
  readonly settings: MapSettings
  readonly needs: readonly Unstored[]
}

/** The record of one item. `lease`: who works on it, and until when nobody else may take it. */
export interface MapItem {
  readonly index: number
  readonly input: Json
  readonly state: 'pending' | 'running' | 'done' | 'failed'
  readonly lease?: { readonly owner: string; readonly until: number }
  readonly output?: Json
  readonly error?: string
  readonly errorKind?: MapErrorKind
  readonly attempts?: number
  readonly usage?: Usage
  readonly session?: SessionId
}

export const mapCollection = 'map'
/** Items that have not ended sort before all that have; those sort by when they did, from 1 and without a gap. */
export const unended = 0

export const itemKey = (map: MapId, index: number): string => `${map}/${String(index).padStart(10, '0')}`

export const asItem = (row: RecordRow): MapItem => row.value as unknown as MapItem

/** A map's record. Throws `map.not_found`. */
export async function readHeader(store: TenantStore, map: MapId): Promise<{ header: MapHeader; version: number }> {
  const row = await store.record(mapCollection, map)
  if (row === undefined) throw unknownMap(map)
  return { header: row.value as unknown as MapHeader, version: row.version }
}

export const unknownMap = (map: string): SkeinError =>
  new SkeinError('map.not_found', `There is no map ${map}.`, { details: { map } })

/** Results in the order in which they came, those after the first `after`. */
export async function readResults(store: TenantStore, map: MapId, after: number, limit: number): Promise<MapResult[]> {
  const { items } = await store.records(mapCollection, {
    keyPrefix: `${map}/`,
    sortFrom: after + 1,
    sortTo: after + limit,
    limit,
  })
  return items.map(row => resultOf(asItem(row)))
}

export function resultOf({ index, input, state, output, error, errorKind, attempts, usage, session }: MapItem): MapResult {
  return {
    index,
    input,
    output: output ?? null,
    success: state === 'done',
    error: error ?? null,
    errorKind: errorKind ?? null,
    attempts: attempts ?? 0,
    usage: usage ?? noUsage,
    ...(session === undefined ? {} : { session }),
  }
}
