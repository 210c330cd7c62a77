import { invalidInput, isObject, isSkeinError, type Json } from '#kernel'
import { headWithin, isoTime } from '#context'
import type { ToolDescription } from '#journal'
import {
  check,
  describe,
  type Described,
  expand,
  type ExpandOptions,
  recall,
  type RecallHit,
  type RecallNeighbour,
  type RecallOptions,
  type SessionCore,
} from '#session'
import { describeTool, type Tool } from './tool.ts'

/** What an answer takes at most, in tokens. Source: spec/context.md 7. */
const most = { search: 4_000, describe: 1_000, expand: 4_000 } as const
/** Kept free of a page for what stands round its content. */
const frameTokens = 120
/** An answer with less room than this says nothing. */
const leastTokens = 300

const ref = { type: 'string', description: 'as named, e.g. sum_…, ent_…, ent_…#0' }
const schema = (properties: Record<string, Json>, required: string): Tool['input'] => ({
  type: 'object',
  properties,
  required: [required],
})

type Answer = (core: SessionCore, input: Record<string, unknown>, room: number) => Promise<string>

interface RecallTool extends Pick<Tool, 'name' | 'description'> {
  readonly input: Tool['input']
  readonly most: number
  readonly answer: Answer
}

const tools: readonly RecallTool[] = [
  {
    name: 'session_search',
    description: 'Finds earlier messages and results of this session, also those no longer shown.',
    input: schema(
      {
        query: { type: 'string', description: 'words; an exact text with mode literal' },
        mode: { type: 'string', enum: ['words', 'literal'] },
        role: { type: 'string', enum: ['user', 'assistant', 'tool', 'system'] },
        after: { type: 'string', description: 'ISO time' },
        before: { type: 'string', description: 'ISO time' },
        limit: { type: 'integer', maximum: 20 },
        cursor: { type: 'string' },
      },
      'query',
    ),
    most: most.search,
    answer: search,
  },
  {
    name: 'session_describe',
    description: 'Says what a ref of this session names.',
    input: schema({ ref }, 'ref'),
    most: most.describe,
    answer: describeRef,
  },
  {
    name: 'session_expand',
    description: 'Reads the original behind a ref of this session, in pages.',
    input: schema(
      {
        ref,
        offset: { type: 'integer' },
        limit: { type: 'integer' },
        unit: { type: 'string', enum: ['lines', 'chars', 'bytes'] },
      },
      'ref',
    ),
    most: most.expand,
    answer: expandRef,
  },
]

/** What a model is told of them; the same list each time. */
export const recallDescriptions: readonly ToolDescription[] = tools.map(tool => describeTool({ ...tool, run: () => undefined }))

/**
 * The tools that read what a session's context no longer shows, for one turn of it: each answer is bounded, and all of them
 * together take at most `recallTokensPerTurn`; then they answer `context.recall_exhausted`. They never throw. Law C79.
 */
export function recallTools(core: SessionCore): Tool[] {
  let left = core.keeping.context.recallTokensPerTurn ?? recallTokensDefault
  let last: Promise<unknown> = Promise.resolve()
  const answer = async ({ answer: give, most: limit }: RecallTool, input: unknown): Promise<unknown> => {
    if (left < leastTokens)
      return failed('context.recall_exhausted', 'This turn has read as much of the past as it may. Go on with what you have.')
    try {
      const said = await give(core, membersOf(input), Math.min(limit, left))
      left -= core.keeping.counter.count(said)
      return said
    } catch (error) {
      if (isSkeinError(error)) return failed(error.code, error.message)
      throw error
    }
  }
  const next = (tool: RecallTool, input: unknown): Promise<unknown> => {
    const mine = last.then(() => answer(tool, input))
    last = mine.catch(() => undefined)
    return mine
  }
  return tools.map(tool => ({
    name: tool.name,
    description: tool.description,
    input: tool.input,
    readOnly: true,
    // One after the other, so that calls that are made side by side share what is left.
    run: async input => await next(tool, input),
  }))
}

export const recallTokensDefault = 16_000

const failed = (code: string, message: string) => ({ content: `${code}: ${message}`, isError: true })

function membersOf(input: unknown): Record<string, unknown> {
  if (!isObject(input)) throw invalidInput('', 'Expected an object of arguments.')
  return input
}

async function search(core: SessionCore, input: Record<string, unknown>, room: number): Promise<string> {
  const { query, after, before, ...rest } = input
  const asked = { ...rest, ...timeOf('after', after), ...timeOf('before', before) } as RecallOptions
  if ('scope' in asked) throw invalidInput('scope', 'Unknown member.')
  check.recall(asked)
  const { hits, next } = await recall(core, query, asked, { forModel: true })
  if (hits.length === 0) return 'Nothing was found. Try other words, or mode literal for an exact text.'
  const end = (cursor: string | undefined): string => (cursor === undefined ? '' : `\nMore: cursor ${cursor}`)
  const count = (text: string): number => core.keeping.counter.count(text)
  for (const neighbours of [true, false]) {
    const text = `${hits.map(hit => hitText(hit, neighbours)).join('\n')}${end(next)}`
    if (count(text) <= room) return text
  }
  return await fewer(core, query, asked, room)
}

/** A page of as many hits as fit: half as many, until they do. */
async function fewer(core: SessionCore, query: unknown, asked: RecallOptions, room: number): Promise<string> {
  for (let limit = Math.ceil((asked.limit ?? 10) / 2); ; limit = Math.ceil(limit / 2)) {
    const { hits, next } = await recall(core, query, { ...asked, limit }, { forModel: true })
    const more = next === undefined ? '' : `\nMore: cursor ${next}`
    const text = `${hits.map(hit => hitText(hit, false)).join('\n')}`
    const { counter } = core.keeping
    const free = room - counter.count(more)
    if (counter.count(text) <= free) return `${text}${more}`
    if (limit === 1) return `${headWithin(text, Math.max(0, free), counter)}${more}`
  }
}

function timeOf(name: string, value: unknown): Record<string, number> {
  if (value === undefined) return {}
  const at = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (!Number.isSafeInteger(at)) throw invalidInput(name, 'Expected an ISO time.')
  return { [name]: Math.max(0, at) }
}

function hitText(hit: RecallHit, neighbours: boolean): string {
  const shown = hit.shown === 'summary' ? `in ${hit.via ?? 'a summary'}` : `shown ${hit.shown}`
  const turn = hit.turn === null ? '' : `, ${hit.turn}`
  const beside = (name: string, other: RecallNeighbour | null): string =>
    other === null || !neighbours ? '' : `\n  ${name} ${other.ref} ${other.role}: ${oneLine(other.excerpt)}`
  return `${hit.ref} ${hit.role} ${isoTime(hit.at)}${turn}, ${shown}\n${hit.excerpt}${beside('before', hit.before)}${beside('after', hit.after)}\n`
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()

async function describeRef(core: SessionCore, input: Record<string, unknown>, room: number): Promise<string> {
  const { ref: named, ...rest } = input
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw invalidInput(unknown, 'Unknown member; expected ref.')
  return headWithin(describedText(await describe(core, named)), room, core.keeping.counter)
}

/** What matters most first, as the end may be left out. */
function describedText(described: Described): string {
  switch (described.kind) {
    case 'summary': {
      const { ref: id, depth, first, last, fromAt, toAt, entries, tokens, children, anchors, anchorCount, openItems } = described
      return [
        `${id}: a summary of ${entries} entries, ${tokens} tokens, ${first} to ${last}`,
        `from ${isoTime(fromAt)} to ${isoTime(toAt)}, depth ${depth}`,
        ...(children.length === 0 ? [] : [`made of ${children.join(', ')}`]),
        ...openItems,
        ...(anchors.length === 0 ? [] : [`Identifiers (${anchors.length} of ${anchorCount}):`]),
        ...anchors.map(({ text, entry }) => `${text} (${entry})`),
      ].join('\n')
    }
    case 'entry': {
      const { ref: id, type, role, at, tokens, parts } = described
      const head = `${id}: ${type === 'message_added' ? `a message, ${role}` : `an entry, ${type}`}, ${isoTime(at)}${tokens === null ? '' : `, ${tokens} tokens`}`
      return [head, ...parts.map(part => partText(part))].join('\n')
    }
    case 'archive':
    case 'blob':
    case 'map':
      return `${described.ref}: ${described.bytes} bytes\n${described.outline}`
    default:
      return (described satisfies never, '')
  }
}

function partText(part: Extract<Described, { kind: 'entry' }>['parts'][number]): string {
  const facts = [part.tool, part.name, part.bytes === undefined ? undefined : `${part.bytes} bytes`].filter(Boolean)
  return [`${part.ref} ${part.type}${facts.length === 0 ? '' : ` (${facts.join(', ')})`}`, part.outline]
    .filter(Boolean)
    .join('\n')
}

async function expandRef(core: SessionCore, input: Record<string, unknown>, room: number): Promise<string> {
  const { ref: named, ...page } = input
  check.expand(page)
  const asked = page as ExpandOptions
  const maxTokens = room - frameTokens
  const { content, encoding, unit, offset, total, next } = await expand(core, named, asked, { maxTokens, forModel: true })
  const head = `[${String(named)}, ${unit} from ${offset} of ${total}${encoding === 'text' ? '' : `, ${encoding}`}]`
  const more = next === undefined ? '[end]' : `[more: offset ${next.offset}, unit ${next.unit}]`
  return `${head}\n${content}${content.endsWith('\n') || content === '' ? '' : '\n'}${more}`
}
