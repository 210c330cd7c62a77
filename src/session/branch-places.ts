import type { EntryId } from '#kernel'
import { type Entry, isType, type SessionRow } from '#journal'
import type { SessionCore } from './core.ts'
import { isShown } from './read-messages.ts'

/** The branch's entries that a context can show, oldest first, and where each stands. */
export interface BranchPlaces {
  readonly ids: readonly EntryId[]
  readonly seqs: readonly number[]
  readonly at: ReadonlyMap<EntryId, number>
}

export const contentTypes: readonly string[] = ['message_added', 'custom', 'context_noted']

/** Messages, notes and entries of a caller's own with a text: what is shown, covered or hidden, and nothing else. */
export const isContent = (entry: Entry): boolean => isShown(entry) || isType(entry, 'context_noted')

const pageSize = 500

interface Known {
  readonly leafId: EntryId
  readonly ids: EntryId[]
  readonly seqs: number[]
  readonly at: Map<EntryId, number>
}
const known = new WeakMap<SessionCore['memory'], Known>()

/** Reads the branch once and from then on what came since; for whoever searches or explains, not for a request. */
export async function branchPlaces(core: Pick<SessionCore, 'id' | 'store' | 'memory'>, row: SessionRow): Promise<BranchPlaces> {
  const { memory } = core
  const before = known.get(memory)
  if (row.leafId === null) return { ids: [], seqs: [], at: new Map() }
  if (before?.leafId === row.leafId) return before
  const since: Entry[] = []
  let anchor = -1
  for (let from: EntryId | null = row.leafId; from !== null && anchor < 0;) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, types: contentTypes, limit: pageSize })
    for (const entry of page) {
      anchor = before?.at.get(entry.id) ?? -1
      if (anchor >= 0) break
      if (isContent(entry)) since.push(entry)
    }
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
  since.reverse()
  const ids = [...(before?.ids.slice(0, anchor + 1) ?? []), ...since.map(({ id }) => id)]
  const seqs = [...(before?.seqs.slice(0, anchor + 1) ?? []), ...since.map(({ seq }) => seq)]
  const places = { leafId: row.leafId, ids, seqs, at: new Map(ids.map((id, at) => [id, at])) }
  known.set(memory, places)
  return places
}
