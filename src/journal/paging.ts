import { cutCodePoints, invalidInput } from '#kernel'
import type { SessionRow } from './head.ts'
import type { Page, RecordRow, RecordsQuery, SessionFilter, SessionSort } from './store.ts'

/** A place in an order: the sorted value and the id that breaks ties. */
export type Cursor = readonly [value: number | string, id: string]

/** Opaque to callers: base64url of the place after which to go on. */
export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url')
}

/** Text that every adapter can compare. */
const isPlain = (text: string): boolean => text.isWellFormed() && !text.includes('\u0000')

/** Throws `input.invalid` for anything that `encodeCursor` did not make. */
export function decodeCursor(cursor: string, kind: 'number' | 'whole' | 'string'): Cursor {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    const isPlace = (value: unknown): boolean =>
      typeof value === 'number'
        ? kind === 'whole'
          ? Number.isSafeInteger(value)
          : Number.isFinite(value)
        : typeof value === 'string' && isPlain(value)
    if (
      Array.isArray(parsed) &&
      parsed.length === 2 &&
      typeof parsed[0] === (kind === 'string' ? 'string' : 'number') &&
      parsed.every(isPlace) &&
      typeof parsed[1] === 'string'
    )
      return [parsed[0] as number | string, parsed[1]]
  } catch {
    // Falls through: whatever it was, it is not a cursor of ours.
  }
  throw invalidInput('cursor', 'Not a cursor of this list.')
}

/** Numbers outside their range are refused, never clamped. */
export function checkLimit(limit: number | undefined, fallback: number, max: number, path = 'limit'): number {
  if (limit === undefined) return fallback
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > max)
    throw invalidInput(path, `Expected a whole number from 1 to ${max}.`)
  return limit
}

export const sessionSorts: {
  readonly [S in SessionSort]: {
    readonly field: 'updatedAt' | 'lastAccessedAt' | 'createdAt' | 'title'
    readonly descending: boolean
  }
} = {
  '-updatedAt': { field: 'updatedAt', descending: true },
  updatedAt: { field: 'updatedAt', descending: false },
  '-lastAccessedAt': { field: 'lastAccessedAt', descending: true },
  '-createdAt': { field: 'createdAt', descending: true },
  createdAt: { field: 'createdAt', descending: false },
  title: { field: 'title', descending: false },
}

/** The value that a session sorts by; an absent title sorts as ''. */
export function sortValue(row: SessionRow, sort: SessionSort): number | string {
  return row[sessionSorts[sort].field] ?? ''
}

export const lowerCase = (text: string): string => text.toLowerCase()

/** What `query` is looked for in. */
export function sessionHaystack(row: SessionRow): string {
  return lowerCase([row.id, row.alias ?? '', row.title ?? '', row.preview ?? '', row.cwd ?? ''].join('\n'))
}

export function pageOfSessions(rows: Iterable<SessionRow>, filter: SessionFilter): Page<SessionRow> {
  const limit = checkLimit(filter.limit, 50, 200)
  const sort = filter.sort ?? '-updatedAt'
  if (!Object.hasOwn(sessionSorts, sort)) throw invalidInput('sort', `Expected one of ${Object.keys(sessionSorts).join(', ')}.`)
  const { descending } = sessionSorts[sort]
  const cursor = filter.cursor === undefined ? undefined : decodeCursor(filter.cursor, sort === 'title' ? 'string' : 'whole')
  const sign = descending ? -1 : 1
  const compare = (a: Cursor, b: Cursor): number => sign * (byValue(a[0], b[0]) || byValue(a[1], b[1]))
  const place = (row: SessionRow): Cursor => [sortValue(row, sort), row.id]
  const found = [...rows].filter(row => fits(row, filter) && (cursor === undefined || compare(place(row), cursor) > 0))
  found.sort((a, b) => compare(place(a), place(b)))
  return cutPage(found, limit, place)
}

function fits(row: SessionRow, filter: SessionFilter): boolean {
  return (
    !row.hidden &&
    (filter.states ?? ['active', 'ended']).includes(row.state) &&
    (filter.ids === undefined || filter.ids.includes(row.id)) &&
    (['user', 'agent', 'platform', 'cwd', 'parent'] as const).every(
      field => filter[field] === undefined || filter[field] === row[field],
    ) &&
    (filter.tag === undefined || row.tags.includes(filter.tag)) &&
    (filter.since === undefined || row.updatedAt >= filter.since) &&
    (filter.until === undefined || row.updatedAt <= filter.until) &&
    (filter.query === undefined || sessionHaystack(row).includes(lowerCase(filter.query)))
  )
}

export function pageOfRecords(rows: Iterable<RecordRow>, query: RecordsQuery, now: number): Page<RecordRow> {
  const limit = checkLimit(query.limit, 100, 1_000)
  const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 'number')
  const sign = query.order === 'desc' ? -1 : 1
  const compare = (a: Cursor, b: Cursor): number => sign * (byValue(a[0], b[0]) || byValue(a[1], b[1]))
  const place = (row: RecordRow): Cursor => [row.sort, row.key]
  const found = [...rows].filter(
    row =>
      (row.expiresAt === null || row.expiresAt > now) &&
      (query.tag === undefined || row.tags.includes(query.tag)) &&
      (query.keyPrefix === undefined || row.key.startsWith(query.keyPrefix)) &&
      (query.sortFrom === undefined || row.sort >= query.sortFrom) &&
      (query.sortTo === undefined || row.sort <= query.sortTo) &&
      (cursor === undefined || compare(place(row), cursor) > 0),
  )
  found.sort((a, b) => compare(place(a), place(b)))
  return cutPage(found, limit, place)
}

/** The first `limit` of rows in order, and where to go on if there are more. */
export function cutPage<T>(rows: readonly T[], limit: number, place: (row: T) => Cursor): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return rows.length > limit && last !== undefined ? { items, next: encodeCursor(place(last)) } : { items }
}

/** Code unit order, which is also the byte order of what titles may hold closely enough for paging to be stable. */
const byValue = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A window of text round the first match, for showing; see `snippetOf`. */
export const snippetLength = 160

export function snippetOf(text: string, words: readonly string[]): { snippet: string; ranges: (readonly [number, number])[] } {
  const lower = text.toLowerCase()
  const same = lower.length === text.length
  const firsts = same ? words.map(word => lower.indexOf(word)).filter(at => at >= 0) : []
  const start = Math.max(0, (firsts.length > 0 ? Math.min(...firsts) : 0) - 40)
  const from = start > 0 && /[\uDC00-\uDFFF]/.test(text[start] ?? '') ? start - 1 : start
  const snippet = cutCodePoints(text.slice(from, from + snippetLength * 2), snippetLength)
  const ranges: (readonly [number, number])[] = []
  if (same) {
    const shown = snippet.toLowerCase()
    for (const word of new Set(words)) {
      for (let at = shown.indexOf(word); at >= 0; at = shown.indexOf(word, at + word.length)) ranges.push([at, at + word.length])
    }
  }
  return { snippet, ranges: ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]) }
}
