/** A file that stands before all history: whole, its last lines, or lines from 1, inclusive. Source: spec/agent.md 16. */
export interface FileSpec {
  readonly path: string
  readonly mode: 'full' | { readonly tail: number } | { readonly range: readonly [number, number] }
  readonly note?: string
}

/** A file as it was read. */
export interface ReadFile {
  readonly spec: FileSpec
  readonly text: string
}

export const prefillFileTokens = 10_000
export const prefillTokens = 50_000
export const prefillAnswer = 'Context loaded. Ready to work.'

/**
 * The text of all files, each cut at its limit of tokens; the first that would not fit any more ends it. Files that end tags
 * can't end theirs. Pure.
 */
export function prefillText(files: readonly ReadFile[], count: (text: string) => number): string | undefined {
  const shown: string[] = []
  let tokens = 0
  for (const { spec, text } of files) {
    const cut = cutTo(linesOf(text, spec.mode), prefillFileTokens, count)
    const note = spec.note === undefined || spec.note.trim() === '' ? '' : ` note="${attribute(spec.note.trim())}"`
    const whole = `<file path="${attribute(spec.path)}"${note}>\n${escaped(cut)}\n</file>`
    const more = count(whole)
    if (tokens + more > prefillTokens) break
    tokens += more
    shown.push(whole)
  }
  return shown.length === 0 ? undefined : `<context>\n${shown.join('\n')}\n</context>`
}

function linesOf(text: string, mode: FileSpec['mode']): string {
  if (mode === 'full') return text
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : text.split('\n')
  return ('tail' in mode ? lines.slice(-mode.tail) : lines.slice(mode.range[0] - 1, mode.range[1])).join('\n')
}

/** The longest run of whole lines from the beginning that weighs no more, and how much is missing. */
function cutTo(text: string, max: number, count: (text: string) => number): string {
  if (count(text) <= max) return text
  const lines = text.split('\n')
  let [low, high] = [0, lines.length]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (count(lines.slice(0, middle).join('\n')) <= max) low = middle
    else high = middle - 1
  }
  return `${lines.slice(0, low).join('\n')}\n[${lines.length - low} of ${lines.length} lines left out]`
}

const escaped = (text: string): string => text.replaceAll(/<\/(?=\s*(?:file|context)\s*>)/gi, '<\\/')
const attribute = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll(/\s/g, ' ')
