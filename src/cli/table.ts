import { stripVTControlCharacters } from 'node:util'

/** Lines of columns, each as wide as its widest cell, two spaces apart; the last one isn't filled up. Pure. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell))
  return rows.map(row => row.map((cell, index) => (index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - widthOf(cell)))).join('  ').trimEnd()) // prettier-ignore
}

/** Columns that a text takes; wide characters count two. */
function widthOf(text: string): number {
  let width = 0
  for (const character of stripVTControlCharacters(text)) width += /[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60\u{1f300}-\u{1faff}]/u.test(character) ? 2 : 1 // prettier-ignore
  return width
}

/** One line of at most `max` code points, with an ellipsis where something was cut. */
export function oneLine(text: string, max: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  const characters = [...line]
  return characters.length <= max ? line : `${characters.slice(0, max - 1).join('')}…`
}

/** `2026-11-21 12:45Z`, in UTC: the same everywhere. */
export function timeText(at: number | null): string {
  return at === null ? '–' : new Date(at).toISOString().slice(0, 16).replace('T', ' ') + 'Z'
}

/** Nano-dollars as dollars; what isn't known is said. */
export function moneyText(nano: number | null, complete = true): string {
  if (nano === null) return 'unknown'
  const dollars = nano / 1e9
  return `$${dollars === 0 ? '0' : dollars < 0.01 ? dollars.toPrecision(2) : dollars.toFixed(2)}${complete ? '' : ' and more'}`
}

export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
