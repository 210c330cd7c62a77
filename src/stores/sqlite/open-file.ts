import { closeSync, openSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isSkeinError, newId, SkeinError } from '#kernel'
import { Connection } from './connection.ts'
import { fileSize, isOpenHere, readHeader } from './header.ts'
import { migrate, type Migration } from './migrate.ts'
import { applicationId, formatVersion, pageBytes, schema } from './schema.ts'
import { corruptFile, isBusy, isCorrupt, isIoError, isReadOnly, isSqliteError, storeError } from './sqlite-errors.ts'
import { retryWhileBusy, type Waits } from './waits.ts'

export interface OpenFileOptions extends Waits {
  readonly readOnly?: boolean
  readonly probe?: ((name: string) => void) | undefined
  readonly migrations?: readonly Migration[] | undefined
  /** At most this many pages, as a full disk would have it; for tests. */
  readonly maxPages?: number | undefined
}

/** The one name of a file, whichever way it is reached; its folder must exist. */
export function realFile(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    // Not there yet: its folder's real name decides.
  }
  try {
    return join(realpathSync(dirname(file)), basename(file))
  } catch (cause) {
    throw new SkeinError('store.unavailable', `There is no folder ${dirname(file)} to keep ${basename(file)} in.`, { cause })
  }
}

/**
 * Opens a store's file: creates an absent or empty one, migrates an older one, and refuses what is not Skein's, newer,
 * damaged or not writable without having touched it. Source: the table in spec/foundation.md 4.2; law J30.
 */
export async function openFile(file: string, options: OpenFileOptions): Promise<Connection> {
  const size = fileSize(file) ?? 0
  if (size === 0 && options.readOnly === true) {
    throw new SkeinError('store.unavailable', `There is no store at ${file}, and a read-only one is not created.`, {
      details: { file },
    })
  }
  if (size === 0) createEmpty(file)
  else if (!isOpenHere(file)) inspect(file, size)
  try {
    return await (options.readOnly === true ? openForReading(file, options) : openForWriting(file, options))
  } catch (error) {
    throw storeError(error, file)
  }
}

/** So that nobody but its owner can read it; SQLite gives its side files the same mode. */
function createEmpty(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    const what =
      code === 'ENOSPC'
        ? 'store.full'
        : code === 'EROFS' || code === 'EACCES' || code === 'EPERM'
          ? 'store.read_only'
          : 'store.unavailable'
    throw new SkeinError(what, `${file} cannot be created: ${(cause as Error).message}.`, { details: { file }, cause })
  }
}

/** Refuses what can be refused without SQLite writing anything. */
function inspect(file: string, size: number): void {
  const header = readHeader(file)
  if (!header.sqlite || header.applicationId !== applicationId) throw foreign(file)
  if (header.userVersion > formatVersion) throw newer(file, header.userVersion)
  // A journal that has to be rolled back first is SQLite's business, before anything can be said.
  if ((fileSize(`${file}-journal`) ?? 0) > 0) return
  const logged = (fileSize(`${file}-wal`) ?? 0) > 0
  if (!logged && header.declaredBytes > size) throw corruptFile(file, `${size} of ${header.declaredBytes} bytes are there`)
  // With a log beside it the file alone is not the whole truth; a reader looks at both and copies nothing when it closes.
  const connection = new Connection(logged ? file : immutable(file), { readOnly: true })
  try {
    const format = connection.pragma('user_version') as number
    if (format > formatVersion) throw newer(file, format)
    examine(connection, file, size, format)
  } catch (error) {
    if (isCorrupt(error)) throw corruptFile(file, (error as Error).message, error)
    // Another process at work, or a place that takes no side files: whoever opens it for good finds out.
    if (isSkeinError(error)) throw error
  } finally {
    connection.close()
  }
}

const immutable = (file: string): URL => new URL(`${pathToFileURL(file).href}?immutable=1`)

/** Up to this size a file is checked whole when it is opened; larger ones at the ends of every table. */
const smallFile = 4 * 2 ** 20

function examine(connection: Connection, file: string, size: number, format: number): void {
  try {
    if (size <= smallFile) {
      const verdict = connection.pragma('quick_check(1)')
      if (verdict !== 'ok') throw corruptFile(file, String(verdict))
    }
    for (const [table] of connection.allText("SELECT name FROM sqlite_schema WHERE type = 'table'", [])) {
      connection.allText(`SELECT 1 FROM "${String(table)}" LIMIT 1`, [])
    }
    if (format === formatVersion) connection.allText('SELECT id, body FROM entry ORDER BY id DESC LIMIT 1', [])
  } catch (error) {
    if (isSqliteError(error) && !isBusy(error) && !isIoError(error)) throw corruptFile(file, error.message, error)
    throw error
  }
}

const foreign = (file: string): SkeinError =>
  new SkeinError('store.foreign', `${file} is not a Skein store. It was left as it is; choose another file.`, {
    details: { file },
  })

const newer = (file: string, format: number): SkeinError =>
  new SkeinError('store.version', `${file} has format ${format}; this release knows up to ${formatVersion}. Update Skein.`, {
    details: { file, format, known: formatVersion },
  })

async function openForReading(file: string, options: OpenFileOptions): Promise<Connection> {
  const { probe } = options
  let connection = new Connection(file, { readOnly: true, probe })
  try {
    try {
      await retryWhileBusy(options, () => connection.pragma('user_version'))
    } catch (error) {
      if (isBusy(error)) throw error
      // A place where not even the log's index can be made is not being written by anyone.
      connection.close()
      connection = new Connection(immutable(file), { readOnly: true, probe })
    }
    const format = connection.pragma('user_version') as number
    if (format > formatVersion) throw newer(file, format)
    if (format < formatVersion) {
      throw new SkeinError('store.version', `${file} has the older format ${format}; open it for writing once to migrate it.`, {
        details: { file, format, known: formatVersion },
      })
    }
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

async function openForWriting(file: string, options: OpenFileOptions): Promise<Connection> {
  const connection = new Connection(file, { probe: options.probe })
  try {
    // Already the first look waits for whoever holds the whole file, as a process does that recovers a dead one's log.
    await retryWhileBusy(options, () => configure(connection, options))
    await retryWhileBusy(options, () => prepareFormat(connection, file))
    await retryWhileBusy(options, () => migrate(connection, file, options))
    await retryWhileBusy(options, () => {
      if (connection.pragma('journal_mode') !== 'wal') connection.exec('PRAGMA journal_mode = WAL')
    })
    requireWritable(connection, file)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** What a writing connection keeps to. Checkpoints are asked for, never made inside a commit. By `exec`: see `Connection.pragma`. */
export function configure(connection: Connection, { maxPages }: Pick<OpenFileOptions, 'maxPages'>): void {
  connection.exec(
    `PRAGMA page_size = ${pageBytes}; PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216`,
  )
  if (maxPages !== undefined) connection.exec(`PRAGMA max_page_count = ${maxPages}`)
}

/** Makes the tables of an empty file, in one transaction; says what a file is that another process made meanwhile. */
function prepareFormat(connection: Connection, file: string): void {
  if (connection.pragma('application_id') === applicationId) {
    const format = connection.pragma('user_version') as number
    if (format > formatVersion) throw newer(file, format)
    return
  }
  connection.control('begin')
  try {
    if (connection.pragma('application_id') === 0) {
      if (connection.allText('SELECT 1 FROM sqlite_schema LIMIT 1', []).length > 0) throw foreign(file)
      connection.exec(`${schema};
        PRAGMA application_id = ${applicationId};
        PRAGMA user_version = ${formatVersion};
        INSERT INTO meta VALUES ('store', '${newId('own').slice(4)}')`)
    } else if (connection.pragma('application_id') !== applicationId) throw foreign(file)
    connection.control('commit')
  } catch (error) {
    if (connection.inTransaction) connection.control('rollback')
    throw error
  }
}

/** SQLite opens what it may not write for reading without a word, so this tries, and takes it back. */
function requireWritable(connection: Connection, file: string): void {
  try {
    connection.exec("BEGIN; UPDATE meta SET value = value WHERE name = 'store'; ROLLBACK")
  } catch (error) {
    if (connection.inTransaction) connection.exec('ROLLBACK')
    if (isBusy(error)) return // Whoever writes now has shown that it can be written.
    if (!isReadOnly(error)) throw error
    throw new SkeinError('store.read_only', `${file} cannot be written. Open it with readOnly: true to read it.`, {
      details: { file },
      cause: error,
    })
  }
}
