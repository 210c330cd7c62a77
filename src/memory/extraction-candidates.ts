import { isObject, sha256 } from '#kernel'
import type { EntryId, SessionId } from '#kernel'
import type { EntryOf } from '#journal'
import { type Category, categories, categoryRules, type Relation } from './extractor.ts'
import { unkept } from './extraction-limits.ts'
import { cutAtSentence, keyOf, learntText, quotable, recallText } from './extraction-text.ts'
import { isoTime } from './iso-time.ts'
import type { EntryPiece, Fault } from './ranges.ts'

export const threshold = 0.5
export const abstractLength = 200
export const overviewLength = 2_000
export const contentLength = 20_000

/** What a candidate is judged by. */
export interface RangeHeard {
  readonly session: SessionId
  readonly messages: readonly EntryOf<'message_added'>[]
  readonly fromSeq: number
  readonly toSeq: number
  readonly piece: EntryPiece | null
  /** Who the session is with; null: whoever wrote the entry that is cited. */
  readonly user: string | null
  readonly agent: string
}

/** A candidate that may be learnt. */
export interface Learnable {
  readonly index: number
  readonly category: Category
  readonly owner: string
  readonly key: string
  readonly abstract: string
  readonly overview: string
  readonly content: string
  readonly confidence: number
  readonly quote: { readonly entry: EntryId; readonly text: string } | null
  /** When it was said. */
  readonly at: number
  readonly validFrom: number
  readonly uses: number
  readonly relation: { readonly n: number; readonly is: Relation } | null
}

export interface Judged {
  readonly learnable: readonly Learnable[]
  readonly belowThreshold: number
  readonly rejected: readonly Fault[]
}

/** Judges each candidate on its own: one that is wrong takes nothing from the others. Laws M46, M47, M48. */
export function judge(candidates: readonly unknown[], range: RangeHeard): Judged {
  const learnable: Learnable[] = []
  const rejected: Fault[] = []
  let belowThreshold = 0
  for (const [index, candidate] of candidates.entries()) {
    const found = read(candidate, index, range)
    if (typeof found === 'string') rejected.push({ index, code: found })
    else if (found === null) belowThreshold++
    else learnable.push(found)
  }
  return { learnable, belowThreshold, rejected }
}

const relations: readonly string[] = ['SAME', 'SUPERSEDE', 'CONTRADICT'] satisfies Relation[]

/** The candidate, the code that it is rejected with, or null where it is not sure enough. */
function read(candidate: unknown, index: number, range: RangeHeard): Learnable | string | null {
  if (!isObject(candidate)) return unkept.find(code => code === candidate) ?? 'not_an_object'
  const given = withoutNulls(candidate)
  const { category, owner, key, abstract, overview, content, confidence, when, relation } = given
  if (!isCategory(category)) return 'category_unknown'
  if (owner !== categoryRules[category].owner) return 'owner_invalid'
  if (typeof content !== 'string' || content.trim() === '') return 'content_invalid'
  if (typeof confidence !== 'number' || !(confidence >= 0 && confidence <= 1)) return 'confidence_invalid'
  if (key !== undefined && typeof key !== 'string') return 'key_invalid'
  if (abstract !== undefined && typeof abstract !== 'string') return 'abstract_invalid'
  if (overview !== undefined && typeof overview !== 'string') return 'overview_invalid'
  const since = typeof when === 'string' ? isoTime(when) : undefined
  if (when !== undefined && since === undefined) return 'when_invalid'
  const related = relation === undefined ? null : relationOf(relation)
  if (related === undefined) return 'relation_invalid'
  const quote = given['quote'] === undefined ? null : quoteOf(given['quote'])
  if (quote === undefined) return 'quote_invalid'
  if (confidence < threshold) return null
  const cited = quote === null ? undefined : cite(quote, range)
  if (typeof cited === 'string') return cited
  const whose = categoryRules[category].owner === 'agent' ? range.agent : (range.user ?? senderOf(cited))
  if (whose === null) return 'owner_unknown'
  const text = cutAtSentence(content.toWellFormed().trim(), contentLength)
  const at = cited?.at ?? range.messages.at(-1)?.at ?? 0
  return {
    index,
    category,
    owner: whose,
    key: keyFor(category, key, text),
    abstract: cutAtSentence(leveled(abstract, text), abstractLength),
    overview: cutAtSentence(leveled(overview, text), overviewLength),
    content: text,
    confidence,
    quote,
    at,
    validFrom: since ?? at,
    uses: usesOf(given['uses']),
    relation: related,
  }
}

const withoutNulls = (given: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))

const isCategory = (value: unknown): value is Category => (categories as readonly unknown[]).includes(value)

/** Blank levels count as missing. */
const leveled = (level: string | undefined, content: string): string =>
  level === undefined || level.trim() === '' ? content : level.toWellFormed().trim()

const usesOf = (value: unknown): number => (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 1)

function relationOf(value: unknown): Learnable['relation'] | undefined {
  if (!isObject(value)) return undefined
  const { n, is } = value
  return typeof n === 'number' && typeof is === 'string' && relations.includes(is) ? { n, is: is as Relation } : undefined
}

function quoteOf(value: unknown): Learnable['quote'] | undefined {
  if (!isObject(value)) return undefined
  const { entry, text } = value
  return typeof entry === 'string' && typeof text === 'string' ? { entry: entry as EntryId, text } : undefined
}

/** The entry that says so, or why the quote does not hold. */
function cite(quote: { readonly entry: EntryId; readonly text: string }, range: RangeHeard): EntryOf<'message_added'> | string {
  const entry = range.messages.find(({ id }) => id === quote.entry)
  if (entry === undefined) return 'quote_out_of_range'
  const wanted = quotable(quote.text)
  const { piece } = range
  const learnt = learntText(entry.data.parts)
  if (wanted !== '' && quotable(piece === null ? learnt : learnt.slice(piece.from, piece.to)).includes(wanted)) return entry
  if (wanted !== '' && quotable(learnt).includes(wanted)) return 'quote_out_of_range'
  if (wanted !== '' && quotable(recallText(entry.data.parts)).includes(wanted)) return 'quote_is_recall'
  return 'quote_not_found'
}

/** Who wrote an entry, as far as its message tells. */
export function senderOf(entry: EntryOf<'message_added'> | undefined): string | null {
  if (entry === undefined) return null
  const { source, from } = entry.data
  const id = isObject(source) ? source['userId'] : undefined
  if (typeof id === 'string' && id !== '') return id.toWellFormed()
  if (typeof id === 'number' && Number.isSafeInteger(id)) return String(id)
  return from === undefined || from === '' ? null : from.toWellFormed()
}

/** The key that was given, or of the content's hash where it says nothing; what has no key is told by its content, too. */
function keyFor(category: Category, key: string | undefined, content: string): string {
  return (categoryRules[category].keyed ? keyOf(key ?? '') : '') || sha256(content).slice(0, 12)
}
