/** Longest id that every provider takes, of `[A-Za-z0-9_-]`. */
export const maxCallId = 64
const sound = /^[A-Za-z0-9_-]{1,64}$/

export const isCallId = (id: string): boolean => sound.test(id)

/**
 * Names calls one after the other: by their own id, if that is one and no earlier call has it, else by the first free name
 * made of it. The same calls get the same names, also when more follow. Law C36.
 */
export class CallIds {
  readonly #taken = new Set<string>()
  /** From where on to count for a name that was taken: what is below is taken, too. */
  readonly #next = new Map<string, number>()

  name(id: string): string {
    const base = isCallId(id) ? id : id.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, maxCallId) || 'call'
    let name = base
    let count = this.#next.get(base) ?? 2
    for (; this.#taken.has(name); count++) {
      const tail = `-${count}`
      name = base.slice(0, maxCallId - tail.length) + tail
    }
    this.#next.set(base, count)
    this.#taken.add(name)
    return name
  }
}
