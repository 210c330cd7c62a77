import { isSkeinError } from '#kernel'
import type { Change, TenantStore } from '#journal'
import { withoutVersions } from './closing.ts'
import { type Evidence, isCurrent, type Memory, memoryOf, rowOf } from './memory-types.ts'
import { ownerMark, readBook, toldChange } from './memory-shelf.ts'
import type { Book } from './reconcile.ts'

/** Which evidence of which memory goes. */
export type IsGone = (evidence: Evidence, memory: Memory) => boolean

export interface Unlearnt {
  /** Memories of which nothing is left. */
  readonly gone: readonly Memory[]
  readonly versions: number
  readonly quotes: number
}

/** Who unlearns: what goes with an owner's changes, and that they are written. */
export interface Unlearning {
  also(found: Unlearnt): readonly Change[]
  written(): void
}

const pageSize = 1_000
const tries = 20

/**
 * What is left of a memory's versions once some evidence is gone; undefined if it had none of that. What a version closed that is
 * gone holds again. Pure.
 */
export function versionsLeft({ versions }: Pick<Book, 'versions'>, isGone: IsGone): Memory[] | undefined {
  const kept = versions.map(version => version.evidence.filter(one => !isGone(one, version)))
  if (kept.every((evidence, index) => evidence.length === versions[index]?.evidence.length)) return undefined
  const evidence = new Map(versions.map(({ version }, index) => [version, kept[index] ?? []]))
  const gone = versions.flatMap(({ version }) => (evidence.get(version)?.length === 0 ? [version] : []))
  return withoutVersions(versions, new Set(gone)).map(one => ({ ...one, evidence: evidence.get(one.version) ?? [] }))
}

/** Takes evidence away from every memory of a tenant, and memories without any left, one transaction for each owner. Law M61. */
export async function unlearn(store: TenantStore, isGone: IsGone, unlearning?: Unlearning): Promise<Memory[]> {
  const met = new Map<string, Set<string>>()
  for (let after: string | undefined; ;) {
    const page = await store.memories({ limit: pageSize, ...(after === undefined ? {} : { after }) })
    for (const row of page) {
      const book = row.version === 1 ? { versions: [memoryOf(row)] } : await readBook(store, row.id)
      if (book === undefined || versionsLeft(book, isGone) === undefined) continue
      met.set(row.owner, (met.get(row.owner) ?? new Set()).add(row.id))
    }
    after = page.at(-1)?.id
    if (page.length < pageSize) break
  }
  const gone: Memory[] = []
  for (const [owner, ids] of met) gone.push(...(await unlearnOf(store, owner, ids, isGone, unlearning)))
  return gone
}

async function unlearnOf(
  store: TenantStore,
  owner: string,
  ids: ReadonlySet<string>,
  isGone: IsGone,
  unlearning: Unlearning | undefined,
): Promise<readonly Memory[]> {
  for (let round = 1; ; round++) {
    const mark = await ownerMark(store, owner)
    const left = new Map<string, readonly Memory[]>()
    const read: Book[] = []
    for (const id of ids) {
      const book = await readBook(store, id)
      const versions = book === undefined ? undefined : versionsLeft(book, isGone)
      if (book === undefined || versions === undefined) continue
      read.push(book)
      left.set(id, versions)
    }
    const gone = read.filter(({ id }) => left.get(id)?.length === 0)
    await unlink(store, gone, left)
    if (left.size === 0) return []
    const found: Unlearnt = {
      gone: gone.map(({ versions }) => versions.at(-1) as Memory),
      versions: read.reduce((sum, { id, versions }) => sum + versions.length - (left.get(id)?.length ?? 0), 0),
      quotes: read.reduce((sum, { id, versions }) => sum + quotesIn(versions) - quotesIn(left.get(id) ?? []), 0),
    }
    const changes = [...left].flatMap(([id, versions]) => rewritten(id, versions))
    try {
      await store.commit([toldChange(owner, [...left.keys()], mark), ...changes, ...(unlearning?.also(found) ?? [])])
      unlearning?.written()
      return found.gone
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'store.conflict' || error.details['change'] !== 0 || round >= tries) throw error
    }
  }
}

/** Contradictions are linked both ways: what is gone contradicts nobody any more. */
async function unlink(store: TenantStore, gone: readonly Book[], left: Map<string, readonly Memory[]>): Promise<void> {
  const ids = new Set(gone.map(({ id }) => id))
  for (const id of new Set(gone.flatMap(({ versions }) => versions.flatMap(({ contradicts }) => contradicts)))) {
    const versions = left.get(id) ?? (await readBook(store, id))?.versions ?? []
    if (versions.length > 0)
      left.set(
        id,
        versions.map(version => ({ ...version, contradicts: version.contradicts.filter(other => !ids.has(other)) })),
      )
  }
}

const quotesIn = (versions: readonly Memory[]): number =>
  versions.reduce((sum, { evidence }) => sum + evidence.filter(({ quote }) => quote !== null).length, 0)

/** All rows of a memory anew; the version that counts is the newest row. */
function rewritten(id: string, versions: readonly Memory[]): Change[] {
  const head = versions.findLast(isCurrent) ?? versions.at(-1)
  const rows = head === undefined ? [] : [...versions.filter(version => version !== head), head]
  return [
    { type: 'erase_memory', id },
    ...rows.map((version, index): Change => ({ type: 'put_memory', ...rowOf(version, index + 1) })),
  ]
}
