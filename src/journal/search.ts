import type { SessionId } from '#kernel'
import type { Entry } from './entry.ts'
import { checkLimit, snippetOf } from './paging.ts'
import { searchText } from './search-text.ts'
import { matches, parseQuery, searchWords, standsAt, type Term } from './search-words.ts'
import type { SearchHit, SearchQuery } from './store.ts'

/** Finds by scanning: what the memory store does, and every adapter for what its index has not read yet. Entries need full parts. */
export function findIn(
  entries: readonly Entry[],
  query: SearchQuery,
  titleOf: (session: SessionId) => string | null,
  length?: number,
): SearchHit[] {
  const limit = checkLimit(query.limit, 20, 100)
  const terms = parseQuery(query.query)
  const hits: SearchHit[] = []
  for (const entry of entries) {
    const found = searchText(entry, length)
    if (found === undefined || (query.roles !== undefined && !query.roles.includes(found.role))) continue
    const words = searchWords(found.text)
    if (matches(words, terms, query.match))
      hits.push(hitOf(entry, found.role, found.text, terms, scoreOf(words, terms), titleOf(entry.session)))
  }
  return sortHits(hits).slice(0, limit)
}

export function hitOf(
  entry: Entry,
  role: string,
  text: string,
  terms: readonly Term[],
  score: number,
  title: string | null,
): SearchHit {
  const { session, id, seq, at } = entry
  return {
    session,
    entry: id,
    seq,
    at,
    role,
    title,
    ...snippetOf(
      text,
      terms.filter(term => !term.negated).flatMap(term => term.words),
    ),
    score,
  }
}

/**
 * How many of the wanted terms the words hold, and then how often, damped by their number. Adapters may rank otherwise; the set
 * of hits is what agrees.
 */
function scoreOf(words: readonly string[], terms: readonly Term[]): number {
  const wanted = terms.filter(term => !term.negated)
  const counts = wanted.map(() => 0)
  for (const [at] of words.entries())
    for (const [index, term] of wanted.entries()) if (standsAt(words, term, at)) counts[index] = (counts[index] ?? 0) + 1
  const held = counts.filter(count => count > 0).length
  const often = counts.reduce((sum, count) => sum + count, 0) / Math.sqrt(words.length + 1)
  return held + often / (1 + often)
}

/** Best first, newest among equals. */
export function sortHits(hits: readonly SearchHit[]): SearchHit[] {
  return [...hits].sort((a, b) => b.score - a.score || b.at - a.at || b.seq - a.seq)
}
