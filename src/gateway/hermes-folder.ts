import { copyFile, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
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
  const inside = join(folder, 'sessions')
  const place = !(await isThere(join(folder, 'sessions.json'))) && (await isThere(inside)) ? inside : folder
  const names = await readdir(place)
  const transcripts = names.filter(name => name.endsWith('.jsonl')).map(name => name.slice(0, -6))
  return {
    index: names.includes('sessions.json') ? await readFile(join(place, 'sessions.json'), 'utf8') : undefined,
    transcripts: transcripts.sort(),
    lines: async id => (transcripts.includes(id) ? (await readFile(join(place, `${id}.jsonl`), 'utf8')).split('\n') : []),
  }
}

export interface HermesDatabase {
  readonly sessions: readonly Row[]
  messages(session: string): readonly Row[]
  close(): Promise<void>
}

/** Opens a copy of the state database, so that not even a lock is left beside it. Rejects with what is wrong. */
export async function openHermesDatabase(file: string): Promise<HermesDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-hermes-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const copy = join(folder, 'state.db')
    await copyFile(file, copy)
    if (await isThere(`${file}-wal`)) await copyFile(`${file}-wal`, `${copy}-wal`)
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

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
