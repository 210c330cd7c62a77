import { given, isObject } from '#kernel'
import type { Change, RecordRow, TenantStore } from '#journal'
import { isCurrent, type Memory, memoryOf, rowOf } from './memory-types.ts'
import type { Book, Shelf } from './reconcile.ts'

/** One record per owner: its version counts the changes to that owner's memories, and it names the last ones. */
export const ownerCollection = 'memory_owner'
const mostTold = 200

/** Which ids changed, with the version of the owner's record that came of it. */
export type OwnerLog = readonly (readonly [version: number, ids: readonly string[]])[]

export interface OwnerMark {
  readonly version: number
  readonly log: OwnerLog
}

export async function ownerMark(store: TenantStore, owner: string): Promise<OwnerMark> {
  return markOf(await store.record(ownerCollection, owner))
}

function markOf(record: RecordRow | undefined): OwnerMark {
  if (record === undefined) return { version: 0, log: [] }
  const log = isObject(record.value) ? (record.value['log'] as unknown as OwnerLog) : []
  return { version: record.version, log }
}

/** Every owner that anything was ever learnt of. */
export async function ownerMarks(store: TenantStore): Promise<{ readonly owner: string; readonly mark: OwnerMark }[]> {
  const found: { readonly owner: string; readonly mark: OwnerMark }[] = []
  for (let cursor: string | undefined; ;) {
    const page = await store.records(ownerCollection, { limit: 1_000, ...given({ cursor }) })
    found.push(...page.items.map(record => ({ owner: record.key, mark: markOf(record) })))
    if (page.next === undefined) return found
    cursor = page.next
  }
}

/** A book with all its versions, each as it was written last; undefined for an unknown id. */
export async function readBook(store: TenantStore, id: string): Promise<Book | undefined> {
  const rows = await store.memory(id)
  const last = rows.at(-1)
  if (last === undefined) return undefined
  const versions = new Map<number, Memory>()
  for (const row of rows) {
    const memory = memoryOf(row)
    versions.set(memory.version, memory)
  }
  return {
    id,
    versions: [...versions.values()].sort((one, other) => one.version - other.version),
    row: last.version,
    head: memoryOf(last).version,
  }
}

/**
 * What writes the changed books of a shelf, if nobody else changed that owner's memories since `mark` was read. A version is
 * written in its place while its row is the newest, else anew behind it; the version that counts is always the newest row.
 */
export function shelfChanges(shelf: Shelf, before: ReadonlyMap<string, Book>, mark: OwnerMark): Change[] {
  if (shelf.changed.size === 0) return []
  const told = toldChange(shelf.owner, [...shelf.changed], mark)
  return [told, ...[...shelf.changed].flatMap(id => bookChanges(shelf.books.get(id) as Book, before.get(id)))]
}

/** Tells every index of an owner what changed since `mark`, and refuses if somebody else did so meanwhile. */
export function toldChange(owner: string, ids: readonly string[], mark: OwnerMark): Change {
  const log = lastTold([...mark.log, [mark.version + 1, ids]])
  return {
    type: 'put_record',
    collection: ownerCollection,
    key: owner,
    value: { log: log as never },
    expectVersion: mark.version,
  }
}

/** The last change, and as many before it as name no more than the most together: it is read at every search. */
function lastTold(log: OwnerLog): OwnerLog {
  let told = 0
  const from = log.findLastIndex(([, ids]) => (told += ids.length) > mostTold)
  return log.slice(Math.min(from + 1, log.length - 1))
}

function bookChanges(book: Book, before: Book | undefined): Change[] {
  const unchanged = new Set(before?.versions)
  const changed = book.versions.filter(version => !unchanged.has(version))
  const head = book.versions.findLast(isCurrent) ?? (book.versions.at(-1) as Memory)
  const order = [...changed.filter(version => version.version !== head.version)]
  // In its place, if its row is still the newest.
  order.sort((one, other) => Number(other.version === book.head) - Number(one.version === book.head))
  if (order.length > 0 || changed.includes(head)) order.push(head)
  let row = book.row
  let newestIs = book.head
  const changes: Change[] = []
  for (const memory of order) {
    if (memory === head && !changed.includes(head) && newestIs === head.version) continue
    if (memory.version !== newestIs) row++
    newestIs = memory.version
    changes.push({ type: 'put_memory', ...rowOf(memory, row) })
  }
  return changes
}
