import { SkeinError } from '#kernel'
import type { TenantStore } from '#journal'
import type { Category } from './extractor.ts'
import { BestOf } from './best-of.ts'
import type { Memory } from './memory-types.ts'
import { type OwnerMark, ownerMarks } from './memory-shelf.ts'
import { OwnerIndex } from './recall-index.ts'
import { type Fits, type Ranked, ranksBefore, readQuery } from './recall-text.ts'
import { type Asked, type Embedder, unitVector, vectorRanks } from './recall-vectors.ts'

export type Leg = 'fts' | 'ngram' | 'vector'

/** A memory that was found: in which legs, at which rank of each. */
export interface MemoryHit extends Memory {
  readonly score: number
  readonly legs: { readonly [leg in Leg]?: number }
}

/** Best first. `degraded` names legs that failed; what the others found is there. */
export interface MemoryHits extends ReadonlyArray<MemoryHit> {
  readonly degraded: readonly string[]
}

export interface RecallAsk {
  readonly query: string
  /** Whose; `all` of the tenant's. */
  readonly owners: readonly string[] | 'all'
  readonly categories?: readonly Category[]
  /** What held then, superseded and retired ones too. Epoch milliseconds. */
  readonly at?: number
  readonly limit: number
}

/** How many memories are kept in mind over all owners; beyond it the least recently asked owner is read anew. */
const mostKept = 60_000
/** Source: spec/memory.md 12. */
const rankBase = 60
/** How far down a leg counts. */
const deepest = 200

/** Finds memories. What it keeps in mind is made of rows and asked for changes at every search. */
export class Recall {
  readonly #kept = new Map<string, { readonly index: OwnerIndex; reading: Promise<unknown> }>()
  readonly #embedder: Embedder | undefined

  constructor(parts: { readonly embedder?: Embedder | undefined } = {}) {
    this.#embedder = parts.embedder
  }

  /** What is known of an owner now; `mark`: as of then at least. */
  async ownerIndex(store: TenantStore, owner: string, mark?: OwnerMark): Promise<OwnerIndex> {
    const key = `${store.tenant}\n${owner}`
    const kept = this.#kept.get(key) ?? { index: new OwnerIndex(store, owner), reading: Promise.resolve() }
    // The newest stands last.
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const refresh = (): Promise<void> => kept.index.refresh(mark)
    const reading = kept.reading.then(refresh, refresh)
    kept.reading = reading
    await reading
    this.#trim(key)
    return kept.index
  }

  /** Law M71, M72, M73. */
  async search(store: TenantStore, ask: RecallAsk, signal?: AbortSignal): Promise<MemoryHits> {
    if (ask.query.trim() === '') return hits([], [])
    const wanted = readQuery(ask.query)
    const { categories } = ask
    const fits: Fits = memory => categories === undefined || categories.includes(memory.category)
    const best = new Map<Leg, BestOf<Ranked>>()
    const degraded: string[] = []
    const asked = this.#embedder === undefined ? undefined : await this.#embedded(this.#embedder, ask.query, degraded, signal)
    for await (const index of this.indexes(store, ask.owners)) {
      const text = ask.at === undefined ? index.text : await index.heldAt(ask.at)
      const legs: readonly (readonly [Leg, (found: BestOf<Ranked>) => void])[] = [
        ['fts', found => text.fts(wanted, fits, found)],
        ['ngram', found => text.ngram(wanted, fits, found)],
        ...(asked === undefined
          ? []
          : [
              [
                'vector',
                (found: BestOf<Ranked>) => vectorRanks(asked.vector, index.vectors(asked.by), text, fits, found),
              ] as const,
            ]),
      ]
      for (const [leg, run] of legs) {
        const found = best.get(leg) ?? new BestOf<Ranked>(deepest, ranksBefore)
        best.set(leg, found)
        try {
          run(found)
        } catch {
          if (!degraded.includes(leg)) degraded.push(leg)
        }
      }
    }
    return hits(fuse(best).slice(0, ask.limit), degraded)
  }

  /** Of several the marks are read together, so that what is known and has not changed costs no reading of its own. */
  async *indexes(store: TenantStore, owners: readonly string[] | 'all'): AsyncIterable<OwnerIndex> {
    if (owners === 'all') for (const { owner, mark } of await ownerMarks(store)) yield await this.ownerIndex(store, owner, mark)
    else for (const owner of new Set(owners)) yield await this.ownerIndex(store, owner)
  }

  async #embedded(
    embedder: Embedder,
    query: string,
    degraded: string[],
    signal: AbortSignal = AbortSignal.timeout(10_000),
  ): Promise<Asked | undefined> {
    try {
      const [vector] = await embedder.embed([query], signal)
      if (vector === undefined || vector.length === 0) throw new SkeinError('provider.rejected', 'The embedder gave no vector.')
      return { by: embedder.id, vector: unitVector(vector) }
    } catch {
      degraded.push('vector')
      return undefined
    }
  }

  #trim(newest: string): void {
    let total = 0
    for (const { index } of this.#kept.values()) total += index.size + 1
    for (const [key, { index }] of this.#kept) {
      if (total <= mostKept || key === newest) return
      total -= index.size + 1
      this.#kept.delete(key)
    }
  }
}

/** Reciprocal ranks, added over the legs; what nobody said in these words counts half. Law M48. */
function fuse(best: ReadonlyMap<Leg, BestOf<Ranked>>): MemoryHit[] {
  const fused = new Map<string, { readonly memory: Memory; score: number; readonly legs: Partial<Record<Leg, number>> }>()
  for (const [leg, found] of best)
    for (const [index, { memory }] of found.sorted().entries()) {
      const entry = fused.get(memory.id) ?? { memory, score: 0, legs: {} }
      entry.score += 1 / (rankBase + index + 1)
      entry.legs[leg] = index + 1
      fused.set(memory.id, entry)
    }
  const all = [...fused.values()].map(({ memory, score, legs }) => ({
    memory,
    legs,
    score: memory.inference ? score / 2 : score,
  }))
  return all
    .sort((one, other) => (ranksBefore(one, other) ? -1 : 1))
    .map(({ memory, score, legs }): MemoryHit => ({ ...memory, score, legs }))
}

function hits(found: readonly MemoryHit[], degraded: readonly string[]): MemoryHits {
  return Object.defineProperty([...found], 'degraded', { value: degraded }) as unknown as MemoryHits
}

/** The owners that may be read, of those that are asked for. Law M76. */
export function ownersAllowed(asked: string | undefined, bound: readonly string[] | 'all'): readonly string[] | 'all' {
  if (asked === undefined) return bound
  return bound === 'all' || bound.includes(asked) ? [asked] : []
}
