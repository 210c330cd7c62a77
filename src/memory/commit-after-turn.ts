import type { JobId } from '#kernel'
import type { SessionCore } from '#session'
import type { ArchiveId, CommitCause } from './archive-row.ts'
import { commitDue } from './commit-triggers.ts'
import { liveCounts } from './live-counts.ts'
import type { MemoryParts } from './memory-parts.ts'

/** What became of a turn that a host told of. */
export type AfterTurned =
  | { readonly status: 'no_new_messages' }
  | { readonly status: 'accumulating'; readonly liveTokens: number }
  | {
      readonly status: 'queued'
      readonly archive: ArchiveId
      readonly jobs: readonly JobId[]
      readonly cause: CommitCause
      readonly liveTokens: number
    }

/** Checks the policy after what was appended. Law M43. */
export async function afterAppend(core: SessionCore, parts: MemoryParts, traceId?: string): Promise<AfterTurned> {
  const sealed = await commitDue(core, parts, traceId)
  const { liveTokens } = await liveCounts(core, await core.row())
  if (sealed?.archived !== true) return { status: 'accumulating', liveTokens }
  const { archive, jobs, cause } = sealed
  return { status: 'queued', archive, jobs, cause, liveTokens }
}
