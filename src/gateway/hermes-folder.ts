import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

type Row = Readonly<Record<string, unknown>>

/** A folder of Hermes' sessions; nothing in it is changed. */
export interface HermesFolder {
  /** The text of `sessions.json`; `undefined` if there is none. */
  readonly index: string | undefined
  /** Session ids by the names of transcripts, whatever they look like. */
  readonly transcripts: readonly string[]
  lines(id: string): Promise<readonly string[]>
}

/** Reads a folder of transcripts, or the folder above it. */
export async function readHermesFolder(folder: string): Promise<HermesFolder> {
  const place = await placeOf(folder)
  const names = await readdir(place)
  const transcripts = names.filter(name => name.endsWith('.jsonl')).map(name => name.slice(0, -6))
  return {
    index: names.includes('sessions.json') ? await readFile(join(place, 'sessions.json'), 'utf8') : undefined,
    transcripts: transcripts.sort(),
    lines: async id => (transcripts.includes(id) ? (await readFile(join(place, `${id}.jsonl`), 'utf8')).split('\n') : []),
  }
}

async function placeOf(folder: string): Promise<string> {
  const inside = join(folder, 'sessions')
  return !(await isThere(join(folder, 'sessions.json'))) && (await isThere(inside)) ? inside : folder
}

/** The files of such a folder that are read, with their paths. */
export async function hermesFolderFiles(folder: string): Promise<string[]> {
  const place = await placeOf(folder)
  const names = (await readdir(place)).filter(name => name === 'sessions.json' || name.endsWith('.jsonl'))
  return names.sort().map(name => join(place, name))
}

/** The same of files that somebody sent. */
export function hermesFiles(files: Readonly<Record<string, string>>): HermesFolder {
  const textOf = (name: string): string | undefined => (Object.hasOwn(files, name) ? files[name] : undefined)
  const transcripts = Object.keys(files).filter(name => name.endsWith('.jsonl'))
  return {
    index: textOf('sessions.json'),
    transcripts: transcripts.map(name => name.slice(0, -6)).sort(),
    lines: id => Promise.resolve(textOf(`${id}.jsonl`)?.split('\n') ?? []),
  }
}

export interface HermesDatabase {
  readonly sessions: readonly Row[]
  messages(session: string): readonly Row[]
  close(): Promise<void>
}

/** Opens a copy of the state database, so that not even a lock is left beside it. Rejects with what is wrong. */
export async function openHermesDatabase(file: string | Uint8Array): Promise<HermesDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-hermes-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const copy = typeof file === 'string' ? await copied(file, folder) : join(folder, 'state.db')
    if (typeof file !== 'string') await writeFile(copy, file, { mode: 0o600 })
    const database = new DatabaseSync(copy)
    const tables = new Set(
      database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .all()
        .map(row => row['name']),
    )
    const read = tables.has('messages') ? database.prepare('SELECT * FROM messages WHERE session_id = ? ORDER BY id') : undefined
    return {
      sessions: tables.has('sessions') ? database.prepare('SELECT * FROM sessions').all() : [],
      messages: session => read?.all(session) ?? [],
      close: async () => {
        database.close()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** The bytes of a state database, with what its log alone has. */
export async function hermesStateBytes(file: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-hermes-'))
  try {
    const copy = await copied(file, folder)
    const database = new DatabaseSync(copy)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
    return await readFile(copy)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function copied(file: string, folder: string): Promise<string> {
  const copy = join(folder, 'state.db')
  await copyFile(file, copy)
  if (await isThere(`${file}-wal`)) await copyFile(`${file}-wal`, `${copy}-wal`)
  return copy
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
