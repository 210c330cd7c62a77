import { countLines, linesOf, shortLine } from './outline-lines.ts'

const mostHeadings = 100
const heading = /^ {0,3}(#{1,6})[ \t]+(\S.*)$/
const fence = /^ {0,3}(```|~~~)/

/** The headings, deeper ones moved in. Throws if there is none. */
export function outlineMarkdown(text: string): string[] {
  const headings: string[] = []
  let count = 0
  let fenced: string | undefined
  for (const line of linesOf(text)) {
    const start = line.slice(0, 300)
    const mark = fence.exec(start)?.[1]
    if (mark !== undefined && (fenced === undefined || fenced === mark)) fenced = fenced === undefined ? mark : undefined
    if (fenced !== undefined) continue
    const [, level = '', title = ''] = heading.exec(start) ?? []
    if (level === '') continue
    count++
    if (headings.length < mostHeadings) headings.push(`${'  '.repeat(level.length - 1)}${level} ${shortLine(title, 100)}`)
  }
  if (count === 0) throw new RangeError('No headings.')
  return [
    `Markdown, ${countLines(text)} lines, ${count} ${count === 1 ? 'heading' : 'headings'}`,
    ...headings,
    ...(count > mostHeadings ? [`… ${count - mostHeadings} more headings`] : []),
  ]
}
