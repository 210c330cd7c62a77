import { keyOf } from './extraction-text.ts'
import type { Candidate, ExtractorEntry, Extractor } from './extractor.ts'
import { sentencesOf } from './rules-sentences.ts'
import { type Rule, rules } from './rules-table.ts'

/** Learns from what users plainly say, without a model: the same of the same text. Law M56. */
export const rulesExtractor: Extractor = {
  name: 'rules',
  version: '1',
  extract: ({ entries }) => Promise.resolve({ candidates: entries.flatMap(candidatesIn) }),
}

export function candidatesIn(entry: ExtractorEntry): Candidate[] {
  if (entry.role !== 'user') return []
  return sentencesOf(entry.text).flatMap(sentence => candidateOf(sentence, entry) ?? [])
}

/** The rules with the longest start first, so that the plainer of two never hides it. */
const byStart = rules
  .flatMap(rule => rule.starts.map(start => ({ rule, start })))
  .sort((one, other) => other.start.length - one.start.length)

function candidateOf(sentence: string, entry: ExtractorEntry): Candidate | undefined {
  for (const { rule, start } of byStart) {
    const rest = restAfter(sentence, start, rule)
    if (rest === undefined) continue
    return {
      category: rule.category,
      owner: 'user',
      ...(rule.category === 'event' ? {} : { key: rule.key ?? keyOf(firstWords(rest, rule.words)) }),
      abstract: sentence,
      content: rule.category === 'profile' ? rest : sentence,
      confidence: rule.confidence,
      quote: { entry: entry.id, text: sentence },
    }
  }
  return undefined
}

/** What follows the start, without the punctuation at the end; undefined where the sentence does not begin so or says nothing more. */
function restAfter(sentence: string, start: string, { joined }: Rule): string | undefined {
  const begins = sentence.slice(0, start.length).toLowerCase().replaceAll('’', "'")
  if (begins !== start) return undefined
  const rest = sentence.slice(start.length)
  const parted = joined === true || start.endsWith(':') || start.endsWith("'") || /^\s/u.test(rest)
  const said = rest
    .replace(/^[\s:：,，]+/u, '')
    .replace(/[\s.!…。！,;:，；：]+$/u, '')
    .trim()
  return parted && /[\p{L}\p{N}]/u.test(said) ? said : undefined
}

const firstWords = (text: string, words: number | undefined): string =>
  words === undefined ? text : text.split(/\s+/u).slice(0, words).join(' ')
