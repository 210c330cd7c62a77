import {
  checkLimit,
  type Entry,
  fetchParts,
  findIn,
  parseQuery,
  type SearchHit,
  type SearchQuery,
  type SearchResult,
  sortHits,
  type TenantStore,
} from '#journal'
import type { SessionId } from '#kernel'
import { entryFromRow, longId, shortId, textOut } from './columns.ts'
import type { Connection } from './connection.ts'
import type { Row, Value } from './values.ts'
import type { Database } from './database.ts'
import { searchedTypes } from './index-entries.ts'
import { indexQuery, type Scope } from './index-query.ts'
import { newestEntry, type SearchFile } from './search-file.ts'

/** How many entries behind the index are scanned; more are said to be behind. */
export const scanned = 500
/** Matches are ranked among the newest so many, then, if too few of them still stand, among the next. */
const rankedAmong = 2_000

const liveColumns = 's.uid, s.title, e.seq, e.uid, e.parent, e.type, e.at, e.body'
const visible = "s.tenant = ? AND s.hidden = 0 AND s.state IN ('active', 'ended')"

/**
 * Finds what the index has read by the index, and what it has not by scanning. Every hit is read from the live tables and
 * compared with the query there, so an index that knows too much never shows what was erased. Laws J45, J46, J47.
 */
export async function findEntries(
  database: Database,
  file: SearchFile,
  store: TenantStore,
  query: SearchQuery,
): Promise<SearchResult> {
  const limit = checkLimit(query.limit, 20, 100)
  if (!parseQuery(query.query).some(term => !term.negated)) return { hits: [] }
  const { connection } = database
  const tenant = database.tenant(store.tenant).key
  const session = query.session === undefined ? undefined : database.sessionKey(tenant, shortId('ses', query.session))
  const scope: Scope = { tenant, session, roles: query.roles }
  // The watermark first: what is indexed meanwhile is then found twice rather than never.
  const index = await database.read(() => file.use(connection))
  const watermark = index?.progress.watermark ?? 0
  const behind = await database.read(() => readBehind(connection, scope, watermark))
  const hits = await hitsAmong(store, query, behind.rows)
  if (index !== undefined) hits.push(...(await indexedHits(database, index.connection, scope, store, query, limit, watermark)))
  const best = sortHits(unique(hits)).slice(0, limit)
  if (behind.entries <= scanned) return { hits: best }
  return { hits: best, behind: { entries: behind.entries, ms: Math.max(0, database.clock.now() - behind.since) } }
}

interface Behind {
  readonly rows: readonly Row[]
  readonly entries: number
  readonly since: number
}

/** The newest entries that the index has not read, and how many there are in all. */
function readBehind(connection: Connection, { tenant, session }: Scope, watermark: number): Behind {
  if (newestEntry(connection) <= watermark) return { rows: [], entries: 0, since: 0 }
  const only = session === undefined ? '' : ' AND s.id = ?'
  const values: Value[] = [watermark, tenant, ...(session === undefined ? [] : [session])]
  const from = `FROM entry e CROSS JOIN session s ON s.id = e.session WHERE e.id > ? AND ${visible}${only}`
  const rows = connection.allText(
    `SELECT ${liveColumns} ${from} AND e.type IN ${searchedTypes} ORDER BY e.id DESC LIMIT ${scanned}`,
    values,
  )
  if (newestEntry(connection) - watermark <= scanned) return { rows, entries: rows.length, since: 0 }
  const [count] = connection.allText(`SELECT count(*), min(e.at) ${from}`, values)
  return { rows, entries: (count?.[0] as number | undefined) ?? 0, since: (count?.[1] as number | null | undefined) ?? 0 }
}

async function indexedHits(
  database: Database,
  index: Connection,
  scope: Scope,
  store: TenantStore,
  query: SearchQuery,
  limit: number,
  watermark: number,
): Promise<SearchHit[]> {
  const { all, text } = indexQuery(query, scope)
  const hits: SearchHit[] = []
  for (let below = watermark + 1; hits.length < limit;) {
    const newest = index
      .allText(`SELECT rowid FROM words WHERE words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ${rankedAmong}`, [all, below])
      .map(([id]) => id as number)
    const oldest = newest.at(-1)
    if (oldest === undefined) break
    const ranked = newest.length <= limit ? newest : rank(index, text, newest, oldest)
    for (let at = 0; at < ranked.length && hits.length < limit; at += limit) {
      const rows = await database.read(connection => readLive(connection, scope, ranked.slice(at, at + limit)))
      hits.push(...(await hitsAmong(store, query, rows)))
    }
    below = oldest
    if (newest.length < rankedAmong) break
  }
  return hits
}

/** Best first; ranked by the words alone, since a rank counts how rare each is, and where one looks is not a word. */
function rank(index: Connection, text: string, ids: readonly number[], oldest: number): number[] {
  const among = new Set(ids)
  return index
    .allText('SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY bm25(words, 0.0, 1.0), rowid DESC', [
      text,
      oldest,
      ids[0] ?? oldest,
    ])
    .flatMap(([id]) => (among.has(id as number) ? [id as number] : []))
}

function readLive(connection: Connection, { tenant, session }: Scope, ids: readonly number[]): Row[] {
  return connection.allText(
    `SELECT ${liveColumns} FROM json_each(?) i CROSS JOIN entry e ON e.id = i.value CROSS JOIN session s ON s.id = e.session
    WHERE ${visible} AND (?3 IS NULL OR s.id = ?3)`,
    [JSON.stringify(ids), tenant, session ?? null],
  )
}

async function hitsAmong(store: TenantStore, query: SearchQuery, rows: readonly Row[]): Promise<SearchHit[]> {
  if (rows.length === 0) return []
  const titles = new Map<SessionId, string | null>()
  const entries = rows.map(([uid, title, ...columns]): Entry => {
    const session = longId('ses', uid as string)
    titles.set(session, title == null ? null : textOut(title as string))
    return entryFromRow(session, columns)
  })
  const { entries: full } = await fetchParts(store, entries)
  return findIn(full, query, id => titles.get(id) ?? null)
}

/** Forks share entry ids, so both ids name a hit. */
function unique(hits: readonly SearchHit[]): SearchHit[] {
  return [...new Map(hits.map(hit => [`${hit.session} ${hit.entry}`, hit])).values()]
}
