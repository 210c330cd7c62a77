import { type FormatInput, linesOf } from './lines.ts'
import { PiDecoder, type PiItem } from './pi-decoder.ts'

export { type ImportReport, type PiItem, type PiSession } from './pi-decoder.ts'
export { stowData } from './pi-line.ts'
export { writePi } from './pi-writer.ts'

/**
 * Reads a pi session file, version 1 (linear) to 3 (a tree), holding one line and, of a tree, the ids seen so far.
 * Every line becomes one entry, in order; turns, usage and moves of the leaf are added between. Ids follow from the
 * first line and each line's place and bytes: the same bytes give the same ids, and a file that has grown the same ids
 * for what was there. Bad lines and unknown types are kept raw and counted. Throws `input.invalid` with `details.line` for
 * an input that is no pi session. Laws A57, J9.
 */
export async function* readPi(input: FormatInput): AsyncGenerator<PiItem> {
  const decoder = new PiDecoder()
  for await (const line of linesOf(input)) yield* decoder.take(line)
  yield* decoder.end()
}
