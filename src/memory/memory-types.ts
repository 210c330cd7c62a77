import type { EntryId, JobId, Json, JsonObject, SessionId } from '#kernel'
import type { MemoryRow } from '#journal'
import { type Category, categoryRules } from './extractor.ts'

/** What a memory rests on. Without a quote it is the range that it was concluded from. */
export interface Evidence {
  readonly session: SessionId
  readonly entry: EntryId | null
  readonly fromSeq: number
  readonly toSeq: number
  readonly quote: string | null
  /** When it was said, epoch milliseconds. Decides which of two is newer. Law M58. */
  readonly at: number
  readonly range: string
  readonly job: JobId
}

/** What made a version. */
export interface MemorySource {
  readonly session: SessionId
  readonly extractor: string
  readonly range: string
  readonly job: JobId
}

/** One version of something learnt. Times in epoch milliseconds. */
export interface Memory {
  readonly id: string
  readonly uri: string
  readonly version: number
  readonly owner: string
  readonly category: Category
  readonly key: string
  /** ≤ 200 characters. */
  readonly abstract: string
  /** ≤ 2,000 characters. */
  readonly overview: string
  /** ≤ 20,000 characters. */
  readonly content: string
  readonly confidence: number
  /** Nobody said it in these words. */
  readonly inference: boolean
  readonly evidence: readonly Evidence[]
  readonly seen: number
  /** Of skills and tools: how often they were used, over all versions. */
  readonly uses?: number
  readonly validFrom: number
  readonly validTo: number | null
  readonly recordedAt: number
  readonly retiredAt: number | null
  /** Ids of memories that say otherwise. */
  readonly contradicts: readonly string[]
  readonly source: MemorySource
}

/** In force, as far as anybody knows. */
export const isCurrent = (memory: Memory): boolean => memory.validTo === null && memory.retiredAt === null

/** Whether it held at a time. What was retired held until then. */
export function heldAt({ validFrom, validTo, retiredAt }: Memory, at: number): boolean {
  return validFrom <= at && at < Math.min(validTo ?? Infinity, retiredAt ?? Infinity)
}

/** When it was said last. */
export const saidAt = (memory: Memory): number => Math.max(...memory.evidence.map(({ at }) => at), -Infinity)

export function uriOf(tenant: string, owner: string, category: Category, key: string): string {
  const path = [tenant, categoryRules[category].owner, owner, category, key].map(encodeURIComponent)
  return `skein://${path.join('/')}`
}

/** The uri's owner, if it is a memory's. */
export function ownerIn(uri: string): string | undefined {
  const [, owner] = /^skein:\/\/[^/]+\/(?:user|agent)\/([^/]+)\/[^/]+\/[^/]+$/.exec(uri) ?? []
  try {
    return owner === undefined ? undefined : decodeURIComponent(owner)
  } catch {
    return undefined
  }
}

type Kept = Omit<Memory, 'id' | 'owner' | 'content' | 'evidence'>

/**
 * A row of the store is one writing of one version: the newest row is always the version that counts, so one that is changed
 * after a newer one came is written anew behind it, and the version itself stands in `data`.
 */
export function memoryOf(row: MemoryRow): Memory {
  const { embedder: _embedder, ...data } = row.data
  const kept = data as unknown as Kept
  return { id: row.id, owner: row.owner, content: row.text, evidence: row.evidence as unknown as Evidence[], ...kept }
}

/** By which embedder a row's vector was made, if it has one. */
export function embeddedBy({ embedding, data }: MemoryRow): string | undefined {
  const by = data['embedder']
  return embedding === null || typeof by !== 'string' ? undefined : by
}

export function rowOf({ id, owner, content, evidence, ...kept }: Memory, row: number): Omit<MemoryRow, 'embedding'> {
  return {
    id,
    version: row,
    owner,
    text: content,
    evidence: evidence as unknown as Json,
    data: kept as unknown as JsonObject,
  }
}
