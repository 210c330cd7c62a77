import { isSkeinError, type NewId, SkeinError } from '#kernel'
import type { Change, JobRow, MemoryRow } from '#journal'
import type { JobDone, JobWork } from '#jobs'
import type { Runtime } from '#session'
import { ownerMark, toldChange } from './memory-shelf.ts'
import { embeddedBy, isCurrent, memoryOf } from './memory-types.ts'
import type { Embedder } from './recall-vectors.ts'

export const embedKind = 'memory.embed'

const pageSize = 1_000
const batch = 64
const tries = 20

/** Vectors for what an owner's memories say by now; one job of an owner waits at a time. */
export function embedLater(ids: NewId, owner: string): Change {
  return {
    type: 'enqueue',
    job: { id: ids('job'), kind: embedKind, key: owner, payload: { owner }, maxAttempts: 8 },
    uniqueKey: owner,
  }
}

/** The work of `memory.embed`: every current memory of an owner without a vector of this embedder gets one. */
export function embedWork({ store }: Pick<Runtime, 'store'>, embedder: Embedder): JobWork {
  return { schema: 1, timeoutMs: 60_000, run: (job, signal) => embedAll(store, embedder, job, signal) }
}

async function embedAll(all: Runtime['store'], embedder: Embedder, job: JobRow, signal: AbortSignal): Promise<JobDone> {
  const store = all.in(job.tenant)
  const { owner } = job.payload as { readonly owner: string }
  const claim: Change = { type: 'require', that: { claim: { job: job.id, fence: job.fence } } }
  const wants = (row: MemoryRow): boolean => isCurrent(memoryOf(row)) && embeddedBy(row) !== embedder.id
  let embedded = 0
  for (let after: string | undefined; ;) {
    const page = await store.memories({ owner, limit: pageSize, ...(after === undefined ? {} : { after }) })
    const wanting = page.filter(wants)
    for (let from = 0; from < wanting.length; from += batch) {
      signal.throwIfAborted()
      const rows = wanting.slice(from, from + batch)
      const vectors = await vectorsOf(embedder, rows, signal)
      for (let round = 1; ; round++) {
        const mark = await ownerMark(store, owner)
        const puts: Change[] = []
        for (const [index, row] of rows.entries()) {
          const newest = (await store.memory(row.id)).at(-1)
          // What says something else by now is embedded by the job that came with that.
          if (newest === undefined || newest.version !== row.version || newest.text !== row.text) continue
          const { embedding: _old, data, ...rest } = newest
          puts.push({ type: 'put_memory', ...rest, data: { ...data, embedder: embedder.id }, embedding: vectors[index] ?? [] })
        }
        if (puts.length === 0) break
        try {
          await store.commit([
            claim,
            toldChange(
              owner,
              rows.map(({ id }) => id),
              mark,
            ),
            ...puts,
          ])
          embedded += puts.length
          break
        } catch (error) {
          if (!isSkeinError(error) || error.code !== 'store.conflict' || error.details['change'] === 0 || round >= tries)
            throw error
        }
      }
    }
    after = page.at(-1)?.id
    if (page.length < pageSize) return { result: { embedded } }
  }
}

async function vectorsOf(
  embedder: Embedder,
  rows: readonly MemoryRow[],
  signal: AbortSignal,
): Promise<readonly (readonly number[])[]> {
  const vectors = await embedder.embed(
    rows.map(({ text }) => text),
    signal,
  )
  const isWhole = vectors.length === rows.length && vectors.every(one => one.length > 0 && one.every(Number.isFinite))
  if (!isWhole) throw new SkeinError('provider.rejected', 'The embedder did not give a vector of numbers for each text.')
  return vectors
}
