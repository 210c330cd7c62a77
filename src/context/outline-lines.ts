import { cutCodePoints } from '#kernel'
import type { TokenCounter } from './count-tokens.ts'

/** Lines of a text without their ends, one at a time: a text of line ends alone is no list in memory. */
export function* linesOf(text: string): Generator<string, void, undefined> {
  for (let from = 0; from < text.length;) {
    const found = text.indexOf('\n', from)
    const end = found < 0 ? text.length : found
    yield text.slice(from, text.charCodeAt(end - 1) === 13 && end > from ? end - 1 : end)
    from = end + 1
  }
}

export function countLines(text: string): number {
  let lines = 0
  for (let from = 0; from < text.length; lines++) {
    const found = text.indexOf('\n', from)
    from = found < 0 ? text.length : found + 1
  }
  return lines
}

const lineLength = 160

/** A line as an outline shows it: without controls, at most 160 code points. */
export function shortLine(line: string, max: number = lineLength): string {
  const plain = line
    .slice(0, max * 2 + 2)
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, ' ')
    .trimEnd()
    .toWellFormed()
  const cut = cutCodePoints(plain, max)
  return cut.length < plain.length || line.length > max * 2 + 2 ? `${cut}…` : cut
}

/** Cuts a line so that it takes at most `max` tokens. */
export function cutTokens(line: string, max: number, counter: TokenCounter): string {
  let cut = line
  while (cut !== '' && counter.count(cut) > max) cut = cut.length < 2 ? '' : `${shorter(cut)}…`
  return cut
}

/** Three quarters of a text. */
function shorter(text: string): string {
  const end = Math.floor(text.length * 0.75) - 1
  const splits = text.charCodeAt(end - 1) >= 0xd800 && text.charCodeAt(end - 1) <= 0xdbff
  return text.slice(0, Math.max(0, splits ? end - 1 : end))
}

/** As many lines from the first on as fit, and where some don't, how many are left out. At most `max` tokens. */
export function fitLines(lines: readonly string[], max: number, counter: TokenCounter): string {
  const all = lines.join('\n')
  if (counter.count(all) <= max) return all
  let least = 0
  let most = lines.length - 1
  while (least < most) {
    const middle = Math.ceil((least + most) / 2)
    if (counter.count(leading(lines, middle)) <= max) least = middle
    else most = middle - 1
  }
  return least === 0 ? cutTokens(lines[0] ?? '', max, counter) : leading(lines, least)
}

const leading = (lines: readonly string[], count: number): string =>
  [...lines.slice(0, count), `… ${lines.length - count} more`].join('\n')
