import { invalidInput, type Json } from '#kernel'
import type { TenantStore } from '#journal'
import type { Ledger } from './ledger.ts'
import { type MapCount, type MapHeader, type MapId, type MapResult, readResults, resultOf } from './map-rows.ts'
import type { Runner } from './runner.ts'

/** What is durable when a map has begun. */
export interface MapReceipt {
  readonly map: MapId
  /** `null` while inputs are still to come. */
  readonly total: number | null
}

export interface ResultsOptions {
  /** Leaves out so many of the first results, which somebody has seen. */
  readonly after?: number
}

/**
 * A map being executed. Iterate it for its results in the order in which they come, each index once, those of an earlier
 * process first. `receipt` rejects when the map was refused: then nothing was written.
 */
export interface MapRun<O = Json> extends AsyncIterable<MapResult<O>> {
  readonly id: MapId
  readonly receipt: Promise<MapReceipt>
  /** When the map is over. Rejects with what broke it; it can be resumed then. */
  result(): Promise<MapCount>
  results(options?: ResultsOptions): AsyncGenerator<MapResult<O>, void, undefined>
}

/** A map that was admitted. `runner` is absent for one that has ended before. */
export interface Begun {
  readonly store: TenantStore
  readonly ledger: Ledger
  readonly runner?: Runner
  /** Resolves when nothing goes on any more. */
  readonly over: Promise<void>
}

/** Wakes whoever waits for the next change. */
export class Changes {
  #count = 0
  #wake: () => void = () => undefined
  #next: Promise<void> = new Promise(resolve => (this.#wake = resolve))

  get count(): number {
    return this.#count
  }

  tell(): void {
    this.#count++
    this.#wake()
    this.#next = new Promise(resolve => (this.#wake = resolve))
  }

  async after(count: number): Promise<void> {
    while (this.#count === count) await this.#next
  }
}

const pageLength = 50

/** `onOver` is called before anybody else learns that the map is over or refused. */
export function mapRun<O>(id: MapId, admitted: Promise<Begun>, changes: Changes, onOver: () => void): MapRun<O> {
  let isOver = false
  const begun = admitted.catch((error: unknown) => {
    onOver()
    throw error
  })
  const over = begun
    .then(async ({ over }) => await over)
    .finally(() => {
      isOver = true
      onOver()
      changes.tell()
    })
  over.catch(() => undefined)
  const receipt = begun.then(({ ledger }) => ({ map: id, total: ledger.header.total }))
  receipt.catch(() => undefined)

  async function* results({ after = 0 }: ResultsOptions = {}): AsyncGenerator<MapResult<O>, void, undefined> {
    if (!Number.isSafeInteger(after) || after < 0) throw invalidInput('after', 'Expected a whole number from 0.')
    const { store, runner } = await begun
    for (let at = after; ;) {
      const seen = changes.count
      const ended = isOver
      const page = await readResults(store, id, at, pageLength)
      yield* page as MapResult<O>[]
      at += page.length
      if (page.length > 0) continue
      if (ended) break
      await changes.after(seen)
    }
    await over
    for (const item of runner?.interrupted ?? []) yield resultOf(item) as MapResult<O>
  }

  return {
    id,
    receipt,
    results,
    [Symbol.asyncIterator]: () => results(),
    async result() {
      const { ledger } = await begun
      await over
      return countOf(id, ledger.header)
    },
  }
}

/** What a calling model gets. */
export function countOf(map: MapId, { total, read, succeeded, failed, state }: MapHeader): MapCount {
  const stopped = state === 'ended' ? {} : { stopped: true as const }
  return { map, total: total ?? read, succeeded, failed, ...stopped }
}
