import { type Id, isId, isSkeinError, type JobId, type Json, SkeinError } from '#kernel'
import type { Change, TenantStore } from '#journal'
import type { Runtime } from '#session'
import { ChangedWords } from './changed-words.ts'
import { heldBefore } from './closing.ts'
import { ownerIn, type Memory } from './memory-types.ts'
import { readBook, shelfChanges } from './memory-shelf.ts'
import { type RangeRow, rangesOf } from './ranges.ts'
import type { Recall } from './recall.ts'
import type { Book, Shelf } from './reconcile.ts'

export type UndoTarget = string | { readonly archive: string } | { readonly job: string }

export interface Touched {
  readonly id: string
  readonly uri: string
  readonly version: number
}

/** What an undo did. It stays readable under its id. */
export interface Receipt {
  readonly id: string
  readonly of: 'undo'
  readonly at: number
  readonly retired: readonly Touched[]
  /** Versions that are in force again. */
  readonly reopened: readonly Touched[]
  /** Versions that a later one stands on. */
  readonly kept: readonly Touched[]
}

/** A receipt without what belongs to others; null if that is all of it. Law M76. */
export function receiptFor(receipt: Receipt, mayRead: (owner: string) => boolean): Receipt | null {
  const isSeen = ({ uri }: Touched): boolean => mayRead(ownerIn(uri) ?? '')
  const [retired, reopened, kept] = [receipt.retired, receipt.reopened, receipt.kept].map(touched => touched.filter(isSeen))
  const seen: Receipt = { ...receipt, retired: retired ?? [], reopened: reopened ?? [], kept: kept ?? [] }
  const count = (one: Receipt): number => one.retired.length + one.reopened.length + one.kept.length
  return count(seen) === 0 && count(receipt) > 0 ? null : seen
}

export const receiptCollection = 'memory_receipt'
const tries = 20

interface UndoParts {
  readonly runtime: Pick<Runtime, 'clock' | 'ids'>
  readonly store: TenantStore
  readonly recall: Recall
  mayChange(owner: string): boolean
}

/**
 * Retires what a memory's newest version, a job or the ranges of an archive added, and opens again what that closed. Again:
 * nothing more. Learning from the same words does not bring it back. Law M60.
 */
export async function undo(parts: UndoParts, target: UndoTarget): Promise<Receipt> {
  const { store, runtime } = parts
  for (let round = 1; ; round++) {
    const chosen = await chosenBy(parts, target)
    const receipt = { retired: [] as Touched[], reopened: [] as Touched[], kept: [] as Touched[] }
    const at = runtime.clock.now()
    const changes: Change[] = []
    for (const [owner, books] of chosen) {
      const { mark } = await parts.recall.ownerIndex(store, owner)
      const before = new Map<string, Book>()
      for (const id of books.keys()) {
        const book = await readBook(store, id)
        if (book !== undefined) before.set(id, book)
      }
      const shelf: Shelf = {
        owner,
        books: new Map(before),
        changed: new Set(),
        fresh: new ChangedWords(),
        keys: new Map(),
        near: () => [],
        taught: new Set(),
      }
      for (const [id, isMeant] of books) takeBack(shelf, id, isMeant, at, receipt)
      changes.push(...shelfChanges(shelf, before, mark))
    }
    const told: Receipt = { id: runtime.ids('evt'), of: 'undo', at, ...receipt }
    const kept: Change = { type: 'put_record', collection: receiptCollection, key: told.id, value: told as unknown as Json }
    try {
      await store.commit([...changes, kept])
      return told
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'store.conflict' || round >= tries) throw error
    }
  }
}

/** Whether a version of a book is one that is to be taken back. */
type IsMeant = (version: Memory, book: Book) => boolean

function takeBack(
  shelf: Shelf,
  id: string,
  isMeant: IsMeant,
  now: number,
  receipt: { readonly retired: Touched[]; readonly reopened: Touched[]; readonly kept: Touched[] },
): void {
  const book = shelf.books.get(id)
  if (book === undefined) return
  // The newest first, so that what it stood on may follow.
  for (const { version } of [...book.versions].reverse()) {
    const held = shelf.books.get(id) as Book
    const found = held.versions.find(one => one.version === version) as Memory
    if (found.retiredAt !== null || !isMeant(found, book)) continue
    const isClosedByAnother = found.validTo !== null && held.versions.some(one => isAfter(one, found))
    if (isClosedByAnother) {
      receipt.kept.push(touched(found))
      continue
    }
    const closed = heldBefore(held.versions, found)
    const versions = held.versions.map(one => {
      if (one === found) return { ...one, retiredAt: now }
      return one === closed ? { ...one, validTo: null } : one
    })
    shelf.books.set(id, { ...held, versions })
    shelf.changed.add(id)
    receipt.retired.push(touched(found))
    if (closed !== undefined) receipt.reopened.push(touched(closed))
  }
}

const isAfter = (one: Memory, other: Memory): boolean =>
  one.retiredAt === null && one.version > other.version && one.validFrom >= (other.validTo ?? Infinity)

const touched = ({ id, uri, version }: Memory): Touched => ({ id, uri, version })

/** By owner the books that are meant, and which of their versions. */
async function chosenBy(parts: UndoParts, target: UndoTarget): Promise<Map<string, Map<string, IsMeant>>> {
  const { store } = parts
  if (typeof target === 'string') {
    const book = isId('mem', target) ? await readBook(store, target) : undefined
    const newest = book?.versions.at(-1)
    if (newest === undefined || !parts.mayChange(newest.owner)) throw unknown('memory', target)
    // Once that is retired, an older one that is in force again is not meant.
    return new Map([[newest.owner, new Map([[target, version => version.version === newest.version]])]])
  }
  const ranges = 'job' in target ? await rangesOfJob(store, target.job) : await rangesOfArchive(store, target.archive)
  const jobs = new Set(ranges.flatMap(({ job }) => job ?? []))
  const chosen = new Map<string, Map<string, IsMeant>>()
  for (const uri of new Set(ranges.flatMap(({ outcome }) => outcome?.applied.map(applied => applied.uri) ?? []))) {
    const owner = ownerIn(uri)
    if (owner === undefined || !parts.mayChange(owner)) continue
    for (const memory of (await parts.recall.ownerIndex(store, owner)).heads()) {
      if (memory.uri !== uri) continue
      const books = chosen.get(owner) ?? new Map<string, IsMeant>()
      books.set(memory.id, ({ source }) => jobs.has(source.job))
      chosen.set(owner, books)
    }
  }
  return chosen
}

/** A job is forgotten after a week, its ranges never: then they are looked for. */
async function rangesOfJob(store: TenantStore, job: string): Promise<RangeRow[]> {
  const row = isId('job', job) ? await store.job(job as JobId) : undefined
  if (row?.session === null) return []
  const ranges = await rangesOf(store, row?.session)
  const found = ranges.flatMap(range => (range.row.job === job || range.row.of?.job === job ? [range.row] : []))
  if (row === undefined && found.length === 0) throw unknown('job', job)
  return found
}

async function rangesOfArchive(store: TenantStore, archive: string): Promise<RangeRow[]> {
  const row = isId('arc', archive) ? await store.archive(archive) : undefined
  if (row === undefined) throw unknown('archive', archive)
  const ranges = await rangesOfSession(store, row.session)
  return ranges.filter(({ fromSeq, toSeq }) => fromSeq >= row.fromSeq && toSeq <= row.toSeq)
}

async function rangesOfSession(store: TenantStore, session: Id<'ses'>): Promise<RangeRow[]> {
  return (await rangesOf(store, session)).map(({ row }) => row)
}

function unknown(noun: 'memory' | 'job' | 'archive', id: string): SkeinError {
  return new SkeinError(`${noun}.not_found`, `There is no ${noun} ${id}.`, { details: { [noun]: id } })
}
