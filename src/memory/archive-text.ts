import { maxAbstract, maxOverview } from './archiver.ts'

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

const length = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

/** The longest beginning of whole graphemes within `max` code points. */
export function cutGraphemes(text: string, max: number): string {
  // Few texts are longer than that; no grapheme is looked at in those that are not.
  if (text.length <= max || length(text) <= max) return text
  let kept = ''
  let count = 0
  for (const { segment } of graphemes.segment(text)) {
    count += length(segment)
    if (count > max) break
    kept += segment
  }
  return kept
}

/** Runs of white space as one space, without any at the ends; well-formed. */
export function oneSpaced(text: string): string {
  return text.toWellFormed().replace(/\s+/gu, ' ').trim()
}

/** An abstract as it is kept: one line of at most 100 code points. Law M23. */
export function abstractLine(text: string): string {
  return cutGraphemes(oneSpaced(text), maxAbstract).trimEnd()
}

/** An overview as it is kept: at most `max` characters, cut at a line's end where one is near, else between graphemes. */
export function cutOverview(text: string, max: number = maxOverview): string {
  const whole = text.toWellFormed()
  if (length(whole) <= max) return whole
  const cut = cutGraphemes(whole, max)
  const end = cut.lastIndexOf('\n')
  return (end > 0 ? cut.slice(0, end) : cut).trimEnd()
}
