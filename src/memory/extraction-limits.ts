import { isObject, type Json } from '#kernel'

/** So many of one range are looked at; what follows is rejected, and of that no more is counted than this. */
const mostCandidates = 5_000
const mostListed = 10_000
/** In UTF-16 units: of one text, of a candidate as JSON, and of all together. Longer texts are cut later anyway. */
const textLength = 100_000
const candidateLength = 250_000
const answerLength = 8_000_000

/** What stands in the place of a candidate that was not kept. */
export const unkept = ['too_many', 'too_large'] as const

/**
 * An answer as it is stored and taken in: each candidate as plain data; one that is none becomes `null`, and one too many or too
 * large the code that it is rejected with, so that what was paid for always fits into one transaction.
 */
export function plainCandidates(candidates: readonly unknown[]): Json[] {
  let room = answerLength
  return candidates.slice(0, mostListed).map((candidate, index): Json => {
    if (index >= mostCandidates) return 'too_many'
    const text = jsonOf(candidate)
    if (text.length > Math.min(candidateLength, room)) return 'too_large'
    room -= text.length
    return JSON.parse(text) as Json
  })
}

/** `null` for what is no plain data. */
function jsonOf(candidate: unknown): string {
  try {
    const short = isObject(candidate)
      ? Object.fromEntries(Object.entries(candidate).map(([name, value]) => [name, cut(value)]))
      : candidate
    return (JSON.stringify(short) as string | undefined) ?? 'null'
  } catch {
    return 'null'
  }
}

const cut = (value: unknown): unknown => (typeof value === 'string' ? value.slice(0, textLength) : value)
