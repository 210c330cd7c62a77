/** Cuts to `max` code points, never inside a surrogate pair. */
export function cutCodePoints(text: string, max: number): string {
  if (text.length <= max) return text
  let index = 0
  for (let count = 0; count < max && index < text.length; count++) index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
  return text.slice(0, index)
}

// Controls, format characters (bidi, zero width) and the separators that some terminals obey.
const invisible = /[\p{Cc}\p{Cf}\u2028\u2029]/gu
// U+200C and U+200D join letters and emoji, so they are text in between; alone they are nothing.
const joiners = /^[\u200c\u200d\ufe0f\s]*$/u

/**
 * One clean line: white space folded to single spaces, then control, bidi and zero-width characters removed, trimmed,
 * lone surrogates replaced, cut to `max` code points. `null` if nothing visible is left. Law S9.
 */
export function cleanLine(text: string, max: number): string | null {
  const folded = text.toWellFormed().replace(/\s+/gu, ' ')
  const kept = folded
    .replace(invisible, match => (match === '\u200c' || match === '\u200d' ? match : ''))
    .replace(/ +/g, ' ')
    .trim()
  const line = cutCodePoints(kept, max).trim()
  return joiners.test(line) ? null : line
}

/** Removes what a terminal would obey from stored text, keeping line ends and tabs. */
export function terminalSafe(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/gu, '')
}

export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}
