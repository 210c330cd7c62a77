import type { TokenCounter } from './count-tokens.ts'
import { cutMiddle } from './middle-cut.ts'
import type { Source } from './summarizer.ts'

/**
 * Sources within `maxTokens` together: the largest are cut in their middle to one common size, the others stay whole, so each
 * is shown in part at least. `inputCut`: tokens that are not shown. Law C65.
 */
export function cutSources(
  sources: readonly Source[],
  maxTokens: number,
  counter: TokenCounter,
): { readonly sources: readonly Source[]; readonly inputCut: number } {
  const sizes = sources.map(source => counter.count(source.text))
  if (sizes.reduce((sum, size) => sum + size, 0) <= maxTokens) return { sources, inputCut: 0 }
  const most = commonSize(sizes, maxTokens)
  let inputCut = 0
  const shown = sources.map((source, index): Source => {
    if ((sizes[index] ?? 0) <= most) return source
    const { text, leftOut } = cutMiddle(source.text, most, counter, left => `[… ${left} tokens left out …]`)
    inputCut += leftOut
    return { ...source, text }
  })
  return { sources: shown, inputCut }
}

/** The greatest size to which all can be cut so that their sum is at most `total`. */
export function commonSize(sizes: readonly number[], total: number): number {
  let room = total
  let left = sizes.length
  for (const size of sizes.toSorted((a, b) => a - b)) {
    if (size * left > room) return Math.floor(room / left)
    room -= size
    left--
  }
  return total
}
