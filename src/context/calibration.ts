/** How many samples a factor is made of, and how many it takes at least. */
export const keptSamples = 20
const fewestSamples = 3
const least = 0.5
const most = 3

/**
 * Real tokens per estimated one: the median of the last 20 samples within 0.5 and 3, and 1 until there are three. It moves
 * triggers, never bytes. Source: spec/context.md 1, law C5.
 */
export function factorOf(samples: readonly number[]): number {
  const sorted = samples
    .filter(isSample)
    .slice(-keptSamples)
    .sort((a, b) => a - b)
  if (sorted.length < fewestSamples) return 1
  const middle = sorted.length / 2
  const median = ((sorted[Math.ceil(middle) - 1] ?? 1) + (sorted[Math.floor(middle)] ?? 1)) / 2
  return Math.min(most, Math.max(least, median))
}

/**
 * The samples with one more: reported prompt tokens (input, cache read and cache writes) by the raw estimate of that request.
 * Without either it is no sample, and the same list comes back.
 */
export function addSample(
  samples: readonly number[],
  reported: number | null | undefined,
  rawEstimate: number,
): readonly number[] {
  const sample = Math.round(((reported ?? 0) / rawEstimate) * 10_000) / 10_000
  return isSample(sample) ? [...samples, sample].slice(-keptSamples) : samples
}

const isSample = (sample: number): boolean => Number.isFinite(sample) && sample > 0
