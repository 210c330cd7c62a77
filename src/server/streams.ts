import { SkeinError } from '#kernel'

/** Counts event streams that are open. */
export class Streams {
  readonly #max: number
  readonly #open = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  get count(): number {
    return [...this.#open.values()].reduce((sum, open) => sum + open, 0)
  }

  /** Takes a place; the returned function gives it back, once. Throws `rate.limited`. */
  enter(tenant: string): () => void {
    const open = this.#open.get(tenant) ?? 0
    if (open >= this.#max) {
      throw new SkeinError('rate.limited', `At most ${this.#max} event streams at once. Close one.`, {
        details: { max: this.#max, retryAfterMs: 1_000 },
      })
    }
    this.#open.set(tenant, open + 1)
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      const rest = (this.#open.get(tenant) ?? 1) - 1
      if (rest === 0) this.#open.delete(tenant)
      else this.#open.set(tenant, rest)
    }
  }
}
