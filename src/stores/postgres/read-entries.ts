import type { EntryId, SessionId } from '#kernel'
import { type BranchQuery, checkLimit, type EntriesQuery, type Entry } from '#journal'
import type { Link } from './link.ts'
import { entryOf, entrySelect } from './rows-from.ts'
import { toText } from './text-column.ts'

const maxLimit = 1_000_000
const pageSize = 500

export async function readEntries(
  link: Link,
  tenant: string,
  session: SessionId,
  query: EntriesQuery,
): Promise<readonly Entry[]> {
  const { after = 0, before = Number.MAX_SAFE_INTEGER, types, limit, order = 'asc' } = query
  const max = checkLimit(limit, 100, maxLimit)
  const rows = await link.read({
    name: `entries_${order}_${types === undefined ? 'all' : 'typed'}`,
    text: `SELECT ${entrySelect} FROM skein.entries e WHERE e.tenant = $1 AND e.session = $2 AND e.seq > $3 AND e.seq < $4
      ${types === undefined ? '' : 'AND e.type = ANY($6)'} ORDER BY e.seq ${order === 'asc' ? 'ASC' : 'DESC'} LIMIT $5`,
    values: [
      tenant,
      session,
      after,
      before === Infinity ? Number.MAX_SAFE_INTEGER : before,
      max,
      ...(types === undefined ? [] : [types.map(toText)]),
    ],
  })
  return rows.map(entryOf)
}

export async function readEntry(link: Link, tenant: string, session: SessionId, id: EntryId): Promise<Entry | undefined> {
  const [row] = await link.read({
    name: 'entry',
    text: `SELECT ${entrySelect} FROM skein.entries e WHERE e.tenant = $1 AND e.session = $2 AND e.id = $3`,
    values: [tenant, session, id],
  })
  return row === undefined ? undefined : entryOf(row)
}

/**
 * Walks parents from the leaf, newest first. Entries lie in the order of `seq` and a parent is earlier than its child, so
 * each page reads backwards from where the walk stands; a jump to another branch costs one more page.
 */
export async function readBranch(link: Link, tenant: string, session: SessionId, query: BranchQuery): Promise<readonly Entry[]> {
  const { from, types } = query
  const max = checkLimit(query.limit, 100, maxLimit)
  const found: Entry[] = []
  let next: EntryId | undefined = from
  for (;;) {
    const size = Math.min(pageSize, types === undefined ? max - found.length + 8 : pageSize)
    const page = await readBackwards(link, tenant, session, next, types, size)
    let child: Walked | undefined
    for (const entry of page) {
      if (child !== undefined && entry.id !== child.parentId) continue
      child = entry
      if (entry.row['body'] !== null) found.push(entryOf(entry.row))
      if (found.length >= max) return found
    }
    if (child === undefined || child.parentId === null) return found
    next = child.parentId
  }
}

interface Walked {
  readonly id: EntryId
  readonly parentId: EntryId | null
  readonly row: Record<string, unknown>
}

/** From this entry, or the leaf, backwards. Entries of other types come without their bodies. */
async function readBackwards(
  link: Link,
  tenant: string,
  session: SessionId,
  from: EntryId | undefined,
  types: readonly string[] | undefined,
  size: number,
): Promise<Walked[]> {
  const start = from === undefined ? '(SELECT s.leaf_id FROM skein.sessions s WHERE s.tenant = $1 AND s.id = $2)' : '$4'
  const body = types === undefined ? 'e.body' : `CASE WHEN e.type = ANY($${from === undefined ? 4 : 5}) THEN e.body END AS body`
  const rows = await link.read({
    name: `branch_${from === undefined ? 'leaf' : 'from'}_${types === undefined ? 'all' : 'typed'}`,
    text: `SELECT e.session, e.seq, e.id, e.parent_id, e.type, e.at, ${body} FROM skein.entries e
      WHERE e.tenant = $1 AND e.session = $2
        AND e.seq <= (SELECT f.seq FROM skein.entries f WHERE f.tenant = $1 AND f.session = $2 AND f.id = ${start})
      ORDER BY e.seq DESC LIMIT $3`,
    values: [tenant, session, size, ...(from === undefined ? [] : [from]), ...(types === undefined ? [] : [types.map(toText)])],
  })
  return rows.map(row => ({ id: row['id'] as EntryId, parentId: row['parent_id'] as EntryId | null, row }))
}
