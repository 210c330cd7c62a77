import { searchWords } from '#journal'
import { gramsOf, likeness, piecesOf, sharesGrams } from './recall-grams.ts'
import type { Memory } from './memory-types.ts'

/** What a leg found, best first. */
export interface Ranked {
  readonly id: string
  readonly score: number
}

interface Doc {
  readonly memory: Memory
  readonly words: ReadonlyMap<string, number>
  readonly length: number
  grams?: Float32Array
}

const k1 = 1.2
const b = 0.75
/** From how alike the n-grams of a query and a memory are counted as a match. */
const alikeFrom = 0.1
const mostWords = 400
/** How many of the most alike are looked at closely. */
const mostGrams = 400

/** The words and n-grams of one owner's memories. Made of rows alone, so it can be made again at any time. Law M73. */
export class TextIndex {
  readonly #docs = new Map<string, Doc>()
  readonly #postings = new Map<string, Map<string, number>>()
  #total = 0

  get size(): number {
    return this.#docs.size
  }

  memory(id: string): Memory | undefined {
    return this.#docs.get(id)?.memory
  }

  put(memory: Memory): void {
    this.remove(memory.id)
    const words = new Map<string, number>()
    let length = 0
    for (const word of searchWords(textOf(memory))) {
      words.set(word, (words.get(word) ?? 0) + 1)
      length++
    }
    for (const [word, count] of words) {
      const posting = this.#postings.get(word) ?? new Map<string, number>()
      posting.set(memory.id, count)
      this.#postings.set(word, posting)
    }
    this.#total += length
    this.#docs.set(memory.id, { memory, words, length })
  }

  remove(id: string): void {
    const doc = this.#docs.get(id)
    if (doc === undefined) return
    for (const word of doc.words.keys()) {
      const posting = this.#postings.get(word)
      posting?.delete(id)
      if (posting?.size === 0) this.#postings.delete(word)
    }
    this.#total -= doc.length
    this.#docs.delete(id)
  }

  /** Those that may lack no more than `missing` of these words: of the rarest `missing` + 1 each has one. */
  sharing(words: Iterable<string>, missing: number): Set<string> {
    const postings = [...words].map(word => this.#postings.get(word))
    const rarest = postings.sort((one, other) => (one?.size ?? 0) - (other?.size ?? 0)).slice(0, missing + 1)
    return new Set(rarest.flatMap(posting => [...(posting?.keys() ?? [])]))
  }

  /** By words, any of them, weighed by how rare they are (BM25). */
  fts(query: string, fits: (memory: Memory) => boolean): Ranked[] {
    const scores = new Map<string, number>()
    const mean = this.#total / Math.max(1, this.#docs.size)
    for (const posting of this.#postingsFor(query)) {
      const idf = Math.log(1 + (this.#docs.size - posting.size + 0.5) / (posting.size + 0.5))
      for (const [id, count] of posting) {
        const { length } = this.#docs.get(id) as Doc
        const weight = (count * (k1 + 1)) / (count + k1 * (1 - b + (b * length) / Math.max(1, mean)))
        scores.set(id, (scores.get(id) ?? 0) + idf * weight)
      }
    }
    return [...scores].flatMap(([id, score]) => (fits((this.#docs.get(id) as Doc).memory) ? [{ id, score }] : []))
  }

  /** By pieces of words, for other forms and misspellings; lexical, not by meaning. */
  ngram(query: string, fits: (memory: Memory) => boolean): Ranked[] {
    const wanted = gramsOf(query)
    if (wanted === undefined) return []
    const found: Ranked[] = []
    for (const [id, doc] of this.#docs) {
      doc.grams ??= gramsOf(textOf(doc.memory)) ?? noGrams
      const score = likeness(wanted, doc.grams)
      if (score >= alikeFrom && fits(doc.memory)) found.push({ id, score })
    }
    found.sort((one, other) => other.score - one.score)
    // Two features may fall on one place; what shares none in truth is no match.
    const pieces = piecesOf(query)
    return found.slice(0, mostGrams).filter(({ id }) => sharesGrams(pieces, (this.#docs.get(id) as Doc).words.keys()))
  }

  *#postingsFor(query: string): Iterable<ReadonlyMap<string, number>> {
    for (const word of [...new Set(searchWords(query))].slice(0, mostWords)) {
      const posting = this.#postings.get(word)
      if (posting !== undefined) yield posting
      // A lone character of a script without spaces stands in the index within pairs only.
      else if (/^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]$/u.test(word)) {
        const joined = new Map<string, number>()
        for (const [pair, ids] of this.#postings)
          if (pair.includes(word)) for (const [id, count] of ids) joined.set(id, (joined.get(id) ?? 0) + count)
        if (joined.size > 0) yield joined
      }
    }
  }
}

const noGrams = new Float32Array(0)

/** Key, abstract and content; a level that only repeats another is taken once. */
function textOf({ key, abstract, content }: Memory): string {
  return content.includes(abstract) ? `${key}\n${content}` : `${key}\n${abstract}\n${content}`
}
