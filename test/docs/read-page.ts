import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The text of a page of `docs/`. */
export function readPage(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8')
}

/** The text of a page's section: from its heading to the next one of the same or a higher level. */
export function sectionOf(page: string, heading: string): string {
  const lines = readPage(page).split('\n')
  const begin = lines.findIndex(line => line.replace(/^#+ /, '') === heading && line.startsWith('#'))
  if (begin === -1) throw new Error(`${page} has no section ${heading}.`)
  const level = lines[begin]?.match(/^#+/)?.[0].length ?? 1
  const length = lines.slice(begin + 1).findIndex(line => (line.match(/^#+ /)?.[0].length ?? 99) - 1 <= level)
  return lines.slice(begin, length === -1 ? undefined : begin + 1 + length).join('\n')
}

/** The cells of a table's rows, without its head. A `\|` stays inside its cell. */
export function tableRows(text: string): string[][] {
  const lines = text.split('\n').filter(line => line.startsWith('|'))
  return lines
    .filter((line, index) => !line.startsWith('|---') && !(lines[index + 1] ?? '').startsWith('|---'))
    .map(line =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split(/(?<!\\)\|/)
        .map(cell => cell.trim()),
    )
}

export const rowsUnder = (page: string, heading: string): string[][] => tableRows(sectionOf(page, heading))
