import type { EntryId } from '#kernel'
import type { EntriesQuery, Entry } from '#journal'
import type { SessionCore } from './core.ts'
import { fullEntries } from './summary-nodes.ts'

export interface EntriesOptions extends Pick<EntriesQuery, 'after' | 'before' | 'types' | 'limit'> {
  /** Only those of the branch that ends at the leaf. */
  readonly branch?: boolean
  readonly parts?: 'full' | 'stub'
}

/** The journal by `seq`, entries of every type; at most `limit`, default 100. */
export async function readEntries(core: SessionCore, options: EntriesOptions): Promise<readonly Entry[]> {
  const { branch = false, parts = 'full', after = 0, before, types, limit = 100 } = options
  const row = await core.row()
  const range = { ...(before === undefined ? {} : { before }), ...(types === undefined ? {} : { types }) }
  const found = branch
    ? await branchEntries(core, row.leafId, { ...range, after, limit })
    : await core.store.entries(core.id, { after, limit, ...range })
  return parts === 'stub' ? found : await fullEntries(core, found)
}

async function branchEntries(
  core: SessionCore,
  leaf: EntryId | null,
  { after = 0, before = Infinity, types, limit = 100 }: EntriesOptions,
): Promise<Entry[]> {
  const found: Entry[] = []
  let from = leaf
  while (from !== null) {
    const page: readonly Entry[] = await core.store.branch(core.id, {
      from,
      limit: 500,
      ...(types === undefined ? {} : { types }),
    })
    found.push(...page.filter(entry => entry.seq > after && entry.seq < before))
    const last = page.at(-1)
    from = page.length < 500 || last === undefined || last.seq <= after ? null : last.parentId
  }
  return found.reverse().slice(0, limit)
}
