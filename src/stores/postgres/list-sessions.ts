import { invalidInput } from '#kernel'
import {
  checkLimit,
  cutPage,
  decodeCursor,
  type Page,
  sessionHaystack,
  type SessionFilter,
  sessionSorts,
  type SessionRow,
  type SessionSort,
  sortValue,
} from '#journal'
import type { Link } from './link.ts'
import { sessionFrom, sessionSelect } from './session-row.ts'
import { toText } from './text-column.ts'

type Place = readonly [value: number | string, id: string]

const sortColumns: { readonly [S in SessionSort]: string } = {
  '-updatedAt': 's.updated_at',
  updatedAt: 's.updated_at',
  '-lastAccessedAt': 's.last_accessed_at',
  '-createdAt': 's.created_at',
  createdAt: 's.created_at',
  title: `coalesce(s.title, '')`,
}

/** Pages by place, so that what is updated meanwhile moves nothing else. Law S7. */
export async function listSessions(link: Link, tenant: string, filter: SessionFilter): Promise<Page<SessionRow>> {
  const limit = checkLimit(filter.limit, 50, 200)
  const sort = filter.sort ?? '-updatedAt'
  if (!Object.hasOwn(sessionSorts, sort)) throw invalidInput('sort', `Expected one of ${Object.keys(sessionSorts).join(', ')}.`)
  const place = (row: SessionRow): Place => [sortValue(row, sort), row.id]
  let after: Place | undefined =
    filter.cursor === undefined ? undefined : decodeCursor(filter.cursor, sort === 'title' ? 'string' : 'whole')
  const wanted = filter.query?.toLowerCase()
  const found: SessionRow[] = []
  for (;;) {
    const rows = await readPage(link, tenant, filter, sort, after, limit + 1)
    // The database lowers ASCII only; what it could not rule out is judged here.
    found.push(...rows.filter(row => wanted === undefined || sessionHaystack(row).includes(wanted)))
    const last = rows.at(-1)
    if (rows.length <= limit || found.length > limit || last === undefined) return cutPage(found, limit, place)
    after = place(last)
  }
}

async function readPage(
  link: Link,
  tenant: string,
  filter: SessionFilter,
  sort: SessionSort,
  after: Place | undefined,
  limit: number,
): Promise<SessionRow[]> {
  const values: unknown[] = [tenant]
  const where = ['s.tenant = $1', 'NOT s.hidden']
  const add = (value: unknown, condition: (parameter: string) => string): void => {
    where.push(condition(`$${values.push(value)}`))
  }
  const text = (column: string, value: string | undefined): void => {
    if (value !== undefined) add(toText(value), parameter => `${column} = ${parameter}`)
  }
  add(filter.states ?? ['active', 'ended'], states => `s.state = ANY(${states})`)
  if (filter.ids !== undefined) add(filter.ids, ids => `s.id = ANY(${ids})`)
  text('s.user_id', filter.user)
  text('s.agent', filter.agent)
  text('s.platform', filter.platform)
  text('s.cwd', filter.cwd)
  text('s.parent', filter.parent)
  if (filter.tag !== undefined) add(toText(filter.tag), tag => `${tag} = ANY(s.tags)`)
  if (filter.since !== undefined) add(filter.since, since => `s.updated_at >= ${since}`)
  if (filter.until !== undefined) add(filter.until, until => `s.updated_at <= ${until}`)
  if (filter.query !== undefined) {
    const haystack = `concat_ws(chr(10), s.id, s.alias, s.title, s.preview, s.cwd)`
    const lowered = toText(filter.query.toLowerCase())
    add(lowered, wanted => `(${haystack} ~ '[^\\x01-\\x7f]' OR position(${wanted} IN lower(${haystack} COLLATE "C")) > 0)`)
  }
  const { descending } = sessionSorts[sort]
  const direction = descending ? 'DESC' : 'ASC'
  const key = sortColumns[sort]
  // The coarse index narrows what is sorted; the order itself is exact.
  const coarse = key === 's.updated_at' ? 's.touched, ' : ''
  if (after !== undefined) {
    const [value, id] = after
    const sign = descending ? '<' : '>'
    const at = `$${values.push(typeof value === 'string' ? toText(value) : value)}${typeof value === 'string' ? '::text' : '::bigint'}`
    add(id, parameter => `(${key}, s.id) ${sign} (${at}, ${parameter})`)
    if (coarse !== '') where.push(`s.touched ${sign}= ${at} / 600000`)
  }
  const order = `${coarse === '' ? '' : `s.touched ${direction}, `}${key} ${direction}, s.id ${direction}`
  values.push(limit)
  const rows = await link.read({
    text: `SELECT ${sessionSelect} FROM skein.sessions s WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT $${values.length}`,
    values,
  })
  return rows.map(sessionFrom)
}
