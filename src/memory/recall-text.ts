import { searchWords } from '#journal'
import { BestOf } from './best-of.ts'
import { gramPlaces, gramsOf, type WordGrams, wordGrams } from './recall-grams.ts'
import type { Memory } from './memory-types.ts'

/** What a leg found. */
export interface Ranked {
  readonly memory: Memory
  readonly score: number
}

/** The better one, of equals what holds since later; no two are equal. */
export function ranksBefore(one: Ranked, other: Ranked): boolean {
  if (one.score !== other.score) return one.score > other.score
  if (one.memory.validFrom !== other.memory.validFrom) return one.memory.validFrom > other.memory.validFrom
  return one.memory.id > other.memory.id
}

/** Which memories count. */
export type Fits = (memory: Memory) => boolean

/** A query as the legs read it, once for all owners. */
export interface Wanted {
  readonly words: readonly string[]
  /** The places of its n-grams that are not zero. */
  readonly places: readonly (readonly [place: number, weight: number])[]
  readonly grams: ReadonlyMap<string, WordGrams>
  readonly threes: ReadonlySet<string>
}

interface Doc {
  readonly memory: Memory
  readonly words: readonly Word[]
  /** Distinct words and three-letter pieces. */
  readonly pieces: number
}

interface Word {
  readonly text: string
  readonly grams: WordGrams
  /** How often it stands in the memory of each slot. */
  readonly counts: Map<number, number>
}

const k1 = 1.2
const b = 0.75
/** From how alike the n-grams of a query and a memory are counted as a match. */
const alikeFrom = 0.1
const mostWords = 400
/** How many of the most alike are looked at closely. */
const mostGrams = 400
const leastSlots = 16
const loneCjk = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]$/u

export function readQuery(query: string): Wanted {
  const words = searchWords(query)
  const grams = new Map(words.map(word => [word, wordGrams(word)]))
  const vector = gramsOf(words, word => grams.get(word) as WordGrams)
  return {
    words: [...grams.keys()].slice(0, mostWords),
    places: [...vector].flatMap((weight, place) => (weight === 0 ? [] : [[place, weight] as const])),
    grams,
    threes: new Set([...grams.values()].flatMap(({ threes }) => threes)),
  }
}

/** The words and n-grams of one owner's memories. Made of rows alone, so it can be made again at any time. Law M73. */
export class TextIndex {
  readonly #slots = new Map<string, number>()
  readonly #docs: (Doc | undefined)[] = []
  /** In words. */
  readonly #lengths: number[] = []
  readonly #free: number[] = []
  readonly #words = new Map<string, Word>()
  /** N-grams, a column of all slots for each place, so that a query reads only the places it has. */
  #grams = new Float32Array(0)
  #room = 0
  #total = 0

  get size(): number {
    return this.#slots.size
  }

  memory(id: string): Memory | undefined {
    const slot = this.#slots.get(id)
    return slot === undefined ? undefined : this.#docs[slot]?.memory
  }

  put(memory: Memory): void {
    this.remove(memory.id)
    const reused = this.#free.pop()
    const slot = reused ?? this.#docs.length
    if (slot >= this.#room) this.#widen()
    const said = searchWords(textOf(memory))
    const words = new Set<Word>()
    const threes = new Set<string>()
    for (const text of said) {
      const word = this.#word(text)
      word.counts.set(slot, (word.counts.get(slot) ?? 0) + 1)
      words.add(word)
    }
    for (const { grams } of words) for (const three of grams.threes) threes.add(three)
    const vector = gramsOf(said, text => this.#word(text).grams)
    for (const [place, weight] of vector.entries())
      if (weight !== 0 || reused !== undefined) this.#grams[place * this.#room + slot] = weight
    this.#lengths[slot] = said.length
    this.#docs[slot] = { memory, words: [...words], pieces: words.size + threes.size }
    this.#slots.set(memory.id, slot)
    this.#total += said.length
  }

  remove(id: string): void {
    const slot = this.#slots.get(id)
    const doc = slot === undefined ? undefined : this.#docs[slot]
    if (slot === undefined || doc === undefined) return
    for (const { text, counts } of doc.words) {
      counts.delete(slot)
      if (counts.size === 0) this.#words.delete(text)
    }
    this.#total -= this.#lengths[slot] as number
    this.#docs[slot] = undefined
    this.#slots.delete(id)
    this.#free.push(slot)
  }

  /** Those that may lack no more than `missing` of these words: of the rarest `missing` + 1 each has one. */
  sharing(words: Iterable<string>, missing: number): Set<string> {
    const counts = [...words].map(word => this.#words.get(word)?.counts)
    const rarest = counts.sort((one, other) => (one?.size ?? 0) - (other?.size ?? 0)).slice(0, missing + 1)
    return new Set(rarest.flatMap(slots => [...(slots?.keys() ?? [])].map(slot => this.#doc(slot).memory.id)))
  }

  /** By words, any of them, weighed by how rare they are (BM25). */
  fts({ words }: Wanted, fits: Fits, found: BestOf<Ranked>): void {
    const scores = new Float64Array(this.#docs.length)
    const mean = Math.max(1, this.#total / Math.max(1, this.size))
    for (const word of words) {
      const counts = this.#countsOf(word)
      if (counts === undefined) continue
      const idf = Math.log(1 + (this.size - counts.size + 0.5) / (counts.size + 0.5))
      counts.forEach((count, slot) => {
        const weight = (count * (k1 + 1)) / (count + k1 * (1 - b + (b * (this.#lengths[slot] as number)) / mean))
        scores[slot] = (scores[slot] as number) + idf * weight
      })
    }
    for (let slot = 0; slot < this.#docs.length; slot++) {
      const score = scores[slot] as number
      if (score === 0) continue
      const { memory } = this.#doc(slot)
      if (fits(memory)) found.add({ memory, score })
    }
  }

  /** By pieces of words, for other forms and misspellings; lexical, not by meaning. */
  ngram(wanted: Wanted, fits: Fits, found: BestOf<Ranked>): void {
    const [room, end] = [this.#room, this.#docs.length]
    const scores = new Float64Array(end)
    for (const [place, weight] of wanted.places) {
      const column = this.#grams.subarray(place * room, (place + 1) * room)
      for (let slot = 0; slot < end; slot++) scores[slot] = (scores[slot] as number) + weight * (column[slot] as number)
    }
    const alike = new BestOf<Ranked & { readonly doc: Doc }>(mostGrams, ranksBefore)
    for (let slot = 0; slot < end; slot++) {
      const score = scores[slot] as number
      const doc = score < alikeFrom ? undefined : this.#docs[slot]
      if (doc !== undefined && fits(doc.memory)) alike.add({ doc, memory: doc.memory, score })
    }
    // Two features may fall on one place; what shares none in truth is no match.
    for (const { doc, memory, score } of alike.sorted()) if (sharesPieces(wanted, doc)) found.add({ memory, score })
  }

  #word(text: string): Word {
    const known = this.#words.get(text)
    if (known !== undefined) return known
    const word: Word = { text, grams: wordGrams(text), counts: new Map() }
    this.#words.set(text, word)
    return word
  }

  #doc(slot: number): Doc {
    return this.#docs[slot] as Doc
  }

  #countsOf(word: string): ReadonlyMap<number, number> | undefined {
    const known = this.#words.get(word)
    if (known !== undefined || !loneCjk.test(word)) return known?.counts
    // A lone character of a script without spaces stands in the index within pairs only.
    const joined = new Map<number, number>()
    for (const { text, counts } of this.#words.values())
      if (text.includes(word)) for (const [slot, count] of counts) joined.set(slot, (joined.get(slot) ?? 0) + count)
    return joined.size === 0 ? undefined : joined
  }

  #widen(): void {
    const [from, before] = [this.#grams, this.#room]
    this.#room = Math.max(leastSlots, before * 2)
    this.#grams = new Float32Array(gramPlaces * this.#room)
    for (let place = 0; place < gramPlaces; place++)
      this.#grams.set(from.subarray(place * before, (place + 1) * before), place * this.#room)
  }
}

/** Whether they truly have pieces in common: a word, or a quarter of the pieces of the shorter one. */
function sharesPieces({ grams, threes }: Wanted, doc: Doc): boolean {
  for (const word of doc.words) if (grams.has(word.text)) return true
  const common = new Set<string>()
  for (const word of doc.words) for (const three of word.grams.threes) if (threes.has(three)) common.add(three)
  return common.size > 0 && common.size * 4 >= Math.min(grams.size + threes.size, doc.pieces)
}

/** Key, abstract and content; a level that only repeats another is taken once. */
function textOf({ key, abstract, content }: Memory): string {
  return content.includes(abstract) ? `${key}\n${content}` : `${key}\n${abstract}\n${content}`
}
