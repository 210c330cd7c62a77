import { given, type SessionId } from '#kernel'
import type { Change, TenantStore } from '#journal'

/** Where rooms keep things of a session in records that carry it as a tag. */
const tagged = [
  'job.step',
  'answer',
  'memory_range',
  'memory_summary',
  'memory_rewound',
  'run',
  'approval',
  'input',
  'rewind',
  'compaction',
  'import.og',
] as const
/** Where its id is the key. */
const keyed = ['commit.prepared'] as const

/** What takes away all that any room keeps of a session beside its own rows. */
export async function forgetSession(store: Pick<TenantStore, 'records'>, session: SessionId): Promise<Change[]> {
  const found = await Promise.all(tagged.map(collection => forgetTagged(store, collection, session)))
  return [...found.flat(), ...keyed.map((collection): Change => ({ type: 'delete_record', collection, key: session }))]
}

/** What takes away one collection's records of a session. */
export async function forgetTagged(
  store: Pick<TenantStore, 'records'>,
  collection: string,
  session: SessionId,
): Promise<Change[]> {
  const found: Change[] = []
  for (let cursor: string | undefined; ;) {
    const page = await store.records(collection, { tag: session, limit: 200, ...given({ cursor }) })
    found.push(...page.items.map(({ key }): Change => ({ type: 'delete_record', collection, key })))
    if (page.next === undefined) return found
    cursor = page.next
  }
}
