const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })

/** What is told of, not said: code, quoted lines and quotations. */
const notSaid: readonly RegExp[] = [
  /^ {0,3}(```+|~~~+)[\s\S]*?(?:^ {0,3}\1|(?![\s\S]))/gmu,
  /(`+)(?!`)[\s\S]*?[^`]\1(?!`)/gu,
  /^ {0,3}>.*$/gmu,
  /"[^"]*"/gu,
  /[“„][^”“]*[”“]/gu,
  /«[^»]*»/gu,
  /「[^」]*」/gu,
  /『[^』]*』/gu,
  /‘[^’]*’(?!\p{L})/gu,
  // An apostrophe within a word neither opens nor closes.
  /(?<![\p{L}\p{N}])'(?=\S)(?:[^']|(?<=\p{L})'(?=\p{L}))*'(?![\p{L}\p{N}])/gu,
]

/** Stands for what was blanked: no letter, and nothing that ends a sentence. */
const blank = '\uFFFC'

/** The text as long as it is, with quotations and code blanked. */
export function maskTold(text: string): string {
  return notSaid.reduce((masked, pattern) => masked.replace(pattern, found => blank.repeat(found.length)), text)
}

/**
 * The sentences that a text says itself, each to the letter, without list marks before it: no questions, and none that begins
 * inside a quotation or code.
 */
export function sentencesOf(text: string): string[] {
  const said = maskTold(text)
  const found: string[] = []
  for (const { segment, index } of segmenter.segment(said)) {
    const [marks = ''] = /^\s*(?:(?:[-*•]|\d{1,3}[.)])\s+)?/u.exec(segment) ?? []
    const own = segment.slice(marks.length).trimEnd()
    if (own === '' || own.startsWith(blank) || isQuestion(own)) continue
    found.push(text.slice(index + marks.length, index + marks.length + own.length))
  }
  return found
}

const isQuestion = (sentence: string): boolean => /[?？؟]["'”’»)\]\s]*$/u.test(sentence) || sentence.startsWith('¿')
