import { type CheckResult, checkStore, type Finding, type Store } from '#journal'
import { isSkeinError } from '#kernel'
import { longId } from './columns.ts'
import type { Connection } from './connection.ts'
import type { Database } from './database.ts'
import { placedEvery } from './schema.ts'

/** What the port's check proves, and what only the file can show: its pages, its indexes, and rows that belong to nobody. */
export async function checkFile(database: Database, store: Store, deep: boolean): Promise<CheckResult> {
  const broken = (findings: Finding[]): CheckResult => ({ sessions: 0, entries: 0, blobs: 0, findings })
  try {
    const physical = await database.read(connection => physicalFindings(connection, deep))
    // Reading a broken file entry by entry would only end at the first broken page.
    if (physical.length > 0) return broken(physical)
    const result = await checkStore(store, { deep })
    const rows = await database.read(connection => rowFindings(connection))
    return { ...result, findings: [...result.findings, ...rows] }
  } catch (error) {
    if (!isSkeinError(error) || error.code !== 'store.corrupt') throw error
    return broken([finding('', null, 'physical', null, error.message)])
  }
}

function physicalFindings(connection: Connection, deep: boolean): Finding[] {
  const verdicts = connection.allText(`PRAGMA ${deep ? 'integrity_check' : 'quick_check'}(20)`, [])
  return verdicts.flatMap(([verdict]) => (verdict === 'ok' ? [] : [finding('', null, 'physical', null, String(verdict))]))
}

function rowFindings(connection: Connection): Finding[] {
  return [
    ...strays(connection, 'entry', 'gap', 'Entries', 'session <> 0 AND'),
    ...strays(connection, 'blob_ref', 'blob', 'Blob references', ''),
    ...strays(connection, 'blob', 'blob', 'Blobs', 'session <> 0 AND'),
    ...counted(
      connection,
      'entry_place',
      'gap',
      'Entries that are not where their ids say',
      `SELECT (SELECT count(*) FROM entry_place p LEFT JOIN entry e ON e.session = p.session AND e.seq = p.seq AND e.uid = p.uid
          WHERE e.id IS NULL)
        + (SELECT coalesce(sum(abs(s.seq - s.seq % ${placedEvery} - (SELECT count(*) FROM entry_place p WHERE p.session = s.id))), 0)
          FROM session s)`,
    ),
    ...strays(connection, 'watermark', 'watermark', 'Watermarks', ''),
    ...strays(connection, 'archive', 'overlap', 'Archives', ''),
    ...strays(connection, 'view', 'count', 'Views', ''),
    ...connection
      .allText(
        `SELECT t.name, s.uid, w.reader, w.seq, s.seq FROM watermark w JOIN session s ON s.id = w.session JOIN tenant t ON t.id = s.tenant
        WHERE w.seq > s.seq`,
        [],
      )
      .map(([tenant, uid, reader, seq, end]) =>
        finding(
          String(tenant),
          String(uid),
          'watermark',
          String(reader),
          `Reader ${String(reader)} says ${String(seq)}; the journal ends at ${String(end)}.`,
        ),
      ),
    ...connection
      .allText(
        `SELECT t.name, s.uid, s.leaseToken FROM session s JOIN tenant t ON t.id = s.tenant
        WHERE s.leaseToken < 0 OR (s.leaseOwner IS NOT NULL AND s.leaseToken = 0)`,
        [],
      )
      .map(([tenant, uid, token]) =>
        finding(String(tenant), String(uid), 'fence', null, `A lease is held under token ${String(token)}.`),
      ),
  ]
}

function strays(connection: Connection, table: string, kind: Finding['kind'], what: string, where: string): Finding[] {
  const sql = `SELECT count(*) FROM ${table} WHERE ${where} session NOT IN (SELECT id FROM session)`
  return counted(connection, table, kind, `${what} of no session`, sql)
}

function counted(connection: Connection, table: string, kind: Finding['kind'], what: string, sql: string): Finding[] {
  const count = connection.allText(sql, [])[0]?.[0] as number
  return count === 0 ? [] : [finding('', null, kind, table, `${what}: ${count}.`)]
}

function finding(tenant: string, session: string | null, kind: Finding['kind'], ref: string | null, message: string): Finding {
  return { tenant, session: session === null ? null : longId('ses', session), kind, ref, message }
}
