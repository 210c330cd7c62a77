/** The best of many, best first, without sorting them all. `before`: whether one goes before another, a total order. */
export class BestOf<T> {
  readonly #most: number
  readonly #before: (one: T, other: T) => boolean
  /** A heap with the last of the kept on top. */
  readonly #heap: T[] = []

  constructor(most: number, before: (one: T, other: T) => boolean) {
    this.#most = most
    this.#before = before
  }

  add(item: T): void {
    if (this.#heap.length < this.#most) {
      this.#heap.push(item)
      this.#rise(this.#heap.length - 1)
    } else if (this.#most > 0 && this.#before(item, this.#heap[0] as T)) {
      this.#heap[0] = item
      this.#sink()
    }
  }

  sorted(): T[] {
    return this.#heap.sort((one, other) => (this.#before(one, other) ? -1 : 1))
  }

  #rise(from: number): void {
    const heap = this.#heap
    const item = heap[from] as T
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(heap[parent] as T, item)) break
      heap[at] = heap[parent] as T
      at = parent
    }
    heap[at] = item
  }

  #sink(): void {
    const heap = this.#heap
    const item = heap[0] as T
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#before(heap[child] as T, heap[child + 1] as T)) child++
      if (!this.#before(item, heap[child] as T)) break
      heap[at] = heap[child] as T
      at = child
    }
    heap[at] = item
  }
}
