import type { CheckpointSaved, NewBlob } from '#journal'
import { type Draft, draft, type Plan } from '#session'
import { type Captured, contentPart } from './file-states.ts'

/** What a commit takes at most of contents, with room for the rest of it. */
const chunkBytes = 96 * 2 ** 20
const chunkFiles = 1_000

export type SaveAs = Pick<CheckpointSaved, 'checkpoint' | 'cause' | 'cwd'> &
  Partial<Pick<CheckpointSaved, 'label' | 'callId' | 'tool'>>

/** The commits that keep what was captured; mostly one, more where its contents are more than a commit takes. Pure. */
export function savePlans({ files, unprotected, blobs }: Captured, as: SaveAs, marks: Partial<Draft> = {}): Plan[] {
  const contents = new Map(blobs.map(blob => [blob.hash, blob]))
  const plans: Plan[] = []
  let left = [...files]
  do {
    const chunk = new Map<string, NewBlob>()
    let [count, bytes] = [0, 0]
    for (const { hash } of left.slice(0, chunkFiles)) {
      const blob = hash === null || chunk.has(hash) ? undefined : contents.get(hash)
      if (count > 0 && bytes + (blob?.bytes.length ?? 0) > chunkBytes) break
      if (blob !== undefined) chunk.set(blob.hash, blob)
      bytes += blob?.bytes.length ?? 0
      count++
    }
    const kept = [...chunk.values()]
    const data: CheckpointSaved = {
      ...as,
      files: left.slice(0, count),
      ...(plans.length > 0 || unprotected.length === 0 ? {} : { unprotected }),
      parts: kept.map(contentPart),
    }
    plans.push({ drafts: [draft('checkpoint_saved', data, marks)], blobs: kept, blobRefs: kept.map(({ id }) => id) })
    left = left.slice(count)
  } while (left.length > 0)
  return plans
}
