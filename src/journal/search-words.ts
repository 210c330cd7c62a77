/**
 * The one tokenizer of all adapters, so that they find the same entries: NFKC, lower case, runs of letters and digits;
 * a run of CJK becomes its overlapping pairs (a single character stays single).
 * Source: spec/foundation.md 3.4, law J45.
 */
export function searchWords(text: string): string[] {
  if (ascii.test(text)) return text.toLowerCase().match(asciiWords) ?? []
  const words: string[] = []
  for (const run of text
    .toWellFormed()
    .normalize('NFKC')
    .toLowerCase()
    .match(/[\p{L}\p{N}\p{M}]+/gu) ?? []) {
    if (ascii.test(run)) words.push(run)
    else addWords(words, run)
  }
  return words
}

/** A text that has the same words for an index that splits ASCII by itself, at signs and spaces, and takes all else as it is. */
export function splitText(text: string): string {
  return ascii.test(text) ? text : searchWords(text).join(' ')
}

/** Most text is ASCII, where the rules come down to this. */
const ascii = /^[\0-\x7f]*$/
const asciiWords = /[a-z0-9]+/g

function addWords(words: string[], run: string): void {
  for (const [piece, cjk] of run.matchAll(
    /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]+)|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]+/gu,
  )) {
    if (cjk === undefined) words.push(piece)
    else words.push(...pairs(piece))
  }
}

const isLoneCjk = (word: string): boolean =>
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]$/u.test(word)

function pairs(run: string): string[] {
  const characters = [...run]
  if (characters.length < 2) return characters
  return characters.slice(1).map((character, index) => `${characters[index] ?? ''}${character}`)
}

/** One thing that an entry must, may or must not hold: words in a row; the last may be a prefix. */
export interface Term {
  readonly words: readonly string[]
  readonly prefix: boolean
  readonly negated: boolean
}

/**
 * Reads `word`, `"a phrase"`, `word*`, `-word`. Signs that make no word are text and vanish, so no query is an error.
 */
export function parseQuery(query: string): Term[] {
  const terms: Term[] = []
  for (const [, minus, quoted, bare] of query.matchAll(/(-?)(?:"([^"]*)"|(\S+))/gu)) {
    const text = quoted ?? bare ?? ''
    const words = searchWords(text)
    if (words.length === 0) continue
    // A lone CJK character stands in the index only within pairs, so it is looked for as their beginning.
    const prefix = quoted === undefined && (text.endsWith('*') || (words.length === 1 && isLoneCjk(words[0] ?? '')))
    // One unquoted word of several runs (foo-bar, 東京) is a phrase of its pieces.
    terms.push({ words, prefix, negated: minus === '-' })
  }
  return terms
}

/** Whether the words of a text satisfy the terms; what a scan uses where an index has not yet read. */
export function matches(words: readonly string[], terms: readonly Term[], match: 'all' | 'any' = 'all'): boolean {
  const wanted = terms.filter(term => !term.negated)
  if (wanted.length === 0) return false
  if (terms.some(term => term.negated && holds(words, term))) return false
  return match === 'all' ? wanted.every(term => holds(words, term)) : wanted.some(term => holds(words, term))
}

function holds(words: readonly string[], term: Term): boolean {
  for (let start = 0; start < words.length; start++) if (standsAt(words, term, start)) return true
  return false
}

/** Whether a term's words stand in a row from a place on. */
export function standsAt(words: readonly string[], { words: wanted, prefix }: Term, start: number): boolean {
  for (let i = 0; i < wanted.length; i++) {
    const [own, word] = [words[start + i], wanted[i] as string]
    if (own !== word && !(prefix && i === wanted.length - 1 && own?.startsWith(word) === true)) return false
  }
  return true
}
