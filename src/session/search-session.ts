import {
  type Entry,
  fetchParts,
  findIn,
  hasUnindexedText,
  type SearchHit,
  type SearchQuery,
  type SearchResult,
  sortHits,
} from '#journal'
import type { SessionCore } from './core.ts'

const pageSize = 500

/**
 * Entries of a session that hold the words. Beyond the first 65,536 characters of a part nothing is indexed, so a literal
 * `"phrase"` is also looked for there, by reading those parts. Source: spec/foundation.md 3.4.
 */
export async function searchSession(core: SessionCore, query: Omit<SearchQuery, 'session'>): Promise<SearchResult> {
  const row = await core.row()
  const found = await core.store.search({ ...query, session: core.id })
  const limit = query.limit ?? 20
  if (row.data['large'] !== true || found.hits.length >= limit || !/"[^"]*"/.test(query.query)) return found
  const known = new Set(found.hits.map(hit => hit.entry))
  const deep: SearchHit[] = []
  for await (const entry of largeEntries(core, row.seq)) {
    if (known.has(entry.id)) continue
    const { entries } = await fetchParts(core.store, [entry])
    deep.push(...findIn(entries, query, () => row.title, Infinity))
    if (deep.length + found.hits.length >= limit) break
  }
  return { ...found, hits: sortHits([...found.hits, ...deep]).slice(0, limit) }
}

/** Messages with a part that is longer than what is indexed, newest first. */
async function* largeEntries(core: SessionCore, newest: number): AsyncGenerator<Entry> {
  for (let before = newest + 1; before > 1;) {
    const page = await core.store.entries(core.id, { before, order: 'desc', types: ['message_added'], limit: pageSize })
    yield* page.filter(hasUnindexedText)
    before = page.at(-1)?.seq ?? 0
  }
}
