import type { Memory } from './memory-types.ts'
import type { OwnerIndex } from './recall-index.ts'
import type { Ranked, TextIndex } from './recall-text.ts'

/** Turns texts into vectors, one for each, all of one length. */
export interface Embedder {
  /** Vectors of another id are never compared with its own. */
  readonly id: string
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[]>
}

/** By the cosine of vectors, every one of the owner's compared exactly. */
export function vectorRanks(
  wanted: readonly number[],
  text: TextIndex,
  index: OwnerIndex,
  fits: (memory: Memory) => boolean,
): Ranked[] {
  const found: Ranked[] = []
  const own = lengthOf(wanted)
  for (const { id } of index.heads()) {
    const memory = text.memory(id)
    const vector = index.embedding(id)
    if (memory === undefined || vector === null || vector.length !== wanted.length || !fits(memory)) continue
    const dot = wanted.reduce((sum, value, at) => sum + value * (vector[at] as number), 0)
    const score = dot / (own * lengthOf(vector) || 1)
    if (score > 0) found.push({ id, score })
  }
  return found
}

const lengthOf = (vector: readonly number[]): number => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
