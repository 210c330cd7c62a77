import type { Connection } from './connection.ts'
import type { Row } from './values.ts'

const pageSize = 64

/**
 * The rows of a branch from an entry on, newest first. A parent mostly stands right before its child, so rows are read by
 * place, a page at a time, and one that stands elsewhere is looked up. `wanted` says how many rows are likely to be needed.
 */
export function* branchRows(connection: Connection, session: number, uid: string, wanted: number): Generator<Row, void> {
  let left = wanted
  let page: readonly Row[] = []
  let at = 0
  let row = connection.get('entry', session, uid)
  while (row !== undefined) {
    yield row
    left--
    const parent = row[2]
    if (parent == null) return
    if (at >= page.length) {
      page = connection.all('entriesDesc', session, 0, row[0] as number, Math.min(pageSize, Math.max(8, left)))
      at = 0
    }
    while (at < page.length && page[at]?.[1] !== parent) at++
    row = page[at++] ?? connection.get('entry', session, parent as string)
  }
}
