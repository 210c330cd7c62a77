import { seededRandom } from '#kernel'

/** Choices that are the same for the same seed. */
export interface Draw {
  /** A whole number from 0, below `limit`. */
  below(limit: number): number
  between(low: number, high: number): number
  pick<T>(list: readonly T[]): T
  /** Whether something happens that happens in so many of a hundred cases. */
  percent(share: number): boolean
  shuffled<T>(list: readonly T[]): T[]
}

export function drawing(seed: number): Draw {
  const random = seededRandom(seed)
  const below = (limit: number): number => Math.floor(random.number() * limit)
  return {
    below,
    between: (low, high) => low + below(high - low + 1),
    pick: list => list[below(list.length)] as (typeof list)[number],
    percent: share => below(100) < share,
    shuffled(list) {
      const mixed = [...list]
      for (let at = mixed.length - 1; at > 0; at--) {
        const other = below(at + 1)
        ;[mixed[at], mixed[other]] = [mixed[other] as (typeof mixed)[number], mixed[at] as (typeof mixed)[number]]
      }
      return mixed
    },
  }
}
