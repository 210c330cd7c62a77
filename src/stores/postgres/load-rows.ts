import type { BlobId, EntryId, SessionId } from '#kernel'
import type { Lent } from './link.ts'
import { eraseKey, LoadedRows, recordKey } from './loaded-rows.ts'
import type { Needs } from './needs.ts'
import { archiveOf, entryOf, entrySelect, jobOf, memoryOf, recordOf, viewOf } from './rows-from.ts'
import { sessionFrom, sessionSelect } from './session-row.ts'
import { fromText, toText } from './text-column.ts'

export interface Loaded {
  readonly rows: LoadedRows
  /** Places in lines of jobs, reserved under the line's lock: the last one taken before this transaction's. */
  readonly lastPlaces: ReadonlyMap<string, number>
}

type Row = Record<string, unknown>

/**
 * Locks and loads what the changes need, in one fixed order of tables and, within each, of keys, so that two nodes
 * hardly ever wait for each other crosswise. A row that isn't there can't be locked; inserting it is what guards it.
 */
export async function loadRows(lent: Lent, tenant: string, needs: Needs): Promise<Loaded> {
  const rows = new LoadedRows()
  const select = async (text: string, ...values: unknown[]): Promise<Row[]> =>
    (await lent.query({ text, values: [tenant, ...values] })).rows

  if (needs.sessions.size > 0) await loadSessions(select, rows, needs)
  await loadEntries(select, rows, needs)
  await loadSessionRows(select, rows, needs)
  for (const session of needs.erases) if (rows.sessions.has(session)) await loadErasable(select, rows, session)
  for (const [session, seqs] of needs.entryErases)
    if (rows.sessions.has(session)) await loadErasableEntries(select, rows, session, seqs)
  if (needs.records.length > 0) {
    const found = await select(
      `SELECT r.* FROM skein.records r JOIN unnest($2::text[], $3::text[]) AS n(collection, key) USING (collection, key)
       WHERE r.tenant = $1 ORDER BY r.collection, r.key FOR UPDATE OF r`,
      needs.records.map(([collection]) => toText(collection)),
      needs.records.map(([, key]) => toText(key)),
    )
    for (const record of found.map(recordOf)) rows.records.set(recordKey(record.collection, record.key), record)
  }
  if (needs.memories.size > 0) {
    const found = await select(
      'SELECT * FROM skein.memories WHERE tenant = $1 AND id = ANY($2) ORDER BY id, version FOR UPDATE',
      [...needs.memories],
    )
    for (const memory of found.map(memoryOf)) {
      rows.memories.set(memory.id, memory)
      rows.memoryVersions.set(memory.id, (rows.memoryVersions.get(memory.id) ?? 0) + 1)
    }
  }
  return { rows, lastPlaces: await loadJobs(select, rows, needs) }
}

type Select = (text: string, ...values: unknown[]) => Promise<Row[]>

async function loadSessions(select: Select, rows: LoadedRows, needs: Needs): Promise<void> {
  const found = await select(
    `SELECT ${sessionSelect} FROM skein.sessions s WHERE s.tenant = $1 AND s.id = ANY($2) ORDER BY s.id FOR UPDATE`,
    [...needs.sessions],
  )
  for (const session of found.map(sessionFrom)) {
    rows.sessions.set(session.id, session)
    if (session.alias !== null) rows.aliases.set(session.alias, session.id)
  }
  if (needs.aliases.size === 0) return
  const taken = await select('SELECT id, alias FROM skein.sessions WHERE tenant = $1 AND alias = ANY($2)', [...needs.aliases])
  for (const row of taken) rows.aliases.set(row['alias'] as string, row['id'] as SessionId)
}

async function loadEntries(select: Select, rows: LoadedRows, needs: Needs): Promise<void> {
  const pairs = [...needs.entries]
    .filter(([session]) => rows.sessions.has(session))
    .flatMap(([session, ids]) => [...ids].map(id => [session, id] as const))
  if (pairs.length === 0) return
  const found = await select(
    `SELECT e.session, e.id, e.seq FROM unnest($2::text[], $3::text[]) AS n(session, id)
     JOIN skein.entries e ON e.tenant = $1 AND e.session = n.session AND e.id = n.id`,
    pairs.map(([session]) => session),
    pairs.map(([, id]) => id),
  )
  for (const row of found) {
    const session = row['session'] as SessionId
    const places = rows.places.get(session) ?? new Map<EntryId, number>()
    rows.places.set(session, places.set(row['id'] as EntryId, row['seq'] as number))
  }
}

/** Views, watermarks and archives: the session's lock guards them. */
async function loadSessionRows(select: Select, rows: LoadedRows, needs: Needs): Promise<void> {
  if (needs.views.length > 0) {
    const found = await select(
      `SELECT v.* FROM skein.views v JOIN unnest($2::text[], $3::text[]) AS n(session, name) USING (session, name) WHERE v.tenant = $1`,
      needs.views.map(([session]) => session),
      needs.views.map(([, name]) => toText(name)),
    )
    for (const view of found.map(viewOf)) rows.views.set(`${view.session} ${view.name}`, view)
  }
  if (needs.watermarks.length > 0) {
    const found = await select(
      `SELECT w.session, w.reader, w.seq FROM skein.watermarks w
       JOIN unnest($2::text[], $3::text[]) AS n(session, reader) USING (session, reader) WHERE w.tenant = $1`,
      needs.watermarks.map(([session]) => session),
      needs.watermarks.map(([, reader]) => toText(reader)),
    )
    for (const row of found) {
      const mark = { session: row['session'] as SessionId, reader: fromText(row['reader'] as string), seq: row['seq'] as number }
      rows.watermarks.set(`${mark.session} ${mark.reader}`, mark)
    }
  }
  if (needs.archives.size + needs.archivesOf.size > 0) {
    const found = await select(
      'SELECT * FROM skein.archives WHERE tenant = $1 AND (id = ANY($2) OR session = ANY($3)) ORDER BY id FOR UPDATE',
      [...needs.archives],
      [...needs.archivesOf],
    )
    for (const archive of found.map(archiveOf)) rows.archives.set(archive.id, archive)
  }
}

// Locks the blobs first: whoever stores one of them now waits, so that what is counted is what is deleted.
const lockBlobs = `SELECT b.id FROM skein.blobs b WHERE b.tenant = $1 AND b.id IN
  (SELECT r.blob FROM skein.blob_refs r WHERE r.tenant = $1 AND r.session = $2) ORDER BY b.id FOR UPDATE`

async function loadErasable(select: Select, rows: LoadedRows, session: SessionId): Promise<void> {
  await select(lockBlobs, session)
  const [counted] = await select(
    `SELECT
      (SELECT count(*) FROM skein.archives WHERE tenant = $1 AND session = $2) AS archives,
      (SELECT count(*) FROM skein.jobs WHERE tenant = $1 AND session = $2) AS jobs,
      (SELECT count(*) FROM skein.views WHERE tenant = $1 AND session = $2) AS views,
      (SELECT count(*) FROM skein.blob_refs r JOIN skein.blobs b ON b.tenant = r.tenant AND b.id = r.blob
        WHERE r.tenant = $1 AND r.session = $2
        AND NOT EXISTS (SELECT 1 FROM skein.blob_refs o WHERE o.tenant = $1 AND o.blob = r.blob AND o.session <> $2)) AS blobs`,
    session,
  )
  const count = (name: string): number => Number(counted?.[name] ?? 0)
  rows.erasable.set(session, {
    entries: 0,
    blobs: count('blobs'),
    archives: count('archives'),
    jobs: count('jobs'),
    views: count('views'),
  })
}

async function loadErasableEntries(select: Select, rows: LoadedRows, session: SessionId, seqs: readonly number[]): Promise<void> {
  await select(lockBlobs, session)
  const entries = await select(
    `SELECT ${entrySelect} FROM skein.entries e WHERE e.tenant = $1 AND e.session = $2 AND e.seq = ANY($3) AND e.type <> 'erased' ORDER BY e.seq`,
    session,
    [...seqs],
  )
  const unnamed = await select(
    `SELECT r.blob, EXISTS (SELECT 1 FROM skein.blob_refs o WHERE o.tenant = $1 AND o.blob = r.blob AND o.session <> $2) AS shared
     FROM skein.blob_refs r WHERE r.tenant = $1 AND r.session = $2 AND NOT EXISTS (
      SELECT 1 FROM skein.entries e WHERE e.tenant = $1 AND e.session = $2 AND e.seq <> ALL($3) AND position(r.blob IN e.body) > 0)`,
    session,
    [...seqs],
  )
  rows.erasableEntries.set(eraseKey(session, seqs), {
    entries: entries.map(entryOf),
    unnamed: unnamed.map(row => row['blob'] as BlobId),
    blobs: unnamed.filter(row => row['shared'] === false).length,
  })
}

async function loadJobs(select: Select, rows: LoadedRows, needs: Needs): Promise<Map<string, number>> {
  const last = new Map<string, number>()
  const lines = [...needs.lines].sort(([a], [b]) => (a < b ? -1 : 1))
  if (lines.length > 0) {
    const found = await select(
      `INSERT INTO skein.job_lines AS l (tenant, line, last) SELECT $1, n.line, n.count FROM unnest($2::text[], $3::bigint[]) AS n(line, count)
       ON CONFLICT (tenant, line) DO UPDATE SET last = l.last + excluded.last RETURNING l.line, l.last`,
      lines.map(([line]) => toText(line)),
      lines.map(([, count]) => count),
    )
    for (const row of found) {
      const line = fromText(row['line'] as string)
      last.set(line, (row['last'] as number) - (needs.lines.get(line) ?? 0))
    }
  }
  if (needs.uniqueJobs.length > 0) {
    const found = await select(
      `SELECT j.* FROM skein.jobs j WHERE j.tenant = $1 AND j.state = 'queued' AND j.unique_key IS NOT NULL
       AND (j.kind, j.unique_key) IN (SELECT * FROM unnest($2::text[], $3::text[])) ORDER BY j.id FOR UPDATE`,
      needs.uniqueJobs.map(([kind]) => toText(kind)),
      needs.uniqueJobs.map(([, key]) => toText(key)),
    )
    for (const job of found.map(jobOf)) rows.jobs.set(job.id, job)
  }
  if (needs.jobs.size > 0) {
    const found = await select('SELECT j.* FROM skein.jobs j WHERE j.tenant = $1 AND j.id = ANY($2) ORDER BY j.id FOR UPDATE', [
      ...needs.jobs,
    ])
    for (const job of found.map(jobOf)) rows.jobs.set(job.id, job)
  }
  return last
}
