import { cutCodePoints, type EntryId, invalidInput, type SessionId, type TurnId, isObject } from '#kernel'
import { isFailed, recallTerms } from '#context'
import { checkLimit, type Entry, type Message, type Role, searchWords, type SummaryId } from '#journal'
import { contentAfter, contentBefore } from './branch-spans.ts'
import type { SessionCore } from './core.ts'
import { lineageOf, sourceOf } from './lineage.ts'
import { readContext } from './read-context.ts'
import { findLiteral } from './recall-literal.ts'
import { type RecallAsk, roleOf } from './recall-source.ts'
import { findWords } from './recall-words.ts'
import { readStandings, type Standing } from './standings.ts'

export interface RecallOptions {
  /** `words` (default): any of them, best first. `literal`: the exact text, anywhere, newest first. */
  readonly mode?: 'words' | 'literal'
  readonly role?: Role
  /** Only what was said at or after, and before. Epoch milliseconds. */
  readonly after?: number
  readonly before?: number
  /** 1–20, default 10. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly cursor?: string
  /** `lineage` adds the same user's sessions that this one was forked from or came after by a reset. Default: the branch. */
  readonly scope?: 'branch' | 'lineage'
}

export interface RecallHit {
  readonly ref: EntryId
  /** Of another session of the lineage. */
  readonly session?: SessionId
  readonly role: string
  readonly at: number
  readonly turn: TurnId | null
  /** How the context shows it now, and by which summary. */
  readonly shown: Standing['shown']
  readonly via: SummaryId | null
  /** At most 400 UTF-16 units round the match. */
  readonly excerpt: string
  readonly before: RecallNeighbour | null
  readonly after: RecallNeighbour | null
}

/** What stands right before or after a hit on the branch, by its beginning. */
export interface RecallNeighbour {
  readonly ref: EntryId
  readonly role: string
  readonly excerpt: string
}

export interface Recalled {
  readonly hits: readonly RecallHit[]
  readonly next?: string
}

const neighbourLength = 160
const longestQuery = 400

/**
 * Finds what was said, wherever it stands now: on the branch, whatever covers it. What recall tools gave is not searched; with
 * `forModel` neither is what failed. Acknowledged entries are found at once. Laws C76, C77.
 */
export async function recall(
  core: SessionCore,
  query: unknown,
  options: RecallOptions = {},
  { forModel = false }: { readonly forModel?: boolean } = {},
): Promise<Recalled> {
  const ask = readAsk(query, options, forModel)
  const row = await core.row()
  const own = await sourceOf(core, row)
  const sources = options.scope === 'lineage' ? [own, ...(await lineageOf(own))] : [own]
  const { matches, next } = options.mode === 'literal' ? await findLiteral(sources, ask) : await findWords(sources, ask)
  const context = await readContext(core, { compact: false })
  const standings = await readStandings(core, row, { ...context, frontier: context.state.frontier })
  const hits = await Promise.all(
    matches.map(async ({ source, entry, excerpt }): Promise<RecallHit> => {
      const { reading, spans } = source
      const [{ shown, via }, before, after] = await Promise.all([
        source === own ? standings.of(entry) : absentHere,
        contentBefore(reading, entry),
        contentAfter(reading, spans, entry),
      ])
      return {
        ref: entry.id,
        ...(source === own ? {} : { session: reading.id }),
        role: roleOf(entry),
        at: entry.at,
        turn: entry.turn ?? null,
        shown,
        via: via[0] ?? null,
        excerpt,
        before: neighbour(before, forModel),
        after: neighbour(after, forModel),
      }
    }),
  )
  return { hits, ...(next === undefined ? {} : { next }) }
}

function readAsk(query: unknown, options: RecallOptions, forModel: boolean): RecallAsk {
  if (typeof query !== 'string' || query.trim() === '' || query.length > longestQuery)
    throw invalidInput('query', `Expected a text of 1 to ${longestQuery} characters.`)
  const { role, after = -Infinity, before = Infinity, cursor } = options
  return {
    query,
    terms: recallTerms(searchWords(query)),
    limit: checkLimit(options.limit, 10, 20),
    cursor,
    takes: entry =>
      entry.at >= after &&
      entry.at < before &&
      (role === undefined || roleOf(entry) === role) &&
      !(forModel && isFailedEntry(entry)),
  }
}

const isFailedEntry = ({ type, data }: Entry): boolean => type === 'message_added' && isFailed({ message: data as Message })

function neighbour(entry: Entry | undefined, forModel: boolean): RecallNeighbour | null {
  if (entry === undefined) return null
  return {
    ref: entry.id,
    role: roleOf(entry),
    excerpt: forModel && isFailedEntry(entry) ? '[a failed attempt, not shown]' : briefOf(entry),
  }
}

const absentHere = { shown: 'absent', via: [] } as const

/** The beginning of an entry, without reading what is kept apart. */
function briefOf({ data }: Entry): string {
  if (!isObject(data)) return ''
  const parts = Array.isArray(data['parts']) ? data['parts'] : [{ type: 'text', text: data['text'] }]
  const said = parts.flatMap((part): string[] => {
    if (!isObject(part)) return []
    const payload = part['text'] ?? part['output'] ?? part['preview']
    const text = payload === undefined ? '' : typeof payload === 'string' ? payload : JSON.stringify(payload)
    if (part['type'] === 'tool_call') return [`[call ${String(part['tool'])}]`]
    return text === '' || part['type'] === 'reasoning' ? [] : [text.slice(0, neighbourLength)]
  })
  return cutCodePoints(said.join(' '), neighbourLength)
}
