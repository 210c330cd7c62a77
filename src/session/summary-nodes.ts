import type { EntryId } from '#kernel'
import { packAnchors, unpackAnchors } from '#context'
import { type Entry, fetchParts, isType, type NewBlob, stowParts, type Summary, type SummaryId } from '#journal'
import type { SessionCore } from './core.ts'

/** The entry that holds a node: the same letters under the prefix of entries, so that a node is read without an index. */
export const summaryEntryId = (id: EntryId | SummaryId): EntryId => `ent_${id.slice(4)}`
export const summaryIdOf = (id: EntryId): SummaryId => `sum_${id.slice(4)}`

/** A node as its entry holds it, and the blobs beside it: all that a context shows is in the entry. */
export function stowSummary(whole: Summary): { readonly summary: Summary; readonly blobs: readonly NewBlob[] } {
  const packed = packAnchors(whole)
  if (packed.parts === undefined) return { summary: packed, blobs: [] }
  const { parts, blobs } = stowParts(packed.parts)
  return { summary: { ...packed, parts }, blobs }
}

/** A node of this session as its entry holds it; undefined for an unknown one. */
export async function readSummary(core: Pick<SessionCore, 'id' | 'store'>, id: SummaryId): Promise<Summary | undefined> {
  const entry = await core.store.entry(core.id, summaryEntryId(id))
  return entry !== undefined && isType(entry, 'summary_added') ? entry.data : undefined
}

/** Nodes with all of their identifiers, which their entries need not have. */
export async function wholeSummaries(
  { store }: Pick<SessionCore, 'store'>,
  summaries: readonly Summary[],
): Promise<readonly Summary[]> {
  if (summaries.every(({ parts }) => parts === undefined)) return summaries
  const { entries } = await fetchParts(
    store,
    summaries.map(data => ({ data }) as Entry),
  )
  return entries.map(({ data }) => unpackAnchors(data as Summary))
}

/** Entries with what is kept beside them in its place: the payloads of parts, the identifiers of summaries. */
export async function fullEntries({ store }: Pick<SessionCore, 'store'>, entries: readonly Entry[]): Promise<readonly Entry[]> {
  const { entries: full } = await fetchParts(store, entries)
  return full.map(entry => (isType(entry, 'summary_added') ? { ...entry, data: unpackAnchors(entry.data) } : entry))
}
