import {
  archiveColumns,
  entryColumns,
  insertSessionSql,
  jobColumns,
  memoryColumns,
  recordColumns,
  sessionColumns,
} from './columns.ts'
import { placedEvery } from './schema.ts'

const marks = (columns: string): string =>
  columns
    .split(', ')
    .map(() => '?')
    .join(', ')

/** Where the session ?1 has the entry ?2: as `entry_place` says, or among the few that it says nothing of. */
const seqOf = `coalesce(
    (SELECT seq FROM entry_place WHERE session = ?1 AND uid = ?2),
    (SELECT seq FROM entry WHERE session = ?1 AND uid = ?2
      AND seq > (SELECT seq - seq % ${placedEvery} FROM session WHERE id = ?1)))`

/** Every fixed statement, by the name that probes use. */
export const statements = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  savepoint: 'SAVEPOINT member',
  releaseSavepoint: 'RELEASE member',
  rollbackToSavepoint: 'ROLLBACK TO member',

  // Reads; see Connection.pragma on those that set.
  dataVersion: 'PRAGMA data_version',

  tenantId: 'SELECT id FROM tenant WHERE name = ?',
  addTenant: 'INSERT INTO tenant (name) VALUES (?)',
  tenantNames: 'SELECT name FROM tenant t WHERE EXISTS (SELECT 1 FROM session s WHERE s.tenant = t.id) ORDER BY name',
  tenantsByService: 'SELECT id, name FROM tenant ORDER BY served, id',
  serveTenant: 'UPDATE tenant SET served = (SELECT max(served) + 1 FROM tenant) WHERE id = ?',

  session: `SELECT ${sessionColumns} FROM session WHERE tenant = ? AND uid = ?` as string,
  sessionKey: 'SELECT id FROM session WHERE tenant = ? AND uid = ?',
  sessionUid: 'SELECT uid FROM session WHERE id = ?',
  sessionByAlias: 'SELECT uid FROM session WHERE tenant = ? AND alias = ?',
  addSession: insertSessionSql as string,
  removeSession: 'DELETE FROM session WHERE id = ?',
  lagging: `SELECT s.uid, s.seq, coalesce(w.seq, 0) FROM session s LEFT JOIN watermark w ON w.session = s.id AND w.reader = ?
    WHERE s.tenant = ? AND coalesce(w.seq, 0) < s.seq ORDER BY s.uid LIMIT ?`,

  seqOf: `SELECT ${seqOf}` as string,
  // The greatest id of all that a session has, and that of its newest entry; ids of its own making grow.
  knownIds: `SELECT
      max(
        coalesce((SELECT max(uid) FROM entry_place WHERE session = ?1), ''),
        coalesce((SELECT max(uid) FROM entry WHERE session = ?1 AND seq > ?2), '')),
      coalesce((SELECT uid FROM entry WHERE session = ?1 AND seq = ?3), '')`,
  placeEntries:
    'INSERT INTO entry_place (session, uid, seq) SELECT session, uid, seq FROM entry WHERE session = ? AND seq > ? AND seq <= ?',
  removePlaces: 'DELETE FROM entry_place WHERE session = ?',
  addEntry: 'INSERT INTO entry (session, seq, uid, parent, type, at, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
  copyEntries: `INSERT INTO entry (session, seq, uid, parent, type, at, body)
    SELECT ?, seq, uid, parent, type, at, body FROM entry WHERE session = ? AND seq BETWEEN ? AND ? ORDER BY seq`,
  entry: `SELECT ${entryColumns} FROM entry WHERE session = ?1 AND seq = ${seqOf}` as string,
  entryAt: `SELECT ${entryColumns} FROM entry WHERE session = ? AND seq = ?` as string,
  entriesAsc: `SELECT ${entryColumns} FROM entry WHERE session = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?` as string,
  entriesDesc: `SELECT ${entryColumns} FROM entry WHERE session = ? AND seq > ? AND seq < ? ORDER BY seq DESC LIMIT ?` as string,
  eraseEntry: 'UPDATE entry SET type = ?, body = ? WHERE session = ? AND seq = ?',
  bodiesWithBlobs: `SELECT seq, body FROM entry WHERE session = ? AND seq > ? AND seq <= ? AND instr(body, '"blb_') > 0
    ORDER BY seq LIMIT 500`,
  removeEntries: 'DELETE FROM entry WHERE session = ?',
  newestEntry: 'SELECT max(id) FROM entry',
  newestEntryOf: 'SELECT max(id) FROM entry WHERE session = ?',
  // No session has key 0. The row keeps its rowid taken, so that none at or below the search index's watermark is given again.
  keepPlace: "INSERT INTO entry (id, session, seq, uid, parent, type, at, body) VALUES (?, 0, ?, ?, NULL, 'erased', 0, '{}')",
  dropOldPlaces: 'DELETE FROM entry WHERE session = 0 AND seq < ?',

  addBlob: 'INSERT OR IGNORE INTO blob (tenant, uid, hash, bytes, session) VALUES (?, ?, ?, ?, ?)',
  blobOwner: 'SELECT session FROM blob WHERE tenant = ? AND uid = ?',
  giveBlob: 'UPDATE blob SET session = ? WHERE tenant = ? AND uid = ?',
  blob: 'SELECT hash, bytes FROM blob WHERE tenant = ? AND uid = ?',
  removeBlob: 'DELETE FROM blob WHERE tenant = ? AND uid = ?',
  addBlobRef: 'INSERT OR IGNORE INTO blob_ref (session, blob) VALUES (?, ?)',
  blobRefs: 'SELECT blob FROM blob_ref WHERE session = ?',
  hasBlobRef: 'SELECT 1 FROM blob_ref WHERE session = ? AND blob = ?',
  removeBlobRef: 'DELETE FROM blob_ref WHERE session = ? AND blob = ?',
  removeBlobRefs: 'DELETE FROM blob_ref WHERE session = ?',
  blobHeir: 'SELECT s.id FROM blob_ref r JOIN session s ON s.id = r.session WHERE r.blob = ? AND s.tenant = ? LIMIT 1',

  view: 'SELECT name, format, seq, data FROM view WHERE session = ? AND name = ?',
  putView: `INSERT INTO view (session, name, format, seq, data) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (session, name) DO UPDATE SET format = excluded.format, seq = excluded.seq, data = excluded.data`,
  removeViews: 'DELETE FROM view WHERE session = ?',
  watermark: 'SELECT seq FROM watermark WHERE session = ? AND reader = ?',
  putWatermark: `INSERT INTO watermark (session, reader, seq) VALUES (?, ?, ?)
    ON CONFLICT (session, reader) DO UPDATE SET seq = excluded.seq`,
  removeWatermarks: 'DELETE FROM watermark WHERE session = ?',
  archive: `SELECT session, ${archiveColumns} FROM archive WHERE tenant = ? AND id = ?` as string,
  archivesMeeting:
    `SELECT ${archiveColumns} FROM archive WHERE session = ? AND fromSeq <= ? AND toSeq >= ? ORDER BY fromSeq, toSeq DESC` as string,
  putArchive: `INSERT INTO archive (tenant, session, ${archiveColumns}) VALUES (?, ?, ${marks(archiveColumns)})
    ON CONFLICT (tenant, id) DO UPDATE SET session = excluded.session, fromSeq = excluded.fromSeq, toSeq = excluded.toSeq,
    children = excluded.children, data = excluded.data, version = excluded.version` as string,
  removeArchives: 'DELETE FROM archive WHERE session = ?',

  record: `SELECT ${recordColumns} FROM record WHERE tenant = ? AND collection = ? AND key = ?` as string,
  putRecord: `INSERT INTO record (tenant, ${recordColumns}) VALUES (?, ${marks(recordColumns)})
    ON CONFLICT (tenant, collection, key) DO UPDATE SET value = excluded.value, tag1 = excluded.tag1, tag2 = excluded.tag2,
    tag3 = excluded.tag3, sort = excluded.sort, expiresAt = excluded.expiresAt, version = excluded.version` as string,
  removeRecord: 'DELETE FROM record WHERE tenant = ? AND collection = ? AND key = ?',
  jobsAfter: 'SELECT id, state, endedAt FROM job WHERE id > ? ORDER BY id LIMIT 200',
  forgetJob: "DELETE FROM job WHERE id = ? AND state IN ('done', 'skipped')",
  sweepRecords: `DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE tenant = ? AND expiresAt <= ? LIMIT 100)`,

  memory: `SELECT ${memoryColumns} FROM memory WHERE tenant = ? AND id = ? ORDER BY version DESC LIMIT 1` as string,
  memoryVersions: `SELECT ${memoryColumns} FROM memory WHERE tenant = ? AND id = ? ORDER BY version` as string,
  putMemory: `INSERT OR REPLACE INTO memory (tenant, ${memoryColumns}) VALUES (?, ${marks(memoryColumns)})` as string,
  removeMemory: 'DELETE FROM memory WHERE tenant = ? AND id = ?',
  memories: `SELECT ${memoryColumns} FROM memory m WHERE tenant = ? AND id > ?
    AND version = (SELECT max(version) FROM memory n WHERE n.tenant = m.tenant AND n.id = m.id) ORDER BY id LIMIT ?` as string,
  memoriesOf: `SELECT ${memoryColumns} FROM memory m WHERE tenant = ? AND owner = ? AND id > ?
    AND version = (SELECT max(version) FROM memory n WHERE n.tenant = m.tenant AND n.id = m.id) ORDER BY id LIMIT ?` as string,

  job: `SELECT ${jobColumns} FROM job WHERE tenant = ? AND uid = ?` as string,
  uniqueJob:
    `SELECT ${jobColumns} FROM job WHERE tenant = ? AND kind = ? AND uniqueKey = ? AND state = 'queued' LIMIT 1` as string,
  addJob: `INSERT INTO job (tenant, ${jobColumns}) VALUES (?, ${marks(jobColumns)})` as string,
  changeJob: `UPDATE job SET (${jobColumns}) = (${marks(jobColumns)}) WHERE tenant = ? AND uid = ?` as string,
  removeJobs: 'DELETE FROM job WHERE tenant = ? AND session = ?',
  runningOwners:
    "SELECT DISTINCT owner FROM job WHERE tenant = ? AND state = 'running' AND state IN ('queued', 'running') AND owner IS NOT NULL",
  prolongJob: "UPDATE job SET leaseUntil = ? WHERE tenant = ? AND uid = ? AND state = 'running' AND fence = ?",

  answer: 'SELECT digest, at, committed FROM answer WHERE tenant = ? AND key = ?',
  putAnswer: 'INSERT OR REPLACE INTO answer (tenant, key, digest, at, committed) VALUES (?, ?, ?, ?, ?)',
  answersAfter: 'SELECT key, at FROM answer WHERE tenant = ? AND key > ? ORDER BY key LIMIT 200',
  removeAnswer: 'DELETE FROM answer WHERE tenant = ? AND key = ? AND at <= ?',
} as const

export type StatementName = keyof typeof statements
