import fc from 'fast-check'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { weightsCounter } from './count-tokens.ts'
import { cutSources } from './input-cut.ts'
import type { Source } from './summarizer.ts'

const source = (size: number, n: number): Source => ({ ref: `ent_${n}`, role: 'tool', at: n, text: 'word '.repeat(size) })
const total = (sources: readonly Source[]): number => sources.reduce((sum, one) => sum + weightsCounter.count(one.text), 0)

verifies('C65', 'input above what the summarizer takes is cut, the largest first, and each source is shown in part', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 300, max: 3_000 }),
      (sizes, most) => {
        const sources = sizes.map(source)
        const cut = cutSources(sources, most, weightsCounter)
        expect(total(cut.sources)).toBeLessThanOrEqual(most)
        expect(cut.sources.filter(one => one.text === '')).toEqual([])
        expect(cut.inputCut > 0).toBe(total(sources) > most)
        // Hardly any room is given away.
        expect(total(cut.sources)).toBeGreaterThan(Math.min(most, total(sources)) - 5 * sources.length)
        const shown = cut.sources.map(one => weightsCounter.count(one.text))
        const largest = Math.max(...shown)
        for (const [index, size] of shown.entries())
          if (cut.sources[index]?.text === sources[index]?.text) expect(size).toBeLessThanOrEqual(largest)
          else expect(size).toBeGreaterThan(largest - 5)
      },
    ),
  )
})
