import type { BlobId, SessionId } from '#kernel'
import { type Entry, entryBody, erasedEntry, type JobRow, type SessionRow } from '#journal'
import type { Lent } from './link.ts'
import type { Loaded } from './load-rows.ts'
import type { LoadedRows } from './loaded-rows.ts'
import { jobLine } from './needs.ts'
import { sessionColumns } from './session-row.ts'
import { toText, toTextOrNull } from './text-column.ts'

/** What a map held when it was loaded, to tell afterwards what was put. */
export interface Before {
  readonly sessions: ReadonlyMap<SessionId, SessionRow>
  readonly views: LoadedRows['views']
  readonly watermarks: LoadedRows['watermarks']
  readonly archives: LoadedRows['archives']
  readonly records: LoadedRows['records']
  readonly jobs: LoadedRows['jobs']
}

export function snapshotOf(rows: LoadedRows): Before {
  return {
    sessions: new Map(rows.sessions),
    views: new Map(rows.views),
    watermarks: new Map(rows.watermarks),
    archives: new Map(rows.archives),
    records: new Map(rows.records),
    jobs: new Map(rows.jobs),
  }
}

const erasedTables = ['entries', 'blob_refs', 'views', 'watermarks', 'archives', 'jobs', 'search'] as const

/** Writes what was put. New rows are plain inserts, so a row that another node made meanwhile is a duplicate and the caller starts over. */
export async function writeRows(lent: Lent, tenant: string, { rows, lastPlaces }: Loaded, before: Before): Promise<void> {
  const write = new Writer(lent, tenant)
  const erased = new Set(rows.erasedSessions)
  for (const session of erased) await eraseSession(write, session)

  const sessions = [...rows.sessions.values()].filter(row => before.sessions.get(row.id) !== row)
  const isNew = (row: SessionRow): boolean => !before.sessions.has(row.id) || erased.has(row.id)
  const values = (row: SessionRow): unknown[] => sessionColumns.map(([, , of]) => of(row))
  const names = sessionColumns.map(([column]) => column)
  await write.insert('sessions', names, sessions.filter(isNew).map(values))
  await write.upsert(
    'sessions',
    ['id'],
    [...names, 'unindexed'],
    sessions.filter(row => !isNew(row)).map(row => [...values(row), true]),
  )
  await write.insert('entries', entryColumns, rows.newEntries.map(entryValues))
  for (const copy of rows.copies) await copyEntries(write, copy)
  await writeBlobs(write, rows)
  for (const erase of rows.erasedEntries) if (!erased.has(erase.session)) await eraseEntries(write, erase)

  await write.upsert(
    'views',
    ['session', 'name'],
    ['session', 'name', 'format', 'seq', 'data'],
    changed(rows.views, before.views).map(row => [row.session, toText(row.name), row.format, row.seq, JSON.stringify(row.data)]),
  )
  await write.upsert(
    'watermarks',
    ['session', 'reader'],
    ['session', 'reader', 'seq'],
    changed(rows.watermarks, before.watermarks).map(row => [row.session, toText(row.reader), row.seq]),
  )
  const archives = changed(rows.archives, before.archives)
  const wasThere = (id: string): boolean => before.archives.has(id)
  const archiveNames = ['id', 'session', 'from_seq', 'to_seq', 'children', 'data', 'version']
  const archiveValues = archives.map(
    row => [row.id, row.session, row.fromSeq, row.toSeq, [...row.children], JSON.stringify(row.data), row.version] as const,
  )
  await write.insert(
    'archives',
    archiveNames,
    archiveValues.filter(([id]) => !wasThere(id)),
  )
  await write.upsert(
    'archives',
    ['id'],
    archiveNames,
    archiveValues.filter(([id]) => wasThere(id)),
  )
  await writeRecords(write, rows, before)
  for (const id of rows.erasedMemories) await write.one('DELETE FROM skein.memories WHERE tenant = $1 AND id = $2', id)
  await write.upsert(
    'memories',
    ['id', 'version'],
    ['id', 'version', 'owner', 'text', 'evidence', 'data', 'embedding'],
    [...rows.newMemories.values()].map(row => [
      row.id,
      row.version,
      toText(row.owner),
      toText(row.text),
      JSON.stringify(row.evidence),
      JSON.stringify(row.data),
      row.embedding === null ? null : [...row.embedding],
    ]),
  )
  await writeJobs(write, tenant, { rows, lastPlaces }, before)
}

/** Values of one map that are not the ones that were loaded. */
function changed<K, V>(now: ReadonlyMap<K, V>, before: ReadonlyMap<K, V>): V[] {
  return [...now].filter(([key, value]) => before.get(key) !== value).map(([, value]) => value)
}

const entryColumns = ['session', 'seq', 'id', 'parent_id', 'type', 'at', 'body']
const entryValues = (entry: Entry): unknown[] => [
  entry.session,
  entry.seq,
  entry.id,
  entry.parentId,
  toText(entry.type),
  entry.at,
  entryBody(entry),
]

async function copyEntries(write: Writer, { from, to, fromSeq, toSeq }: LoadedRows['copies'][number]): Promise<void> {
  await write.one(
    `INSERT INTO skein.entries (tenant, session, seq, id, parent_id, type, at, body)
     SELECT $1, $3, e.seq, e.id, e.parent_id, e.type, e.at, e.body FROM skein.entries e
     WHERE e.tenant = $1 AND e.session = $2 AND e.seq BETWEEN $4 AND $5`,
    from,
    to,
    fromSeq,
    toSeq,
  )
  await write.one(
    `INSERT INTO skein.blob_refs (tenant, session, blob) SELECT $1, $3, r.blob FROM skein.blob_refs r
     WHERE r.tenant = $1 AND r.session = $2 ORDER BY r.blob ON CONFLICT DO NOTHING`,
    from,
    to,
  )
}

/** A blob that is there is locked all the same, so that nobody who erases it just now takes it away from this commit. */
async function writeBlobs(write: Writer, rows: LoadedRows): Promise<void> {
  const blobs = [...rows.newBlobs.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  for (const { id, hash, bytes } of blobs) {
    await write.one(
      `INSERT INTO skein.blobs AS b (tenant, id, hash, bytes) VALUES ($1, $2, $3, $4)
       ON CONFLICT (tenant, id) DO UPDATE SET hash = b.hash`,
      id,
      hash,
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    )
  }
  if (rows.newRefs.length === 0) return
  await write.one(
    `INSERT INTO skein.blob_refs (tenant, session, blob) SELECT DISTINCT $1, r.session, r.blob
     FROM unnest($2::text[], $3::text[]) AS r(session, blob) ORDER BY 2, 3 ON CONFLICT DO NOTHING`,
    rows.newRefs.map(([session]) => session),
    rows.newRefs.map(([, blob]) => blob),
  )
}

async function eraseSession(write: Writer, session: SessionId): Promise<void> {
  const refs = await write.one('SELECT blob FROM skein.blob_refs WHERE tenant = $1 AND session = $2', session)
  for (const table of erasedTables) await write.one(`DELETE FROM skein.${table} WHERE tenant = $1 AND session = $2`, session)
  await write.one('DELETE FROM skein.sessions WHERE tenant = $1 AND id = $2', session)
  await dropUnused(
    write,
    refs.map(row => row['blob'] as BlobId),
  )
}

async function eraseEntries(write: Writer, { session, entries, unnamed }: LoadedRows['erasedEntries'][number]): Promise<void> {
  const seqs = entries.map(entry => entry.seq)
  if (seqs.length === 0) return
  const bodies = entries.map(entry => entryBody(erasedEntry(entry)))
  await write.one(
    `UPDATE skein.entries e SET type = 'erased', body = n.body FROM unnest($3::bigint[], $4::text[]) AS n(seq, body)
     WHERE e.tenant = $1 AND e.session = $2 AND e.seq = n.seq`,
    session,
    seqs,
    bodies,
  )
  await write.one('DELETE FROM skein.search WHERE tenant = $1 AND session = $2 AND seq = ANY($3)', session, seqs)
  // An indexer that has read the old content now finds that its work is out of date.
  await write.one('UPDATE skein.sessions SET erasures = erasures + 1 WHERE tenant = $1 AND id = $2', session)
  await write.one('DELETE FROM skein.blob_refs WHERE tenant = $1 AND session = $2 AND blob = ANY($3)', session, [...unnamed])
  await dropUnused(write, unnamed)
}

async function dropUnused(write: Writer, blobs: readonly BlobId[]): Promise<void> {
  if (blobs.length === 0) return
  await write.one(
    `DELETE FROM skein.blobs b WHERE b.tenant = $1 AND b.id = ANY($2)
     AND NOT EXISTS (SELECT 1 FROM skein.blob_refs r WHERE r.tenant = $1 AND r.blob = b.id)`,
    [...blobs],
  )
}

async function writeRecords(write: Writer, rows: LoadedRows, before: Before): Promise<void> {
  const columns = ['collection', 'key', 'value', 'tags', 'sort', 'expires_at', 'version']
  const put = [...rows.records].filter(([key, row]) => before.records.get(key) !== row)
  const values = (entries: typeof put): unknown[][] =>
    entries.map(([, row]) => [
      toText(row.collection),
      toText(row.key),
      JSON.stringify(row.value),
      row.tags.map(toText),
      row.sort,
      row.expiresAt,
      row.version,
    ])
  const gone = [...before.records].filter(([key]) => !rows.records.has(key)).map(([, row]) => row)
  if (gone.length > 0) {
    await write.one(
      `DELETE FROM skein.records WHERE tenant = $1 AND (collection, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
      gone.map(row => toText(row.collection)),
      gone.map(row => toText(row.key)),
    )
  }
  await write.insert('records', columns, values(put.filter(([key]) => !before.records.has(key))))
  await write.upsert('records', ['collection', 'key'], columns, values(put.filter(([key]) => before.records.has(key))))
}

const jobColumns: readonly (readonly [column: string, of: (job: JobRow) => unknown])[] = [
  ['id', job => job.id],
  ['kind', job => toText(job.kind)],
  ['key', job => toText(job.key)],
  ['unique_key', job => toTextOrNull(job.uniqueKey)],
  ['session', job => job.session],
  ['state', job => job.state],
  ['payload', job => JSON.stringify(job.payload)],
  ['schema', job => job.schema],
  ['attempts', job => job.attempts],
  ['max_attempts', job => job.maxAttempts],
  ['parked_blocks', job => job.parkedBlocks],
  ['run_after', job => job.runAfter],
  ['lease_until', job => job.leaseUntil],
  ['owner', job => toTextOrNull(job.owner)],
  ['fence', job => job.fence],
  ['trace_id', job => toTextOrNull(job.traceId)],
  ['result', job => JSON.stringify(job.result)],
  ['last_error', job => JSON.stringify(job.lastError)],
  ['created_at', job => job.createdAt],
  ['started_at', job => job.startedAt],
  ['ended_at', job => job.endedAt],
]

async function writeJobs(write: Writer, _tenant: string, { rows, lastPlaces }: Loaded, before: Before): Promise<void> {
  const columns = jobColumns.map(([column]) => column)
  const places = new Map(lastPlaces)
  const added = rows.newJobs.flatMap(id => rows.jobs.get(id) ?? [])
  if (added.length > 0) await write.one('UPDATE skein.tenants SET jobs = true WHERE tenant = $1 AND NOT jobs')
  await write.insert(
    'jobs',
    [...columns, 'position'],
    added.map(job => {
      const line = jobLine(job.kind, job.key)
      const position = (places.get(line) ?? 0) + 1
      places.set(line, position)
      return [...jobColumns.map(([, of]) => of(job)), position]
    }),
  )
  const kept = changed(rows.jobs, before.jobs).filter(job => before.jobs.has(job.id))
  for (const job of kept) {
    const sets = columns.map((column, index) => `${column} = $${index + 2}`).join(', ')
    await write.one(`UPDATE skein.jobs SET ${sets} WHERE tenant = $1 AND id = $2`, ...jobColumns.map(([, of]) => of(job)))
  }
}

const maxParameters = 60_000

/** Multi-row statements of one tenant, in the order of their first columns. */
class Writer {
  readonly #lent: Lent
  readonly #tenant: string

  constructor(lent: Lent, tenant: string) {
    this.#lent = lent
    this.#tenant = tenant
  }

  /** One statement; $1 is the tenant. */
  async one(text: string, ...values: readonly unknown[]): Promise<Record<string, unknown>[]> {
    return (await this.#lent.query({ text, values: [this.#tenant, ...values] })).rows
  }

  async insert(table: string, columns: readonly string[], rows: readonly (readonly unknown[])[]): Promise<void> {
    const size = Math.floor(maxParameters / columns.length)
    for (let from = 0; from < rows.length; from += size) await this.#insert(table, columns, rows.slice(from, from + size), '')
  }

  async upsert(
    table: string,
    keys: readonly string[],
    columns: readonly string[],
    rows: readonly (readonly unknown[])[],
  ): Promise<void> {
    const sets = columns.filter(column => !keys.includes(column)).map(column => `${column} = excluded.${column}`)
    const conflict = ` ON CONFLICT (tenant, ${keys.join(', ')}) DO UPDATE SET ${sets.join(', ')}`
    const size = Math.floor(maxParameters / columns.length)
    for (let from = 0; from < rows.length; from += size)
      await this.#insert(table, columns, rows.slice(from, from + size), conflict)
  }

  async #insert(
    table: string,
    columns: readonly string[],
    rows: readonly (readonly unknown[])[],
    conflict: string,
  ): Promise<void> {
    const values: unknown[] = [this.#tenant]
    const tuples = rows.map(row => `($1, ${row.map(value => `$${values.push(value)}`).join(', ')})`)
    await this.#lent.query({
      text: `INSERT INTO skein.${table} (tenant, ${columns.join(', ')}) VALUES ${tuples.join(', ')}${conflict}`,
      values,
    })
  }
}
