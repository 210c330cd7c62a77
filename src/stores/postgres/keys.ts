import type { EntryId, Json } from '#kernel'
import { SkeinError } from '#kernel'
import type { Committed, Durability, Result } from '#journal'
import { answerOf, type Outline } from './hot-plan.ts'
import { countersFrom } from './session-row.ts'

export const keySelect = 'key, digest, at, until, durability, memo, answer, head, leaf'

/** What a key was answered with. Throws `idempotency.mismatch` for another digest. Laws J23 to J25. */
export function replayOf(row: Record<string, unknown>, digest: string | undefined): Committed {
  if ((row['digest'] ?? undefined) !== digest)
    throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for something else.')
  const memo = row['memo'] as string | null
  return {
    at: row['at'] as number,
    durability: row['durability'] as Durability,
    replayed: true,
    results: resultsOf(row),
    ...(memo === null ? {} : { memo: JSON.parse(memo) as Json }),
  }
}

function resultsOf(row: Record<string, unknown>): readonly Result[] {
  const answer = JSON.parse(row['answer'] as string) as unknown
  if (row['head'] === null) return answer as readonly Result[]
  const [seq = 0, token = 0, until = 0, ...sums] = (row['head'] as string[]).map(Number)
  return answerOf(answer as Outline, { seq, token, until, leaf: row['leaf'] as EntryId | null, counters: countersFrom(sums) })
}
