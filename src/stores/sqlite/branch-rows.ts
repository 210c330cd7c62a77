import type { Connection } from './connection.ts'
import type { Row } from './values.ts'

const pageSize = 64

/**
 * The rows of a branch from an entry on, newest first. A parent mostly stands right before its child, so rows are read by
 * place, a page at a time, and one that stands elsewhere is looked up; a page begins at a parent, so that what lies between is
 * not read however much it is. `wanted` says how many rows are likely to be needed.
 */
export function* branchRows(connection: Connection, session: number, uid: string, wanted: number): Generator<Row, void> {
  let size = Math.max(2, wanted)
  let page: readonly Row[] = []
  let at = 0
  let row = connection.get('entry', session, uid)
  while (row !== undefined) {
    yield row
    const parent = row[2]
    if (parent == null) return
    if (at >= page.length) {
      const place = connection.get('seqOf', session, parent)?.[0]
      if (typeof place !== 'number') return
      page = connection.all('entriesDesc', session, 0, place + 1, Math.min(pageSize, size))
      at = 0
      size *= 2
    }
    while (at < page.length && page[at]?.[1] !== parent) at++
    row = page[at++] ?? connection.get('entry', session, parent as string)
  }
}
