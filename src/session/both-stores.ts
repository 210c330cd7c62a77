import {
  pageOfSessions,
  type Page,
  type SearchQuery,
  type SearchResult,
  type SessionFilter,
  type SessionRow,
  sortHits,
  type TenantStore,
} from '#journal'

/** One page of what the durable store and this process's own sessions have, in one order. Cursors hold in both. */
export async function listBoth(stores: readonly TenantStore[], filter: SessionFilter): Promise<Page<SessionRow>> {
  const pages = await Promise.all(stores.map(store => store.sessions(filter)))
  const filled = pages.filter(page => page.items.length > 0)
  if (filled.length <= 1) return filled[0] ?? { items: [] }
  const { sort, limit = 50 } = filter
  const page = pageOfSessions(
    filled.flatMap(({ items }) => items),
    { states: ['active', 'ended', 'deleted'], limit, ...(sort === undefined ? {} : { sort }) },
  )
  return page
}

/** The best hits of both, the newest among equals. */
export async function searchBoth(stores: readonly TenantStore[], query: SearchQuery): Promise<SearchResult> {
  const found = await Promise.all(stores.map(store => store.search(query)))
  const filled = found.filter(({ hits }) => hits.length > 0)
  const [first] = found
  if (first === undefined || filled.length === 0) return first ?? { hits: [] }
  const hits = sortHits(filled.flatMap(({ hits }) => hits)).slice(0, query.limit ?? 20)
  return { ...first, hits }
}
