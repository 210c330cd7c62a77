import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { Connection } from './connection.ts'
import { isBusy, isFull, isIoError } from './sqlite-errors.ts'

/** The search index of a store: a file of its own beside it, that may be deleted at any time. */
export const searchFileOf = (file: string): string => `${file}-search`

/** Raised when what is kept there, or how words are made, changes; older indexes are then built anew. */
const indexFormat = 1

const indexSchema = `
CREATE TABLE progress (store TEXT NOT NULL, format INTEGER NOT NULL, watermark INTEGER NOT NULL, uid TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (scope, text, content = '', tokenize = 'ascii');
`

/** How far an index has read: up to the entry with rowid `watermark`, whose id is `uid`. */
export interface Progress {
  readonly watermark: number
  readonly uid: string
}

/** Which store a file is; a copy that goes another way keeps the name, so an index also compares its last entry. */
function storeName(main: Connection): string {
  return String(main.allText("SELECT value FROM meta WHERE name = 'store'", [])[0]?.[0])
}

function readProgress(index: Connection, main: Connection): Progress | undefined {
  const row = index.allText('SELECT store, format, watermark, uid FROM progress', [])[0]
  if (row === undefined || row[0] !== storeName(main) || row[1] !== indexFormat) return undefined
  const progress = { watermark: row[2] as number, uid: row[3] as string }
  const found = main.allText('SELECT uid FROM entry WHERE id = ?', [progress.watermark])[0]?.[0]
  // An entry that is gone was erased, unless the file never came that far.
  const fits = found === undefined ? progress.watermark <= newestEntry(main) : found === progress.uid || progress.uid === ''
  return fits ? progress : undefined
}

export function newestEntry(main: Connection): number {
  return (main.get('newestEntry')?.[0] as number | null | undefined) ?? 0
}

/** One index, opened again when its file was deleted or replaced. */
export class SearchFile {
  readonly #file: string
  readonly #writes: boolean
  #open: { readonly connection: Connection; readonly inode: number } | undefined

  constructor(storeFile: string, writes: boolean) {
    this.#file = searchFileOf(storeFile)
    this.#writes = writes
  }

  /** The index and how far it is; undefined if there is none that fits the store. A writer makes one. */
  use(main: Connection): { readonly connection: Connection; readonly progress: Progress } | undefined {
    try {
      const connection = this.#connect(main)
      const progress = connection === undefined ? undefined : readProgress(connection, main)
      if (connection !== undefined && progress !== undefined) return { connection, progress }
    } catch (error) {
      // Whatever else is wrong with it, it is built anew.
      if (isBusy(error) || (this.#writes && (isFull(error) || isIoError(error)))) throw error
    }
    this.close()
    if (!this.#writes) return undefined
    this.remove()
    const connection = this.#connect(main)
    return connection === undefined ? undefined : { connection, progress: { watermark: 0, uid: '' } }
  }

  #connect(main: Connection): Connection | undefined {
    const inode = statSync(this.#file, { throwIfNoEntry: false })?.ino
    if (this.#open !== undefined && this.#open.inode === inode) return this.#open.connection
    this.close()
    if (inode === undefined && !this.#writes) return undefined
    // Words of messages stand in it: nobody but its owner can read it, and SQLite gives its side files the same mode.
    if (inode === undefined) closeSync(openSync(this.#file, 'a', 0o600))
    // A reader opens for writing, too, so that the last one to close leaves no log behind.
    const connection = new Connection(this.#file, { timeoutMs: this.#writes ? 2_000 : 10 })
    this.#open = { connection, inode: statSync(this.#file).ino }
    connection.exec('PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL')
    if (this.#writes && connection.allText("SELECT 1 FROM sqlite_schema WHERE name = 'progress'", []).length === 0) {
      connection.exec('PRAGMA journal_mode = WAL')
      connection.exec(`BEGIN IMMEDIATE; ${indexSchema}`)
      connection.runText('progress', 'INSERT INTO progress VALUES (?, ?, 0, ?)', [storeName(main), indexFormat, ''])
      connection.exec('COMMIT')
    }
    return connection
  }

  /** Whoever has it open sees that it is gone, and makes another one. */
  remove(): void {
    this.close()
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${this.#file}${suffix}`, { force: true })
  }

  close(): void {
    this.#open?.connection.close()
    this.#open = undefined
  }
}
