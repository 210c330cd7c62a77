import { stat } from 'node:fs/promises'
import { cutCodePoints } from '#kernel'
import type { Tool } from './definition.ts'
import { type Desk, flag, schemaOf, text } from './file-tool.ts'
import { isBinary } from './file-text.ts'
import { globSource } from './gitignore.ts'
import { RegexSearch } from './regex-search.ts'
import { walk } from './walk.ts'

const maxMatches = 200
const maxFileBytes = 20 * 2 ** 20
/** Of a line that is shown, in code points. */
const maxLine = 400
/** What is searched at once. */
const batchBytes = 2 ** 20

interface Asked {
  readonly pattern: string
  readonly path?: string
  readonly glob?: string
  readonly regex?: boolean
  readonly ignoreCase?: boolean
}

interface Text {
  readonly path: string
  readonly text: string
}

type Match = (texts: readonly Text[], max: number) => Promise<readonly (readonly number[])[]>

/** Lines of files, 200 at most, without what `.gitignore` names and what is binary. */
export function grepTool(desk: Desk): Tool<Asked> {
  const { place } = desk
  return {
    name: 'grep',
    description: 'Finds lines that hold a text, or match a regular expression (JavaScript), in the files of a folder.',
    input: schemaOf(
      {
        pattern: text('the text itself, or with regex a regular expression'),
        path: text('a file or folder, default: the working folder'),
        glob: text('only files whose path fits, such as *.ts or src/**/*.md'),
        regex: flag('pattern is a regular expression; it may take 5 s'),
        ignoreCase: flag('upper and lower case are the same'),
      },
      ['pattern'],
    ),
    readOnly: true,
    kind: 'search',
    resources: ({ path = '.' }) => [{ path: place.absolute(path) }],
    run: async (asked, { signal }) => {
      if (asked.pattern === '') throw new Error('pattern is empty.')
      const files = filesOf(desk, asked, signal)
      if (asked.regex !== true) return await search(files, literal(asked))
      const flags = asked.ignoreCase === true ? 'i' : ''
      checkPattern(asked.pattern)
      await using thread = new RegexSearch(asked.pattern, flags, desk.timers, desk.now)
      const texts = (batch: readonly Text[]): string[] => batch.map(({ text }) => text)
      return await search(files, (batch, max) => thread.search(texts(batch), max, signal))
    },
  }
}

function checkPattern(pattern: string): void {
  try {
    new RegExp(pattern)
  } catch (error) {
    throw new Error(error instanceof Error ? error.message : 'Invalid regular expression.', { cause: error })
  }
}

function literal({ pattern, ignoreCase }: Asked): Match {
  const fold = (given: string): string => (ignoreCase === true ? given.toLowerCase() : given)
  const wanted = fold(pattern)
  return async (texts, max) => {
    let left = max
    return texts.map(({ text }) => {
      const folded = fold(text)
      if (!folded.includes(wanted)) return []
      const numbers = folded.split('\n').flatMap((line, at) => (line.includes(wanted) ? [at + 1] : []))
      left -= Math.min(left, numbers.length)
      return numbers.slice(0, max)
    })
  }
}

async function search(files: AsyncIterable<Text>, match: Match): Promise<string> {
  const lines: string[] = []
  let batch: Text[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    const found = await match(batch, maxMatches + 1 - lines.length)
    for (const [at, { path, text }] of batch.entries()) {
      const numbers = found[at] ?? []
      if (numbers.length === 0) continue
      const all = text.split('\n')
      for (const number of numbers) lines.push(`${path}:${number}: ${shown(all[number - 1] ?? '')}`)
    }
    batch = []
    bytes = 0
  }
  for await (const file of files) {
    batch.push(file)
    bytes += file.text.length
    if (bytes >= batchBytes) await flush()
    if (lines.length > maxMatches) break
  }
  if (batch.length > 0) await flush()
  if (lines.length === 0) return '[Nothing was found.]'
  if (lines.length <= maxMatches) return lines.join('\n')
  return [...lines.slice(0, maxMatches), `[The first ${maxMatches} matches. Look for something narrower.]`].join('\n')
}

const shown = (line: string): string => {
  const text = line.replace(/\r$/, '')
  const cut = cutCodePoints(text, maxLine)
  return cut === text ? text : `${cut}…`
}

async function* filesOf({ place }: Desk, { path = '.', glob }: Asked, signal: AbortSignal): AsyncGenerator<Text> {
  const start = await place.real(path)
  const found = await stat(start).catch(() => undefined)
  if (found === undefined) throw new Error(`File not found: ${path}`)
  if (!found.isDirectory()) {
    yield* textOf(await place.bytes(path, maxFileBytes), place.shown(start))
    return
  }
  const wanted = glob === undefined ? undefined : new RegExp(`^${glob.includes('/') ? '' : '(?:.*/)?'}${globSource(glob)}$`, 'u')
  for await (const file of walk(place, start, true, signal)) {
    if (file.kind !== 'file' || wanted?.test(file.path) === false) continue
    // One that is too large, unreadable or gone is passed over, not the others with it.
    const read = await place.bytes(file.path, maxFileBytes).catch(() => undefined)
    if (read !== undefined) yield* textOf(read, file.path)
  }
}

function* textOf({ bytes }: { readonly bytes: Buffer }, path: string): Generator<Text> {
  if (!isBinary(bytes)) yield { path, text: bytes.toString('utf8') }
}
