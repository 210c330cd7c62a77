import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { SkeinError } from '#kernel'
import { Connection } from './connection.ts'
import { formatVersion } from './schema.ts'
import { isBusy } from './sqlite-errors.ts'

/** Takes a file from format `from` to `from + 1`, inside a transaction that is open. */
export interface Migration {
  readonly from: number
  readonly run: (connection: Connection) => void
  /** Lists every entry of the old format, as `entriesOf` does of this one. Default: the same statement. */
  readonly entries?: string
}

/** Session, place, id, parent, type, time and body of every entry, in order: what no migration may change. */
export const entriesOf = `SELECT s.uid, e.seq, e.uid, e.parent, e.type, e.at, e.body
  FROM entry e JOIN session s ON s.id = e.session ORDER BY s.uid, e.seq`

/** What this release migrates from: there is no older format yet. */
const known: readonly Migration[] = []

/**
 * Brings an older file to this release's format: copies it to FILE.vN.bak, changes it in one transaction and compares the
 * entries' checksum before that is committed. Rejects `store.migration_failed` with the file as it was. Law J31.
 */
export function migrate(
  connection: Connection,
  file: string,
  {
    migrations = known,
    probe,
  }: { readonly migrations?: readonly Migration[] | undefined; readonly probe?: ((name: string) => void) | undefined },
): void {
  if (connection.pragma('user_version') === formatVersion) return
  connection.control('begin')
  const format = connection.pragma('user_version') as number
  const backup = `${file}.v${format}.bak`
  try {
    // Another process may have been faster than the lock.
    if (format === formatVersion) return connection.control('rollback')
    probe?.('backup:before')
    copyAside(file, backup)
    probe?.('backup:after')
    const path = pathFrom(format, migrations)
    const before = checksum(connection, path[0]?.entries ?? entriesOf)
    for (const migration of path) {
      migration.run(connection)
      probe?.(`migrated:${migration.from}`)
    }
    const after = checksum(connection, entriesOf)
    if (after !== before) throw new Error(`the entries read ${after} after it and ${before} before`)
    connection.exec(`PRAGMA user_version = ${formatVersion}`)
    connection.control('commit')
  } catch (cause) {
    if (connection.inTransaction) connection.control('rollback')
    if (isBusy(cause)) throw cause
    throw new SkeinError(
      'store.migration_failed',
      `${file} could not be brought from format ${format} to ${formatVersion}: ${(cause as Error).message}. It is as it was.`,
      { details: { file, format, known: formatVersion }, cause },
    )
  }
}

function pathFrom(format: number, migrations: readonly Migration[]): Migration[] {
  const path: Migration[] = []
  for (let at = format; at < formatVersion; at++) {
    const migration = migrations.find(candidate => candidate.from === at)
    if (migration === undefined) throw new Error(`this release has no migration from format ${at}`)
    path.push(migration)
  }
  return path
}

/** Count and SHA-256 of rows, read one at a time. */
function checksum(connection: Connection, sql: string): string {
  const hash = createHash('sha256')
  let count = 0
  for (const row of connection.text(sql).iterate()) {
    hash.update(`${JSON.stringify(row)}\n`)
    count++
  }
  return `${count} rows, ${hash.digest('hex').slice(0, 16)}`
}

/** A copy that is there whole or not at all. */
function copyAside(file: string, to: string): void {
  const partial = `${to}.partial`
  rmSync(partial, { force: true })
  const reader = new Connection(file, { readOnly: true })
  try {
    reader.text('VACUUM INTO ?').run(partial)
  } finally {
    reader.close()
  }
  moveIntoPlace(partial, to)
}

/** Syncs a finished file, gives it its name, and syncs the name. */
export function moveIntoPlace(from: string, to: string): void {
  syncPath(from, 'r+')
  renameSync(from, to)
  syncPath(dirname(to), 'r')
}

function syncPath(path: string, mode: 'r' | 'r+'): void {
  const descriptor = openSync(path, mode)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
