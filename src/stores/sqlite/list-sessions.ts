import {
  checkLimit,
  cutPage,
  decodeCursor,
  type Page,
  sessionHaystack,
  type SessionFilter,
  type SessionRow,
  sessionSorts,
  sortValue,
} from '#journal'
import { invalidInput } from '#kernel'
import { hourOf, sessionColumns, sessionFrom, shortId, textIn } from './columns.ts'
import type { Connection } from './connection.ts'
import type { Row, Value } from './values.ts'

/** How each field is sorted by: its hours first where an index knows no more than those. */
const orders = {
  updatedAt: ['updatedHour', 'updatedAt'],
  lastAccessedAt: ['lastAccessedAt'],
  createdAt: ['createdAt'],
  title: ["coalesce(title, '')"],
} as const

/** One page of a tenant's sessions. What SQL cannot compare as the memory store does is compared here, row by row. */
export function listSessions(connection: Connection, tenant: number, filter: SessionFilter): Page<SessionRow> {
  const limit = checkLimit(filter.limit, 50, 200)
  const sort = filter.sort ?? '-updatedAt'
  if (!Object.hasOwn(sessionSorts, sort)) throw invalidInput('sort', `Expected one of ${Object.keys(sessionSorts).join(', ')}.`)
  const { field, descending } = sessionSorts[sort]
  const where = ['tenant = ?', 'hidden = 0']
  const values: Value[] = [tenant]
  const require = (condition: string, ...more: Value[]): void => {
    where.push(condition)
    values.push(...more)
  }
  const among = (column: string, list: readonly string[]): void =>
    require(`${column} IN (SELECT value FROM json_each(?))`, JSON.stringify(list))

  among('state', filter.states ?? ['active', 'ended'])
  if (filter.ids !== undefined)
    among(
      'uid',
      filter.ids.map(id => shortId('ses', id)),
    )
  for (const column of ['user', 'agent', 'platform', 'cwd'] as const) {
    const wanted = filter[column]
    if (wanted !== undefined) require(`${column} = ?`, textIn(wanted))
  }
  if (filter.parent !== undefined) require('parent = ?', shortId('ses', filter.parent))
  if (filter.since !== undefined) require('updatedAt >= ? AND updatedHour >= ?', filter.since, hourOf(filter.since))
  if (filter.until !== undefined) require('updatedAt <= ? AND updatedHour <= ?', filter.until, hourOf(filter.until))
  // Nearly exact; `fits` has the last word.
  if (filter.tag !== undefined) require('instr(tags, ?) > 0', JSON.stringify(filter.tag))
  if (filter.cursor !== undefined) {
    const [value, id] = decodeCursor(filter.cursor, sort === 'title' ? 'string' : 'whole')
    const sign = descending ? '<' : '>'
    if (field === 'updatedAt') require(`updatedHour ${sign}= ?`, hourOf(value as number))
    require(`(${orders[field].at(-1) ?? ''}, uid) ${sign} (?, ?)`, value, shortId('ses', id))
  }
  const order = [...orders[field], 'uid'].map(column => `${column}${descending ? ' DESC' : ''}`).join(', ')
  const sql = `SELECT ${sessionColumns} FROM session WHERE ${where.join(' AND ')} ORDER BY ${order}`
  const found = take(connection, sql, values, limit + 1, row => fits(row, filter))
  return cutPage(found, limit, row => [sortValue(row, sort), row.id])
}

function take(
  connection: Connection,
  sql: string,
  values: readonly Value[],
  count: number,
  fit: (row: SessionRow) => boolean,
): SessionRow[] {
  const found: SessionRow[] = []
  for (const row of connection.text(sql).iterate(...values)) {
    const session = sessionFrom(row as unknown as Row)
    if (fit(session)) found.push(session)
    if (found.length >= count) break
  }
  return found
}

function fits(row: SessionRow, { tag, query }: SessionFilter): boolean {
  return (
    (tag === undefined || row.tags.includes(tag)) && (query === undefined || sessionHaystack(row).includes(query.toLowerCase()))
  )
}
