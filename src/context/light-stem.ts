/** Words of English that say nothing about what is looked for. */
const stopWords = new Set(
  `a about after all also am an and any are as at be because been before being but by can could did do does doing done for from
  had has have having he her here hers him his how i if in into is it its itself just me more most my no nor not of off on once
  only or other our out over own same she should so some such than that the their them then there these they this those through
  to too under until up us very was we were what when where which while who whom why will with would you your yours`.split(/\s+/),
)

const endings = ['ingly', 'edly', 'ings', 'ies', 'ing', 'ed', 'es', 'ly', 'y', 's', 'e']
/** What is left must still be a word's beginning; a lone vowel is taken from longer ones only. */
const shortestFor = (ending: string): number => (ending === 'y' || ending === 'e' ? 4 : 3)

/** An English word without its common endings, as the beginning of its other forms; anything else as it is. */
export function lightStem(word: string): string {
  if (!/^[a-z]+$/.test(word)) return word
  const ending = endings.find(end => word.endsWith(end) && word.length - end.length >= shortestFor(end))
  if (ending === undefined) return word
  const stem = word.slice(0, -ending.length)
  // running, runs: a letter that the ending doubled is none of the word's.
  const doubled = /^(?:ing|ings|ed)$/.test(ending) && stem.length > 3 && /([bdfgmnprt])\1$/.test(stem)
  return doubled ? stem.slice(0, -1) : stem
}

/**
 * What of a question is looked for: its words but for those that say nothing, each as the beginning of its forms; short ones
 * and those with digits whole. If nothing is left, all of them. Source: spec/context.md 7.
 */
export function recallTerms(words: readonly string[]): { readonly word: string; readonly prefix: boolean }[] {
  const telling = words.filter(word => !stopWords.has(word))
  const terms = new Map<string, { word: string; prefix: boolean }>()
  for (const word of telling.length > 0 ? telling : words) {
    const stem = lightStem(word)
    terms.set(stem, { word: stem, prefix: /^[a-z]{3,}$/.test(stem) })
  }
  return [...terms.values()]
}
