/** Writes to maps and lists that can be taken back, for rows held in memory. */
export class UndoLog {
  #steps: (() => void)[] = []

  /** Runs `work`; if it throws, everything that was written through this log meanwhile is taken back. */
  transaction<T>(work: () => T): T {
    this.#steps = []
    try {
      return work()
    } catch (error) {
      for (const step of this.#steps.reverse()) step()
      throw error
    }
  }

  /** Remembers how a write that was made elsewhere is taken back. */
  add(step: () => void): void {
    this.#steps.push(step)
  }

  set<K, V>(map: Map<K, V>, key: K, value: V): void {
    const had = map.has(key)
    const before = map.get(key) as V
    map.set(key, value)
    this.#steps.push(() => (had ? map.set(key, before) : map.delete(key)))
  }

  /** Whether there was something to delete. */
  delete<K, V>(map: Map<K, V>, key: K): boolean {
    if (!map.has(key)) return false
    const before = map.get(key) as V
    map.delete(key)
    this.#steps.push(() => map.set(key, before))
    return true
  }

  push<T>(list: T[], ...items: readonly T[]): void {
    const length = list.length
    list.push(...items)
    this.#steps.push(() => void list.splice(length))
  }

  keep<T>(list: T[], wanted: (item: T) => boolean): void {
    const before = [...list]
    list.splice(0, list.length, ...before.filter(wanted))
    this.#steps.push(() => void list.splice(0, list.length, ...before))
  }
}
