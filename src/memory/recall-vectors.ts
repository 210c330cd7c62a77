import type { BestOf } from './best-of.ts'
import type { Fits, Ranked, TextIndex } from './recall-text.ts'

/** Turns texts into vectors, one for each, all of one length. */
export interface Embedder {
  /** Vectors of another id are never compared with its own. */
  readonly id: string
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly number[])[]>
}

/** A query's vector, of length 1, and whose. */
export interface Asked {
  readonly by: string
  readonly vector: Float32Array
}

/** By the cosine of vectors, every one of the owner's compared exactly. */
export function vectorRanks(
  wanted: Float32Array,
  vectors: Iterable<readonly [id: string, vector: Float32Array]>,
  text: TextIndex,
  fits: Fits,
  found: BestOf<Ranked>,
): void {
  for (const [id, vector] of vectors) {
    const memory = vector.length === wanted.length ? text.memory(id) : undefined
    if (memory === undefined || !fits(memory)) continue
    let score = 0
    for (let at = 0; at < wanted.length; at++) score += (wanted[at] as number) * (vector[at] as number)
    if (score > 0) found.add({ memory, score })
  }
}

/** A vector of length 1 that points where this one does. */
export function unitVector(vector: readonly number[]): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) || 1
  return Float32Array.from(vector, value => value / length)
}
