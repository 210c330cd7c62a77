/** How many places features are hashed to. Source: spec/memory.md 12. */
export const gramPlaces = 256
const weights = { word: 1, pair: 0.7, three: 0.4 } as const

/** What a word stands for wherever it occurs. */
export interface WordGrams {
  /** Of the word itself. */
  readonly place: number
  /** Its three-letter pieces, as often as each occurs in it, and the place of each. */
  readonly threes: readonly string[]
  readonly threePlaces: Uint8Array
}

export function wordGrams(word: string): WordGrams {
  const letters = [...word]
  const threes = letters.slice(2).map((_, at) => letters.slice(at, at + 3).join(''))
  return {
    place: placeOf(`1 ${word}`),
    threes,
    threePlaces: Uint8Array.from(threes, three => placeOf(`3 ${three}`)),
  }
}

/**
 * Words, pairs of words and three letters in a row, each hashed to one of 256 places, as a vector of length 1. All zero for no
 * words.
 */
export function gramsOf(words: readonly string[], gramsOfWord: (word: string) => WordGrams): Float32Array {
  const vector = new Float32Array(gramPlaces)
  const add = (place: number, weight: number): void => void (vector[place] = (vector[place] as number) + weight)
  let before: string | undefined
  for (const word of words) {
    const { place, threePlaces } = gramsOfWord(word)
    add(place, weights.word)
    if (before !== undefined) add(placeOf(`2 ${before} ${word}`), weights.pair)
    for (const three of threePlaces) add(three, weights.three)
    before = word
  }
  let square = 0
  for (const value of vector) square += value * value
  const length = Math.sqrt(square)
  return length === 0 ? vector : vector.map(value => value / length)
}

/** FNV-1a over UTF-16 units. */
function placeOf(feature: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < feature.length; i++) state = Math.imul(state ^ feature.charCodeAt(i), 0x01000193)
  return (state >>> 0) % gramPlaces
}
