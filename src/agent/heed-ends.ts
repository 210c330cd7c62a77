import { isObject, type RunId, type Timers } from '#kernel'
import type { TenantStore } from '#journal'
import type { SessionCore } from '#session'
import type { RunControl } from './active-runs.ts'
import { askedIn, askedTag, runCollection } from './run-row.ts'

/** How often a process that has runs looks whether another wants one of them to end. */
export const heedMs = 2_000

/** The runs of this process on one tenant's store: one look for all of them. */
class Heeded {
  readonly #store: TenantStore
  readonly #timers: Timers
  readonly #runs = new Map<RunId, RunControl>()
  /** Takes the next look back, while one is to come or goes on. */
  #stop: (() => void) | undefined

  constructor(store: TenantStore, timers: Timers) {
    this.#store = store
    this.#timers = timers
  }

  add(run: RunId, control: RunControl): () => void {
    this.#runs.set(run, control)
    if (this.#stop === undefined) this.#lookLater()
    return () => {
      this.#runs.delete(run)
      if (this.#runs.size > 0) return
      this.#stop?.()
      this.#stop = undefined
    }
  }

  #lookLater(): void {
    const stop = this.#timers.after(heedMs, () => {
      if (this.#stop !== stop) return
      void this.#look().finally(() => {
        if (this.#stop === stop) this.#lookLater()
      })
    })
    this.#stop = stop
  }

  async #look(): Promise<void> {
    try {
      for (let cursor: string | undefined; ;) {
        const page = await this.#store.records(runCollection, {
          tag: askedTag,
          limit: 200,
          ...(cursor === undefined ? {} : { cursor }),
        })
        for (const { value } of page.items) if (isObject(value)) this.#heed(value['run'] as RunId, askedIn(value))
        cursor = page.next
        if (cursor === undefined) return
      }
    } catch {
      // A store that is away is asked again.
    }
  }

  #heed(run: RunId, asked: ReturnType<typeof askedIn>): void {
    if (asked !== undefined) this.#runs.get(run)?.[asked.how](asked.reason)
  }
}

const heeded = new WeakMap<TenantStore, Heeded>()

/** Ends a run of this process when another one asks for it, until the returned function is called. */
export function heedEnds({ store, runtime }: SessionCore, run: RunId, control: RunControl): () => void {
  const known = heeded.get(store) ?? new Heeded(store, runtime.timers)
  heeded.set(store, known)
  return known.add(run, control)
}
