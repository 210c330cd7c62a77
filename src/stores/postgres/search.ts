import { isId, type SessionId } from '#kernel'
import {
  checkLimit,
  type Entry,
  fetchParts,
  findIn,
  type SearchHit,
  type SearchQuery,
  type SearchResult,
  sortHits,
  type TenantStore,
} from '#journal'
import type { Link } from './link.ts'
import { entryOf, entrySelect } from './rows-from.ts'
import { candidatesQuery } from './search-terms.ts'
import { fromTextOrNull } from './text-column.ts'

/** How many entries behind the index are scanned; more are said to be behind. Source: spec/foundation.md 3.4. */
const maxScanned = 500
const pageSize = 200

/**
 * The index names candidates, newest first; the journal's own words decide, so that the hits are those of every adapter
 * and nothing erased can show. What the index has not read yet is scanned. Laws J45 to J47.
 */
export async function search(link: Link, store: TenantStore, query: SearchQuery): Promise<SearchResult> {
  const limit = checkLimit(query.limit, 20, 100)
  const wanted = candidatesQuery(store.tenant, query)
  if (wanted === undefined || (query.session !== undefined && !isId('ses', query.session))) return { hits: [] }
  // First what lags, then the index: an entry indexed in between is found twice rather than never.
  const lag = await readLag(link, store.tenant, query.session)
  const found = new Map<string, SearchHit>()
  for (const hit of await scan(store, lag.entries, lag.titles, query)) found.set(`${hit.session} ${hit.seq}`, hit)
  for (
    let place: Place | undefined = { at: Number.MAX_SAFE_INTEGER, session: '', seq: 0 };
    place !== undefined && found.size < limit;
  ) {
    const page: Candidates = await readCandidates(link, store.tenant, wanted, query, place)
    for (const hit of await scan(store, page.entries, page.titles, query)) found.set(`${hit.session} ${hit.seq}`, hit)
    place = page.next
  }
  return { hits: sortHits([...found.values()]).slice(0, limit), ...(lag.behind === undefined ? {} : { behind: lag.behind }) }
}

type Titles = ReadonlyMap<SessionId, string | null>

async function scan(store: TenantStore, entries: readonly Entry[], titles: Titles, query: SearchQuery): Promise<SearchHit[]> {
  if (entries.length === 0) return []
  const { entries: full } = await fetchParts(store, entries)
  return findIn(full, query, session => titles.get(session) ?? null)
}

const visible = `s.state IN ('active', 'ended') AND NOT s.hidden`

interface Place {
  readonly at: number
  readonly session: string
  readonly seq: number
}
interface Candidates {
  readonly entries: readonly Entry[]
  readonly titles: Titles
  readonly next: Place | undefined
}

async function readCandidates(link: Link, tenant: string, wanted: string, query: SearchQuery, after: Place): Promise<Candidates> {
  const rows = await link.read({
    name: `search_${query.session === undefined ? 'all' : 'one'}_${query.roles === undefined ? 'all' : 'roles'}`,
    text: `SELECT ${entrySelect}, s.title, i.at AS found_at FROM skein.search i
      JOIN skein.sessions s ON s.tenant = i.tenant AND s.id = i.session
      JOIN skein.entries e ON e.tenant = i.tenant AND e.session = i.session AND e.seq = i.seq
      WHERE i.tenant = $1 AND (i.words @@ $2::tsquery OR i.words IS NULL) AND ${visible}
        AND (i.at, i.session, i.seq) < ($3, $4, $5)
        ${query.session === undefined ? '' : 'AND i.session = $7'}
        ${query.roles === undefined ? '' : `AND i.role = ANY($${query.session === undefined ? 7 : 8})`}
      ORDER BY i.at DESC, i.session DESC, i.seq DESC LIMIT $6`,
    values: [
      tenant,
      wanted,
      after.at,
      after.session,
      after.seq,
      pageSize,
      ...(query.session === undefined ? [] : [query.session]),
      ...(query.roles === undefined ? [] : [query.roles]),
    ],
  })
  const last = rows.at(-1)
  return {
    entries: rows.map(entryOf),
    titles: new Map(rows.map(row => [row['session'] as SessionId, fromTextOrNull(row['title'] as string | null)])),
    next:
      rows.length < pageSize || last === undefined
        ? undefined
        : { at: last['found_at'] as number, session: last['session'] as string, seq: last['seq'] as number },
  }
}

interface Lag {
  readonly entries: readonly Entry[]
  readonly titles: Titles
  readonly behind: { readonly entries: number; readonly ms: number } | undefined
}

async function readLag(link: Link, tenant: string, session: SessionId | undefined): Promise<Lag> {
  const rows = await link.read({
    name: `lag_${session === undefined ? 'all' : 'one'}`,
    text: `SELECT s.id, s.title, s.seq, s.indexed_seq FROM skein.sessions s
      WHERE s.tenant = $1 AND s.unindexed AND s.indexed_seq < s.seq AND ${visible} ${session === undefined ? '' : 'AND s.id = $2'} ORDER BY s.id`,
    values: [tenant, ...(session === undefined ? [] : [session])],
  })
  const titles = new Map(rows.map(row => [row['id'] as SessionId, fromTextOrNull(row['title'] as string | null)]))
  if (rows.length === 0) return { entries: [], titles, behind: undefined }
  const count = rows.reduce((sum, row) => sum + (row['seq'] as number) - (row['indexed_seq'] as number), 0)
  const entries = await link.read({
    text: `SELECT ${entrySelect} FROM unnest($2::text[], $3::bigint[]) AS n(session, seq)
      JOIN skein.entries e ON e.tenant = $1 AND e.session = n.session AND e.seq > n.seq ORDER BY e.at DESC LIMIT $4`,
    values: [tenant, rows.map(row => row['id']), rows.map(row => row['indexed_seq']), maxScanned],
  })
  const scanned = entries.map(entryOf)
  if (count <= maxScanned) return { entries: scanned, titles, behind: undefined }
  const times = scanned.map(entry => entry.at)
  return { entries: scanned, titles, behind: { entries: count, ms: Math.max(0, Math.max(...times) - Math.min(...times)) } }
}
