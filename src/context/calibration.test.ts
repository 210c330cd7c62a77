import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addSample, factorOf, keptSamples } from './calibration.ts'

const after = (pairs: readonly (readonly [number | null | undefined, number])[]): readonly number[] =>
  pairs.reduce<readonly number[]>((samples, [reported, estimate]) => addSample(samples, reported, estimate), [])

describe('calibration', () => {
  verifies('C5', 'is 1 with two samples, and the median from three on', () => {
    expect(
      factorOf(
        after([
          [1_300, 1_000],
          [1_300, 1_000],
        ]),
      ),
    ).toBe(1)
    expect(factorOf(after(Array.from({ length: 20 }, () => [1_300, 1_000] as const)))).toBe(1.3)
    expect(
      factorOf(
        after([
          [1_100, 1_000],
          [2_900, 1_000],
          [1_200, 1_000],
        ]),
      ),
    ).toBe(1.2)
  })

  verifies('C5', 'takes no sample of a usage that is zero or missing', () => {
    const samples = [1.1, 1.2]
    for (const reported of [0, null, undefined, NaN, -5]) expect(addSample(samples, reported, 1_000)).toBe(samples)
    for (const estimate of [0, NaN, -1]) expect(addSample(samples, 1_000, estimate)).toBe(samples)
  })

  it('keeps the last 20 and stays within 0.5 and 3, whatever was reported', () => {
    const count = fc.oneof(fc.double(), fc.nat(), fc.constant(null))
    fc.assert(
      fc.property(fc.array(fc.tuple(count, fc.double())), pairs => {
        const samples = after(pairs)
        expect(samples.length).toBeLessThanOrEqual(keptSamples)
        expect(factorOf(samples)).toBeGreaterThanOrEqual(0.5)
        expect(factorOf(samples)).toBeLessThanOrEqual(3)
      }),
    )
    const old = after(Array.from({ length: 50 }, (_, n) => [n < 30 ? 9_000 : 1_400, 1_000] as const))
    expect(factorOf(old)).toBe(1.4)
  })
})
