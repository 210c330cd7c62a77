import { checkLimit, cutPage, decodeCursor, type Page, type RecordRow, type RecordsQuery } from '#journal'
import { recordColumns, recordFrom, textIn } from './columns.ts'
import type { Connection } from './connection.ts'
import type { Value } from './values.ts'

/** One page of a collection, in order of `sort`, then key; expired records are none. */
export function listRecords(
  connection: Connection,
  tenant: number,
  collection: string,
  query: RecordsQuery,
  now: number,
): Page<RecordRow> {
  const limit = checkLimit(query.limit, 100, 1_000)
  const where = ['tenant = ?', 'collection = ?', '(expiresAt IS NULL OR expiresAt > ?)']
  const values: Value[] = [tenant, textIn(collection), now]
  const require = (condition: string, ...more: Value[]): void => {
    where.push(condition)
    values.push(...more)
  }
  if (query.keyPrefix !== undefined && query.keyPrefix !== '') {
    require('key >= ? AND key < ?', query.keyPrefix, `${query.keyPrefix}\u{10FFFF}`)
  }
  if (query.sortFrom !== undefined) require('sort >= ?', query.sortFrom)
  if (query.sortTo !== undefined) require('sort <= ?', query.sortTo)
  const descending = query.order === 'desc'
  if (query.cursor !== undefined) {
    const [value, key] = decodeCursor(query.cursor, 'number')
    require(`(sort, key) ${descending ? '<' : '>'} (?, ?)`, value, textIn(key))
  }
  const direction = descending ? ' DESC' : ''
  const from = query.tag === undefined ? 'record' : `(${tagged}) CROSS JOIN record ON record.rowid = id`
  const tag =
    query.tag === undefined ? [] : Array.from({ length: 3 }, () => [tenant, textIn(collection), textIn(query.tag ?? '')])
  const sql = `SELECT ${recordColumns} FROM ${from} WHERE ${where.join(' AND ')} ORDER BY sort${direction}, key${direction} LIMIT ${limit + 1}`
  return cutPage(connection.allText(sql, [...tag.flat(), ...values]).map(recordFrom), limit, row => [row.sort, row.key])
}

/** The rows of a tag, each by the index of one of its three columns. The join is crossed so that it is asked first. */
const tagged = [1, 2, 3]
  .map(n => `SELECT rowid AS id FROM record WHERE tenant = ? AND collection = ? AND tag${n} = ?`)
  .join(' UNION ')
