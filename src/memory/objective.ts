import { cutGraphemes } from './archive-text.ts'
import { withoutRecall } from './extraction-text.ts'
import { askingCues, betweenWish, freshJoints, joints, negations, startCues, wishCues, wishers } from './objective-cues.ts'
import { maskTold } from './rules-sentences.ts'

const objectiveLength = 200
const fewestWords = 3
const fewestCharacters = 4

const segmenter = new Intl.Segmenter('en', { granularity: 'word' })

/** Scripts that put no space between words. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu
/** What ends a clause. A hyphen joins, a dash with space round it parts. */
const clauseEnd = /[.,;:!?¡¿…。，、；：！？()[\]{}"“”„«»\n\r\uFFFC–—]| - /u

/** A word as it is compared. */
const plain = (word: string): string => word.normalize('NFKC').toLowerCase().replaceAll('’', "'")

const asking: readonly (readonly string[])[] = askingCues.map(cue => wordsIn(cue))
/** A text without any of these letters in a row asks for nothing, and no more of it is looked at. */
const prefilter = new RegExp(
  [...asking.map(words => words[0] ?? ''), ...startCues].map(word => word.replace(/[^\p{L}\p{N}]/gu, '.')).join('|'),
  'iu',
)

/**
 * What a user's message asks for, by its words alone: the trimmed text, at most 200 code points, or `null` if it asks for
 * nothing. Pure. Quotations, code and recalled text don't count. Source: spec/memory.md 10, law M62.
 */
export function objectiveIn(text: string): string | null {
  const own = withoutRecall(text)
  if (!prefilter.test(own.normalize('NFKC')) || !isLongEnough(own)) return null
  const said = maskTold(own).replace(/\p{L}[\p{L}\p{N}+.-]*:\/\/\S+/gu, ' ')
  return clausesOf(said).some(asks) ? cutGraphemes(own.trim(), objectiveLength).trimEnd() : null
}

function isLongEnough(text: string): boolean {
  if ((text.match(unspaced)?.length ?? 0) >= fewestCharacters) return true
  return wordsIn(text).filter(word => word.search(unspaced) < 0).length >= fewestWords
}

function wordsIn(text: string): string[] {
  return [...segmenter.segment(text)].flatMap(({ segment, isWordLike }) => (isWordLike === true ? [plain(segment)] : []))
}

interface Clause {
  readonly words: string[]
  /** Nothing but a joining word stands between this and the clause before. */
  readonly joined: boolean
}

function clausesOf(text: string): Clause[] {
  const clauses: Clause[] = [{ words: [], joined: false }]
  let gap = ''
  for (const { segment, isWordLike } of segmenter.segment(text)) {
    if (isWordLike !== true) {
      gap += segment
      continue
    }
    if (clauseEnd.test(gap)) clauses.push({ words: [], joined: false })
    gap = ''
    const word = plain(segment)
    if (joints.has(word)) clauses.push({ words: [], joined: !freshJoints.has(word) })
    else clauses.at(-1)?.words.push(word)
  }
  return clauses
}

function asks({ words, joined }: Clause): boolean {
  for (const [at, word] of words.entries()) {
    if (isNegation(word)) return false
    if (asking.some(cue => beginsWith(words, at, cue))) return true
    if (at === 0 && !joined && startCues.has(word)) return true
    if (wishCues.has(word) && isWished(words, at)) return true
  }
  return false
}

/** Whether whole segments from `at` on make up the cue, however they were parted. */
function beginsWith(words: readonly string[], at: number, cue: readonly string[]): boolean {
  const wanted = cue.join('')
  let run = ''
  for (let next = at; next < words.length && run.length < wanted.length; next++) run += words[next] ?? ''
  return run === wanted
}

function isWished(words: readonly string[], at: number): boolean {
  const before = words.slice(0, at).findLast(word => !betweenWish.has(word))
  return before !== undefined && wishers.has(before)
}

const isNegation = (word: string): boolean => negations.has(word) || /n't$/.test(word) || /^n'/.test(word)
