import type { EntryId } from '#kernel'
import type { Coverage, Entry } from '#journal'
import type { SessionCore } from './core.ts'
import { frontierTypes } from './frontier.ts'

const pageSize = 200

/**
 * The entries of a covered range that a context could show, oldest first: the way back from its last to its first is one,
 * whatever the branch is now.
 */
export async function readRange(core: SessionCore, { first, last }: Pick<Coverage, 'first' | 'last'>): Promise<Entry[]> {
  const found: Entry[] = []
  let from: EntryId | null = last
  while (from !== null) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, types: frontierTypes, limit: pageSize })
    for (const entry of page) {
      if (entry.type !== 'context_edited') found.push(entry)
      if (entry.id === first) return found.reverse()
    }
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
  return found.reverse()
}
