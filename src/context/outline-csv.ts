import { shortLine } from './outline-lines.ts'

const separators = [',', '\t', ';', '|'] as const
const mostColumns = 100
const headLength = 65_536

/** Columns by the first row, and how many rows follow. Line ends inside quotes are none. Throws if there is no row. */
export function outlineCsv(text: string): string[] {
  const head = firstRow(text.slice(0, headLength))
  if (head.trim() === '') throw new RangeError('An empty table.')
  const separator = separators.reduce((best, next) => (timesIn(head, next) > timesIn(head, best) ? next : best))
  const columns = cells(head, separator)
  const shown = columns.slice(0, mostColumns).map(column => `- ${shortLine(column, 60)}`)
  return [
    `CSV, ${columns.length} ${columns.length === 1 ? 'column' : 'columns'}, ${rowsIn(text) - 1} rows after the first; columns:`,
    ...shown,
    ...(columns.length > mostColumns ? [`… ${columns.length - mostColumns} more columns`] : []),
  ]
}

function timesIn(row: string, separator: string): number {
  return cells(row, separator).length
}

function firstRow(text: string): string {
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted
    else if (!quoted && (text[at] === '\n' || text[at] === '\r')) return text.slice(0, at)
  }
  return text
}

function cells(row: string, separator: string): string[] {
  const out: string[] = []
  let quoted = false
  let from = 0
  for (let at = 0; at <= row.length; at++) {
    if (row[at] === '"') quoted = !quoted
    else if (at === row.length || (!quoted && row[at] === separator)) {
      out.push(unquote(row.slice(from, at).trim()))
      from = at + 1
    }
  }
  return out
}

const unquote = (cell: string): string =>
  cell.length > 1 && cell.startsWith('"') && cell.endsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell

/** Rows that are not empty. */
function rowsIn(text: string): number {
  let rows = 0
  let quoted = false
  let filled = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34) quoted = !quoted
    if (!quoted && (code === 10 || code === 13)) {
      if (filled) rows++
      filled = false
    } else filled = true
  }
  return rows + (filled ? 1 : 0)
}
