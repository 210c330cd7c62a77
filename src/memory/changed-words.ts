/** Which of the memories that were just changed hold a word. */
export class ChangedWords {
  readonly #ids = new Map<string, Set<string>>()

  /** A memory holds these words from now on, too: what it held before may be found as well. */
  put(id: string, words: Iterable<string>): void {
    for (const word of words) {
      const ids = this.#ids.get(word) ?? new Set()
      this.#ids.set(word, ids.add(id))
    }
  }

  /** Ids of those that may lack no more than `missing` of these words: of the rarest `missing` + 1 each has one. */
  sharing(words: Iterable<string>, missing: number): Set<string> {
    const found = [...words].map(word => this.#ids.get(word) ?? new Set<string>())
    const rarest = found.sort((one, other) => one.size - other.size).slice(0, missing + 1)
    return new Set(rarest.flatMap(ids => [...ids]))
  }
}
