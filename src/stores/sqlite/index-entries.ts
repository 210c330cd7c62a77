import { type BlobRow, fetchParts, searchText, splitText } from '#journal'
import type { SessionId } from '#kernel'
import { entryFromRow, longId } from './columns.ts'
import type { Connection } from './connection.ts'
import { newestEntry, type SearchFile } from './search-file.ts'

/** How many entries one transaction of the index takes. */
export const batchSize = 250

/** Entry types that `searchText` finds anything in; of others not even the text is read. */
export const searchedTypes = "('message_added', 'session_titled', 'session_created', 'entry_labelled', 'summary_added', 'custom')"

/** One token for what a search may be narrowed to. */
export const tenantToken = (tenant: number): string => `t${tenant}`
export const sessionToken = (session: number): string => `s${session}`
export const roleToken = (role: string): string => `r${role.toLowerCase().replace(/[^a-z0-9]/g, '')}`

/** Reads the next entries into the index, in one transaction; says whether there are more. Law J46. */
export async function indexBatch(main: Connection, file: SearchFile): Promise<boolean> {
  const index = file.use(main)
  if (index === undefined) return false
  const { connection, progress } = index
  const rows = main.allText(
    `SELECT e.id, s.tenant, s.id, s.uid, e.seq, e.uid, e.parent, e.type, e.at,
      CASE WHEN e.type IN ${searchedTypes} THEN e.body END
    FROM entry e LEFT JOIN session s ON s.id = e.session WHERE e.id > ? ORDER BY e.id LIMIT ${batchSize}`,
    [progress.watermark],
  )
  const last = rows.at(-1)
  if (last === undefined) return false
  const found: { id: number; scope: string; text: string }[] = []
  for (const [id, tenant, session, uid, ...columns] of rows) {
    if (tenant == null || columns[5] == null) continue
    const entry = entryFromRow(longId('ses', uid as string) as SessionId, columns)
    const { entries } = await fetchParts({ blobs: async ids => readBlobs(main, tenant as number, ids) }, [entry])
    const text = entries[0] === undefined ? undefined : searchText(entries[0])
    if (text === undefined) continue
    const scope = `${tenantToken(tenant as number)} ${sessionToken(session as number)} ${roleToken(text.role)}`
    found.push({ id: id as number, scope, text: splitText(text.text) })
  }
  connection.exec('BEGIN IMMEDIATE')
  try {
    // Another process may have come first.
    const moved = connection.runText('progress', 'UPDATE progress SET watermark = ?, uid = ? WHERE watermark = ?', [
      last[0] as number,
      last[5] as string,
      progress.watermark,
    ])
    if (moved > 0) {
      for (const { id, scope, text } of found) {
        connection.runText('words', 'INSERT INTO words (rowid, scope, text) VALUES (?, ?, ?)', [id, scope, text])
      }
    }
    connection.exec('COMMIT')
  } catch (error) {
    if (connection.inTransaction) connection.exec('ROLLBACK')
    throw error
  }
  return newestEntry(main) > (last[0] as number)
}

export function readBlobs(main: Connection, tenant: number, ids: readonly string[]): BlobRow[] {
  return ids.flatMap(id => {
    const row = main.get('blob', tenant, id)
    return row === undefined ? [] : [{ id: id as BlobRow['id'], hash: row[0] as string, bytes: row[1] as Uint8Array }]
  })
}
