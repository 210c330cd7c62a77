import { invalidInput, isId } from '#kernel'
import type { Page } from '#journal'
import type { SessionCore } from '#session'
import { counted } from './archive-messages.ts'
import { type Archive, archiveOf, type StoredArchive, storedArchive, unknownArchive } from './archive-row.ts'
import type { ArchivesOptions } from './commit-types.ts'

/** A page of archives, newest first: the list itself, with `next` where more follow, and as `items` what lists of pages have. */
export type ArchivesPage = readonly Archive[] & Page<Archive>

/** Newest first by range, whatever was made when; sources of a merge only with `all`. Law M26. */
export async function listArchives(
  core: SessionCore,
  { limit = 50, cursor, all = false }: ArchivesOptions,
): Promise<ArchivesPage> {
  await core.row()
  const rows = (await readArchives(core)).filter(({ data }) => all || data.state !== 'merged').sort(newestFirst)
  const after = cursor === undefined ? undefined : readCursor(cursor)
  const rest = after === undefined ? rows : rows.filter(row => isBehind(row, after))
  const shown = rest.slice(0, limit)
  const last = shown.at(-1)
  const items = await Promise.all(shown.map(async row => archiveOf(core.store.tenant, await counted(core, row))))
  const next = last === undefined || rest.length <= limit ? {} : { next: { value: cursorAt(last) } }
  return Object.defineProperties([...items], { items: { value: items }, ...next }) as unknown as ArchivesPage
}

/** Every archive of the session. Rejects for one that can't be read. */
export async function readArchives(core: Pick<SessionCore, 'id' | 'store'>): Promise<StoredArchive[]> {
  return (await core.store.archives(core.id)).map(storedArchive)
}

/** One archive of the session, merged or not. Throws `archive.not_found` for an unknown and a foreign one alike. */
export async function oneArchive(core: SessionCore, id: unknown): Promise<Archive> {
  await core.row()
  const row = isId('arc', id) ? await core.store.archive(id) : undefined
  if (row === undefined || row.session !== core.id) throw unknownArchive(core.id, String(id))
  return archiveOf(core.store.tenant, await counted(core, storedArchive(row)))
}

type Place = Pick<StoredArchive, 'toSeq' | 'fromSeq' | 'id'>

/** A parent stands before its sources that end with it. */
const newestFirst = (a: Place, b: Place): number => b.toSeq - a.toSeq || a.fromSeq - b.fromSeq || (a.id < b.id ? 1 : -1)
const isBehind = (row: Place, place: Place): boolean => newestFirst(row, place) > 0
const cursorAt = ({ toSeq, fromSeq, id }: Place): string => `${toSeq}.${fromSeq}.${id}`

function readCursor(cursor: string): Place {
  const [toSeq, fromSeq, id] = cursor.split('.')
  const place = { toSeq: Number(toSeq), fromSeq: Number(fromSeq), id: id as StoredArchive['id'] }
  if (Number.isSafeInteger(place.toSeq) && Number.isSafeInteger(place.fromSeq) && isId('arc', id)) return place
  throw invalidInput('cursor', 'Expected the next of a page of archives.')
}
