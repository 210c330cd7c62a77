import type { TokenCounter } from './count-tokens.ts'
import { countLines, cutTokens, linesOf, shortLine } from './outline-lines.ts'

const shownLines = 5
const lineTokens = 24
const error = /\b(error|exception|fatal|panic|failed|failure|traceback)\b|Error\b/i

/** How many lines, the first and last five, and up to five between them that tell of errors, with their numbers. */
export function outlineText(text: string, counter: TokenCounter): string[] {
  const count = countLines(text)
  const shown = (line: string, number: number): string => cutTokens(`${number}: ${shortLine(line)}`, lineTokens, counter)
  const first: string[] = []
  const errors: string[] = []
  const last: string[] = []
  let number = 0
  for (const line of linesOf(text)) {
    number++
    if (number <= shownLines) first.push(shown(line, number))
    else if (number > count - shownLines) last.push(shown(line, number))
    else if (errors.length < shownLines && error.test(line.slice(0, 400))) errors.push(shown(line, number))
  }
  const gap = (before: number): string[] => (count > before ? ['…'] : [])
  return [
    `text, ${count} ${count === 1 ? 'line' : 'lines'}, ${text.length} characters`,
    ...first,
    ...(errors.length === 0 ? [] : ['errors:', ...errors]),
    ...gap(2 * shownLines),
    ...last,
  ]
}
