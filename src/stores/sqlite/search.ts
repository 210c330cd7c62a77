import { fetchParts, findIn, type SearchQuery, type SearchResult, type TenantStore } from '#journal'

export interface Search {
  find(store: TenantStore, query: SearchQuery): Promise<SearchResult>
}

export const scanning: Search = {
  async find(store, query) {
    const sessions =
      query.session === undefined ? (await store.sessions({ limit: 200 })).items.map(row => row.id) : [query.session]
    const entries = (await Promise.all(sessions.map(id => store.entries(id, { limit: 500, order: 'desc' })))).flat()
    return { hits: findIn((await fetchParts(store, entries)).entries, query, () => null) }
  },
}
