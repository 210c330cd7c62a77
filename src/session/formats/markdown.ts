import { type Json, terminalSafe } from '#kernel'
import type { Message, Part, SessionRow } from '#journal'
import { outputText } from './message-shape.ts'

/** A message with when it was said. */
export type ToldMessage = Message & { readonly at: number }

/**
 * A branch as Markdown to be read by people: title and times, each message under its role, reasoning folded, tool calls
 * and results in fences that nothing inside can close, files by name. What a message says cannot break out of its
 * place: open fences are closed, its headings stand below ours, lines that begin raw HTML are escaped, and characters
 * that a terminal would obey are left out. Not made to be read back.
 */
export async function* writeMarkdown(
  session: Pick<SessionRow, 'id' | 'title' | 'createdAt' | 'model' | 'cwd'>,
  messages: AsyncIterable<ToldMessage> | Iterable<ToldMessage>,
): AsyncGenerator<string> {
  const facts = [
    `Session ${code(session.id)}`,
    `begun ${timeText(session.createdAt)}`,
    ...(session.model === null ? [] : [`model ${code(session.model)}`]),
    ...(session.cwd === null ? [] : [`in ${code(session.cwd)}`]),
  ]
  yield `# ${line(session.title ?? 'Untitled session')}\n\n${facts.join(', ')}\n`
  for await (const message of messages) {
    const blocks = message.parts.map(blockOf).filter(block => block !== '')
    const ended =
      message.finishReason === 'error' || message.finishReason === 'aborted' || message.finishReason === 'length'
        ? [`*Ended: ${message.finishReason}.*`]
        : []
    const from = message.from === undefined ? '' : ` (${line(message.from)})`
    yield `\n${[`## ${roleNames[message.role]}${from} · ${timeText(message.at)}`, ...blocks, ...ended].join('\n\n')}\n`
  }
}

const roleNames = { user: 'User', assistant: 'Assistant', tool: 'Tools', system: 'System' } as const satisfies Record<
  Message['role'],
  string
>

const timeText = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

function blockOf(part: Part): string {
  switch (part.type) {
    case 'text':
      return prose(part.text)
    case 'reasoning':
      if (part.text.trim() === '') return part.redacted === undefined ? '' : '*Reasoning that the provider keeps to itself.*'
      return `<details>\n<summary>Reasoning</summary>\n\n${fenced(part.text)}\n\n</details>`
    case 'tool_call':
      return `**Calls ${code(part.tool)}** ${code(part.callId)}\n\n${fencedJson(part.input)}`
    case 'tool_result': {
      const status = part.status === 'ok' ? '' : `, ${part.status}`
      return `**Result of ${code(part.tool)}** ${code(part.callId)}${status}\n\n${typeof part.output === 'string' ? fenced(part.output) : fencedJson(part.output)}`
    }
    case 'file':
      return `*File ${[...(part.name === undefined ? [] : [code(part.name)]), code(part.mediaType), ...(part.bytes > 0 ? [`${part.bytes} bytes`] : [])].join(', ')}${whereOf(part)}.*`
    case 'source':
      return `*Source: ${part.title === undefined ? '' : `${line(part.title)}, `}${code(part.url)}.*`
    case 'custom':
      return ''
    case 'lost':
      return `*Content lost: ${code(part.blob)}.*`
    default:
      return (part satisfies never, '')
  }
}

function whereOf(file: Extract<Part, { type: 'file' }>): string {
  if (file.blob !== undefined) return `, ${code(file.blob)}`
  return file.url === undefined || file.url.startsWith('data:') ? '' : `, ${code(file.url)}`
}

const fencedJson = (value: Json): string =>
  fenced(typeof value === 'string' ? outputText(value) : JSON.stringify(value, null, 2), 'json')

/** Text in a fence longer than any run of backticks in it. */
export function fenced(text: string, language: string = ''): string {
  const safe = terminalSafe(text)
  const fence = '`'.repeat(Math.max(3, 1 + longestRun(safe)))
  return `${fence}${language}\n${safe}${safe.endsWith('\n') || safe === '' ? '' : '\n'}${fence}`
}

const longestRun = (text: string): number => (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0)

/** One line as inline code. */
function code(text: string): string {
  const safe = terminalSafe(text).replace(/\s+/g, ' ').trim()
  const ticks = '`'.repeat(1 + longestRun(safe))
  return safe.startsWith('`') || safe.endsWith('`') ? `${ticks} ${safe} ${ticks}` : `${ticks}${safe}${ticks}`
}

/** One line of plain words: nothing in it is Markdown. */
const line = (text: string): string =>
  terminalSafe(text)
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\\`*_[\]<>#|~]/g, match => `\\${match}`)

/** What somebody said, as the Markdown that it mostly is, kept within its place. */
function prose(text: string): string {
  const out: string[] = []
  let open: string | undefined
  let before = ''
  for (const raw of terminalSafe(text).trim().split('\n')) {
    const row = raw.trimEnd()
    const fence = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(row)
    if (open !== undefined) {
      if (fence?.[1]?.startsWith(open) === true && fence[2]?.trim() === '') open = undefined
      out.push(row)
    } else {
      if (fence?.[1] !== undefined && !(fence[1].startsWith('`') && fence[2]?.includes('`') === true)) open = fence[1]
      out.push(open === undefined ? kept(row, before) : row)
    }
    before = row
  }
  if (open !== undefined) out.push(open)
  return out.join('\n')
}

function kept(row: string, before: string): string {
  if (/^ {0,3}#{1,6}(\s|$)/.test(row)) return row.replace(/#+/, marks => '#'.repeat(Math.min(6, marks.length + 2)))
  if (/^ {0,3}<[a-zA-Z!/?]/.test(row)) return row.replace('<', '\\<')
  return before.trim() !== '' && /^ {0,3}(=+|-+)\s*$/.test(row) ? row.replace(/[=-]/, match => `\\${match}`) : row
}
