import { openItemsOf } from './open-items.ts'
import { type TokenCounter, weightsCounter } from './count-tokens.ts'
import { headWithin } from './middle-cut.ts'
import { itemsTitle, quotesTitle } from './render-summary.ts'
import type { Source, Summarizer, SummaryRequest } from './summarizer.ts'
import { touchedFiles, writing } from './touched-files.ts'

export const deterministicId = 'deterministic/1'

/**
 * Summarizes without a model: what was wanted, what was last asked, files and what was done to them, errors, open items, and
 * how the assistant's messages begin, newest first, until the target is reached. The same bytes for the same input, never over
 * the target, never fails, needs no network. Law C75.
 */
export function deterministicSummarizer(counter: TokenCounter = weightsCounter): Summarizer {
  return {
    id: deterministicId,
    maxInputTokens: Number.MAX_SAFE_INTEGER,
    summarize: async request => ({ text: deterministicText(request, counter), cost: 0 }),
  }
}

type Material = Pick<SummaryRequest, 'sources' | 'targetTokens' | 'openItems'>

export function deterministicText(request: Material, counter: TokenCounter): string {
  const { targetTokens } = request
  const lines: string[] = []
  const said = new Set<string>()
  let room = targetTokens
  for (const { title, share, lines: wanted } of sectionsOf(request)) {
    // Each section has its share, so that a long one leaves room for those after it.
    let own = Math.min(room, Math.floor(targetTokens * share))
    const before = own
    let begun = title === ''
    for (const whole of wanted) {
      // One sentence alone may be told in part.
      const line = title === '' && wanted.length === 1 ? headWithin(whole, own - 1, counter) : whole
      const text = begun ? line : `${title}\n${line}`
      const size = counter.count(`${text}\n`)
      if (line === '' || said.has(line) || size > own) continue
      lines.push(text)
      said.add(line)
      own -= size
      begun = true
    }
    room -= before - own
  }
  // Nothing fitted whole: then the beginning of what matters most.
  if (lines.length === 0) lines.push(sectionsOf(request)[0]?.lines[0] ?? '')
  return headWithin(lines.join('\n'), targetTokens, counter).trim()
}

interface Section {
  readonly title: string
  readonly share: number
  readonly lines: readonly string[]
}

function sectionsOf({ sources, openItems }: Material): Section[] {
  const users = sources.filter(source => source.role === 'user')
  const [first, last] = [users[0], users.length > 1 ? users.at(-1) : undefined]
  // Of summaries the oldest begins with the aim.
  const oldest = sources.slice(0, 1).flatMap(spokenLines).slice(0, 1)
  const sections: Section[] = [
    { title: '', share: 0.3, lines: first === undefined ? oldest : [`Aim: ${firstSentence(first.text)}`] },
    { title: '', share: 0.3, lines: last === undefined ? [] : [`Last ask: ${firstSentence(last.text)}`] },
    { title: 'Files:', share: 0.25, lines: fileLines(sources) },
    { title: 'Errors:', share: 0.25, lines: sources.flatMap(errorLines).slice(-mostErrors).toReversed() },
    { title: 'Open items:', share: 0.4, lines: openItems.length > 0 ? openItems : openItemsOf(sources.map(one => one.text)) },
    { title: users.length === 0 ? '' : 'Said:', share: 1, lines: sources.toReversed().flatMap(spokenLines) },
  ]
  return sections.filter(section => section.lines.length > 0)
}

/** Changed ones first, newest first. */
function fileLines(sources: readonly Source[]): string[] {
  const files = touchedFiles(sources).toReversed()
  const isWritten = (operations: readonly string[]): boolean => operations.some(one => writing.has(one))
  return [...files.filter(file => isWritten(file.operations)), ...files.filter(file => !isWritten(file.operations))].map(
    file => `- ${file.path} (${file.operations.join(', ')})`,
  )
}

const mostErrors = 12
const errorWords =
  /(?<![A-Za-z])(?:error|exception|failed|failure|fatal|panic|traceback|denied|refused|timed out|not found)(?![a-z])|(?:Error|Exception)(?![a-z])|错误|錯誤|失败|失敗|异常|エラー|오류/i

/** Lines of results and of what users paste that tell of an error; an assistant's are its own words. */
function errorLines(source: Source): string[] {
  if (source.role === 'assistant' || source.role === 'system' || source.role === 'summary') return []
  const failed = source.message?.parts.some(part => part.type === 'tool_result' && part.status === 'error')
  if (failed !== true && !errorWords.test(source.text)) return []
  const lines = source.text.split('\n').map(line => line.slice(0, longestLine).trim())
  const telling = lines.filter(line => line !== '' && errorWords.test(line) && !/^\[result of /.test(line))
  const [head] = telling.length > 0 || failed !== true ? [] : lines.filter(line => line !== '' && !/^\[result of /.test(line))
  return [...(head === undefined ? telling.slice(-3) : [head])].map(line => `- ${line.toWellFormed()}`)
}
const longestLine = 240

/** How a message begins; of a summary every line but its titles, because each stands for more. */
function spokenLines(source: Source): string[] {
  if (source.role === 'assistant') {
    const sentence = firstSentence(source.message === undefined ? source.text : textOf(source.message.parts))
    return sentence === '' ? [] : [`- ${sentence}`]
  }
  if (source.role !== 'summary') return []
  const [text = ''] = source.text.split(`\n${quotesTitle}\n`, 1)
  return text
    .split('\n')
    .map(line => line.slice(0, longestLine).trim().toWellFormed())
    .filter(line => line !== '' && line !== itemsTitle && !/^[\p{L} ]{1,40}:$/u.test(line))
}

function textOf(parts: readonly { readonly type: string; readonly text?: string }[]): string {
  return parts.flatMap(part => (part.type === 'text' ? (part.text ?? '') : [])).join('\n')
}

/** To the first full stop that ends one, or the first line's end; at most 240 characters. */
export function firstSentence(text: string): string {
  const start = text.slice(0, 4_000).trimStart().slice(0, longestLine)
  const end = /[.!?](?=\s|$)|[。！？]|\n/.exec(start)
  return (end === null ? start : start.slice(0, end.index + 1)).trim().toWellFormed()
}
