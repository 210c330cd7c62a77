import { searchWords } from '#journal'

const width = 256
const weights = { word: 1, pair: 0.7, three: 0.4 } as const

/**
 * Words, pairs of words and three letters in a row, each hashed to one of 256 places, as a vector of length 1; undefined for a
 * text without words. Source: spec/memory.md 12.
 */
export function gramsOf(text: string): Float32Array | undefined {
  const vector = new Float32Array(width)
  let any = false
  for (const [feature, weight] of featuresOf(text)) {
    const place = hash(feature) % width
    vector[place] = (vector[place] ?? 0) + weight
    any = true
  }
  if (!any) return undefined
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return vector.map(value => value / length)
}

/** The cosine of two vectors of length 1. */
export function likeness(one: Float32Array, other: Float32Array): number {
  let sum = 0
  for (let i = 0; i < other.length; i++) sum += (one[i] as number) * (other[i] as number)
  return sum
}

/** The words of a text and their three-letter pieces. */
export function piecesOf(text: string): ReadonlySet<string> {
  return new Set(searchWords(text).flatMap(wordPieces))
}

const wordPieces = (word: string): string[] => [`1 ${word}`, ...threes(word).map(three => `3 ${three}`)]

/** Whether words truly have pieces in common with a text: a word, or a quarter of the pieces of the shorter one. */
export function sharesGrams(mine: ReadonlySet<string>, words: Iterable<string>): boolean {
  const its = new Set<string>()
  for (const word of words) {
    if (mine.has(`1 ${word}`)) return true
    for (const piece of wordPieces(word)) its.add(piece)
  }
  let common = 0
  for (const piece of its) if (mine.has(piece)) common++
  return common > 0 && common * 4 >= Math.min(mine.size, its.size)
}

function threes(word: string): string[] {
  const letters = [...word]
  return letters.slice(2).map((_, at) => letters.slice(at, at + 3).join(''))
}

function* featuresOf(text: string): Iterable<readonly [string, number]> {
  let before: string | undefined
  for (const word of searchWords(text)) {
    yield [`1 ${word}`, weights.word]
    if (before !== undefined) yield [`2 ${before} ${word}`, weights.pair]
    for (const three of threes(word)) yield [`3 ${three}`, weights.three]
    before = word
  }
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return state >>> 0
}
