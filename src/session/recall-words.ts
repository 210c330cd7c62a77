import type { EntryId } from '#kernel'
import { countTerms, excerptRound, isRecalled, rankTexts, type RecallTerm, type PlacedCounts } from '#context'
import { decodeCursor, encodeCursor, type Entry, fetchParts, type Message, searchText, searchWords } from '#journal'
import { contentTypes, isContent, isWithin } from './branch-spans.ts'
import { excerptLength, isIn, type RecallAsk, type RecallMatch, type RecallSource } from './recall-source.ts'

/** How many the index is asked for at most, of each side's words and of results, so that none crowds out the others. */
const indexed = 100
const roleGroups: readonly (readonly string[])[] = [['user', 'system', 'custom'], ['assistant'], ['tool']]
const pageSize = 200

const farApart = 2 ** 40

interface Candidate {
  readonly source: RecallSource
  readonly id: EntryId
  readonly seq: number
  readonly counts: PlacedCounts
}

/**
 * Entries that hold any of the terms, best first, newest among equals. Those that the store's index finds are read and ranked
 * here; if it is behind, or too few of what it finds can be shown, the branch itself is looked through.
 */
export async function findWords(
  sources: readonly RecallSource[],
  ask: RecallAsk,
): Promise<{ readonly matches: RecallMatch[]; readonly next?: string }> {
  const [offset, bound] = ask.cursor === undefined ? [0, ''] : decodeCursor(ask.cursor, 'whole')
  const from = Number(offset)
  const seqs = bound === '' ? sources.map(({ row }) => row.seq) : bound.split(',').map(Number)
  const found: Candidate[] = []
  let isAll = true
  for (const [index, source] of sources.entries()) {
    const upTo = seqs[index] ?? 0
    const { candidates, complete } = await byIndex(source, ask, upTo)
    const enough = complete || candidates.length >= from + ask.limit + 1
    isAll &&= complete || !enough
    // Texts of two sessions are never side by side.
    for (const { counts, ...candidate } of enough ? candidates : await byScan(source, ask, upTo))
      found.push({ ...candidate, counts: { ...counts, place: counts.place + index * farApart } })
  }
  const all = sources.reduce((sum, { row }) => sum + row.totals.messages, 0)
  // Where the index gives no more, how common a word is can only be told by what it gave.
  const scores = rankTexts(
    found.map(({ counts }) => counts),
    isAll ? all : Math.min(all, 2 * found.length),
  )
  const ranked = found
    .map((candidate, at) => ({ candidate, score: scores[at] ?? 0 }))
    .sort((a, b) => b.score - a.score || b.candidate.seq - a.candidate.seq)
  const page = ranked.slice(from, from + ask.limit)
  const matches = await Promise.all(page.map(({ candidate }) => matchOf(candidate, ask.terms)))
  const end = from + page.length
  return {
    matches: matches.flatMap(match => match ?? []),
    ...(end < ranked.length ? { next: encodeCursor([end, seqs.join(',')]) } : {}),
  }
}

async function byIndex(
  source: RecallSource,
  ask: RecallAsk,
  upTo: number,
): Promise<{ readonly candidates: Candidate[]; readonly complete: boolean }> {
  const { reading, spans } = source
  const query = ask.terms.map(({ word, prefix }) => (prefix ? `${word}*` : word)).join(' ')
  if (query === '') return { candidates: [], complete: true }
  let complete = true
  const ids = new Set<EntryId>()
  for (const roles of roleGroups) {
    const { hits, behind } = await reading.store.search({ query, match: 'any', session: reading.id, roles, limit: indexed })
    complete &&= behind === undefined && hits.length < indexed
    for (const { entry, seq } of hits) if (seq <= upTo && isWithin(spans, seq)) ids.add(entry)
  }
  const entries = await Promise.all([...ids].map(id => reading.store.entry(reading.id, id)))
  const candidates: Candidate[] = []
  for (const entry of entries) {
    const candidate = entry === undefined ? undefined : await candidateOf(source, entry, ask)
    if (candidate !== undefined) candidates.push(candidate)
  }
  return { candidates, complete }
}

async function byScan(source: RecallSource, ask: RecallAsk, upTo: number): Promise<Candidate[]> {
  const { reading, row } = source
  const found: Candidate[] = []
  for (let from = row.leafId; from !== null;) {
    const page: readonly Entry[] = await reading.store.branch(reading.id, { from, types: contentTypes, limit: pageSize })
    for (const entry of page) {
      if (entry.seq > upTo) continue
      const candidate = await candidateOf(source, entry, ask)
      if (candidate !== undefined) found.push(candidate)
    }
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
  return found
}

async function candidateOf(source: RecallSource, entry: Entry, ask: RecallAsk): Promise<Candidate | undefined> {
  if (!isContent(entry) || !isIn(source, entry) || !ask.takes(entry)) return undefined
  const counts = countTerms(searchWords(await textOf(source, entry)), ask.terms)
  if (counts.counts.every(count => count === 0)) return undefined
  return { source, id: entry.id, seq: entry.seq, counts: { ...counts, place: entry.totals?.messages ?? entry.seq } }
}

/** What the index has read of an entry, but for what recall tools gave. */
async function textOf({ reading }: RecallSource, entry: Entry): Promise<string> {
  const { parts } = entry.data as Partial<Message>
  const kept = parts?.filter(part => !isRecalled(part))
  const own =
    kept === undefined || kept.length === parts?.length ? entry : { ...entry, data: { ...(entry.data as object), parts: kept } }
  const [full] = (await fetchParts(reading.store, [own], { files: 'trust' })).entries
  return full === undefined ? '' : (searchText(full)?.text ?? '')
}

async function matchOf({ source, id }: Candidate, terms: readonly RecallTerm[]): Promise<RecallMatch | undefined> {
  const entry = await source.reading.store.entry(source.reading.id, id)
  if (entry === undefined) return undefined
  return { source, entry, excerpt: excerptOf(await textOf(source, entry), terms) }
}

/** One run of them is one word, or many where a script has no spaces. */
const letters = /[\p{L}\p{N}\p{M}]+/gu

/** Round the narrowest place in which the most different terms stand, the first of those: what belongs to them follows. */
function excerptOf(text: string, terms: readonly RecallTerm[]): string {
  const places: { readonly from: number; readonly to: number; readonly term: number }[] = []
  for (const found of text.matchAll(letters)) {
    const words = searchWords(found[0])
    for (const [term, { word, prefix }] of terms.entries()) {
      if (!words.some(own => own === word || (prefix && own.startsWith(word)))) continue
      // A run of a script without spaces is many words.
      const from = found.index + Math.max(0, found[0].toLowerCase().indexOf(word))
      places.push({ from, to: Math.min(from + word.length, found.index + found[0].length), term })
    }
    if (places.length >= 2_000) break
  }
  let best = { from: 0, to: 0, different: 0 }
  for (const [at, { from }] of places.entries()) {
    const seen = new Set<number>()
    let to = from
    for (let next = at; next < places.length; next++) {
      const place = places[next]
      if (place === undefined || place.to - from > excerptLength) break
      if (seen.has(place.term)) continue
      seen.add(place.term)
      to = place.to
    }
    const isNarrower = seen.size === best.different && to - from < best.to - best.from
    if (seen.size > best.different || isNarrower) best = { from, to, different: seen.size }
  }
  return excerptRound(text, best.from, best.to, excerptLength)
}
