import { checkLimit, cutPage, decodeCursor, type Page, type RecordRow, type RecordsQuery } from '#journal'
import type { Link } from './link.ts'
import { nowSql } from './now-sql.ts'
import { recordOf } from './rows-from.ts'
import { toText } from './text-column.ts'

const live = `(r.expires_at IS NULL OR r.expires_at > ${nowSql})`

export async function readRecord(
  link: Link,
  tenant: string,
  now: number | null,
  collection: string,
  key: string,
): Promise<RecordRow | undefined> {
  const [row] = await link.read({
    name: 'record',
    text: `SELECT r.* FROM skein.records r WHERE r.tenant = $1 AND r.collection = $3 AND r.key = $4 AND ${live}`,
    values: [tenant, now, toText(collection), toText(key)],
  })
  return row === undefined ? undefined : recordOf(row)
}

/** In order of `sort`, then key. */
export async function listRecords(
  link: Link,
  tenant: string,
  now: number | null,
  collection: string,
  query: RecordsQuery,
): Promise<Page<RecordRow>> {
  const limit = checkLimit(query.limit, 100, 1_000)
  const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 'number')
  const values: unknown[] = [tenant, now, toText(collection)]
  const where = ['r.tenant = $1', 'r.collection = $3', live]
  const add = (value: unknown, condition: (parameter: string) => string): void => {
    where.push(condition(`$${values.push(value)}`))
  }
  // Beforehand: a planner who sees the limit walks the whole collection in its order.
  let tagged = ''
  if (query.tag !== undefined) {
    const tag = `$${values.push(toText(query.tag))}`
    tagged = `WITH tagged AS MATERIALIZED
      (SELECT * FROM skein.records t WHERE t.tenant = $1 AND t.collection = $3 AND t.tags @> ARRAY[${tag}::text]) `
  }
  if (query.keyPrefix !== undefined) add(toText(query.keyPrefix), prefix => `starts_with(r.key, ${prefix})`)
  if (query.sortFrom !== undefined) add(query.sortFrom, from => `r.sort >= ${from}`)
  if (query.sortTo !== undefined) add(query.sortTo, to => `r.sort <= ${to}`)
  const direction = query.order === 'desc' ? 'DESC' : 'ASC'
  if (cursor !== undefined) {
    const sort = `$${values.push(cursor[0])}::double precision`
    add(toText(cursor[1]), key => `(r.sort, r.key) ${query.order === 'desc' ? '<' : '>'} (${sort}, ${key})`)
  }
  values.push(limit + 1)
  const rows = await link.read({
    text: `${tagged}SELECT r.* FROM ${tagged === '' ? 'skein.records' : 'tagged'} r WHERE ${where.join(' AND ')} ORDER BY r.sort ${direction}, r.key ${direction} LIMIT $${values.length}`,
    values,
  })
  return cutPage(rows.map(recordOf), limit, row => [row.sort, row.key])
}
