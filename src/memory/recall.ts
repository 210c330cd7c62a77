import { SkeinError } from '#kernel'
import type { TenantStore } from '#journal'
import type { Category } from './extractor.ts'
import { heldAt, type Memory } from './memory-types.ts'
import { ownersIn } from './memory-shelf.ts'
import { OwnerIndex } from './recall-index.ts'
import { type Ranked, TextIndex } from './recall-text.ts'
import { type Embedder, vectorRanks } from './recall-vectors.ts'

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

  get embedder(): Embedder | undefined {
    return this.#embedder
  }

  /** What is known of an owner now. */
  async ownerIndex(store: TenantStore, owner: string): Promise<OwnerIndex> {
    const key = `${store.tenant}\n${owner}`
    const kept = this.#kept.get(key) ?? { index: new OwnerIndex(store, owner), reading: Promise.resolve() }
    // The newest stands last.
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const refresh = (): Promise<void> => kept.index.refresh()
    const reading = kept.reading.then(refresh, refresh)
    kept.reading = reading
    await reading
    this.#trim(key)
    return kept.index
  }

  /** Law M71, M72, M73. */
  async search(store: TenantStore, ask: RecallAsk, signal?: AbortSignal): Promise<MemoryHits> {
    if (ask.query.trim() === '') return hits([], [])
    const owners = ask.owners === 'all' ? await ownersIn(store) : [...new Set(ask.owners)]
    const fits = ({ category }: Memory): boolean => ask.categories === undefined || ask.categories.includes(category)
    const found: Partial<Record<Leg, Ranked[]>> = {}
    const memories = new Map<string, Memory>()
    const degraded: string[] = []
    const add = (leg: Leg, ranked: readonly Ranked[]): void => void (found[leg] ??= []).push(...ranked)
    const wanted = this.#embedder === undefined ? undefined : await this.#embedded(ask.query, degraded, signal)
    for (const owner of owners) {
      const index = await this.ownerIndex(store, owner)
      const text = ask.at === undefined ? index.text : await heldThen(index, ask.at)
      const legs: readonly (readonly [Leg, () => Ranked[]])[] = [
        ['fts', () => text.fts(ask.query, fits)],
        this.#embedder === undefined
          ? ['ngram', () => text.ngram(ask.query, fits)]
          : ['vector', () => (wanted === undefined ? [] : vectorRanks(wanted, text, index, fits))],
      ]
      for (const [leg, run] of legs) {
        try {
          const ranked = run()
          add(leg, ranked)
          for (const { id } of ranked) memories.set(id, text.memory(id) as Memory)
        } catch {
          if (!degraded.includes(leg)) degraded.push(leg)
        }
      }
    }
    return hits(fuse(found, memories).slice(0, ask.limit), degraded)
  }

  async #embedded(query: string, degraded: string[], signal?: AbortSignal): Promise<readonly number[] | undefined> {
    try {
      const [vector] = (await this.#embedder?.embed([query], signal ?? AbortSignal.timeout(10_000))) ?? []
      if (vector === undefined || vector.length === 0) throw new SkeinError('provider.rejected', 'The embedder gave no vector.')
      return vector
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

/** An index of what held at a time: of each memory the version that counted then. */
async function heldThen(index: OwnerIndex, at: number): Promise<TextIndex> {
  const text = new TextIndex()
  for (const { id } of index.heads()) {
    const held = (await index.book(id))?.versions.findLast(version => heldAt(version, at))
    if (held !== undefined) text.put(held)
  }
  return text
}

/** Reciprocal ranks, added over the legs; what nobody said in these words counts half. Law M48. */
function fuse(found: Readonly<Partial<Record<Leg, readonly Ranked[]>>>, memories: ReadonlyMap<string, Memory>): MemoryHit[] {
  const fused = new Map<string, { score: number; legs: Partial<Record<Leg, number>> }>()
  for (const leg of ['fts', 'ngram', 'vector'] as const) {
    const ranked = [...(found[leg] ?? [])].sort((one, other) => other.score - one.score || newer(memories, one.id, other.id))
    for (const [index, { id }] of ranked.slice(0, deepest).entries()) {
      const entry = fused.get(id) ?? { score: 0, legs: {} }
      entry.score += 1 / (rankBase + index + 1)
      entry.legs[leg] = index + 1
      fused.set(id, entry)
    }
  }
  const all = [...fused].map(([id, { score, legs }]): MemoryHit => {
    const memory = memories.get(id) as Memory
    return { ...memory, score: memory.inference ? score / 2 : score, legs }
  })
  return all.sort((one, other) => other.score - one.score || newer(memories, one.id, other.id))
}

function newer(memories: ReadonlyMap<string, Memory>, one: string, other: string): number {
  const [mine, its] = [memories.get(one)?.validFrom ?? 0, memories.get(other)?.validFrom ?? 0]
  return its - mine || (one < other ? 1 : -1)
}

function hits(found: readonly MemoryHit[], degraded: readonly string[]): MemoryHits {
  return Object.defineProperty([...found], 'degraded', { value: degraded }) as unknown as MemoryHits
}

/** The owners that may be read, of those that are asked for. Law M76. */
export function ownersAllowed(asked: string | undefined, bound: readonly string[] | 'all'): readonly string[] | 'all' {
  if (asked === undefined) return bound
  return bound === 'all' || bound.includes(asked) ? [asked] : []
}
