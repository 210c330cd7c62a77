import type { FileText } from './file-text.ts'

export interface Edit {
  readonly oldText: string
  readonly newText: string
  /** How often `oldText` has to stand there; all of them are replaced. Default 1. */
  readonly expectedMatches?: number
  readonly replaceAll?: boolean
}

/**
 * All edits, one after the other, or a throw that says which one failed and why. What a model writes with plain line ends
 * fits a file with CRLF, and is written with CRLF there. Pure. Law A30.
 */
export function editText(
  file: FileText,
  edits: readonly Edit[],
  path: string,
): { readonly text: string; readonly matches: number } {
  let { text } = file
  let matches = 0
  for (const [at, edit] of edits.entries()) {
    const which = edits.length === 1 ? '' : `edits[${at}]: `
    const done = applyEdit(text, edit, file.lineEnds, path)
    if (typeof done === 'string') throw new Error(`${which}${done} Nothing was changed.`)
    text = done.text
    matches += done.matches
  }
  if (text === file.text) throw new Error(`The edit leaves ${path} as it is.`)
  return { text, matches }
}

function applyEdit(
  text: string,
  { oldText, newText, expectedMatches, replaceAll }: Edit,
  lineEnds: FileText['lineEnds'],
  path: string,
): { text: string; matches: number } | string {
  if (oldText === '') return 'oldText is empty.'
  const found = fitting(text, oldText, newText, lineEnds)
  if (found === undefined) return `oldText was not found in ${path}.`
  const { pieces, put } = found
  const matches = pieces.length - 1
  const expected = expectedMatches ?? (replaceAll === true ? matches : 1)
  if (matches !== expected)
    return expectedMatches === undefined
      ? `oldText was found ${matches} times in ${path}. Give more of the text around it, or expectedMatches or replaceAll.`
      : `oldText was found ${matches} times in ${path}, not ${expected}.`
  return { text: pieces.join(put), matches }
}

function fitting(
  text: string,
  oldText: string,
  newText: string,
  lineEnds: FileText['lineEnds'],
): { readonly pieces: readonly string[]; readonly put: string } | undefined {
  const literal = text.split(oldText)
  const crlf = (given: string): string => given.replace(/\r?\n/g, '\r\n')
  if (literal.length > 1) return { pieces: literal, put: lineEnds === 'crlf' ? crlf(newText) : newText }
  if (lineEnds === 'lf') return undefined
  const windows = text.split(crlf(oldText))
  return windows.length > 1 ? { pieces: windows, put: crlf(newText) } : undefined
}
