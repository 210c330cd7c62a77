import type { MemoryRow, TenantStore } from '#journal'
import { SkeinError } from '#kernel'
import { embeddedBy, heldAt, isCurrent, type Memory, memoryOf } from './memory-types.ts'
import { ownerMark, type OwnerMark, readBook } from './memory-shelf.ts'
import { TextIndex } from './recall-text.ts'
import { unitVector } from './recall-vectors.ts'
import type { Book } from './reconcile.ts'

const pageSize = 1_000
const tries = 5
/** For how many times it is kept what held. */
const mostHeld = 4

/** What is known of one owner as of `mark`. `heads`: of each memory the newest row. */
export class OwnerIndex {
  readonly owner: string
  readonly #store: TenantStore
  readonly #heads = new Map<string, { readonly memory: Memory; readonly row: number }>()
  readonly #books = new Map<string, Promise<Book | undefined>>()
  /** Those that are in force no more. */
  readonly #past = new Set<string>()
  /** The current ones. */
  readonly text: TextIndex = new TextIndex()
  readonly #vectors = new Map<string, { readonly by: string | undefined; readonly vector: Float32Array }>()
  /** What held at the times that were asked for last, as of the mark. */
  readonly #held = new Map<number, Promise<TextIndex>>()
  #mark: OwnerMark | undefined

  constructor(store: TenantStore, owner: string) {
    this.#store = store
    this.owner = owner
  }

  get size(): number {
    return this.#heads.size
  }

  get mark(): OwnerMark {
    return this.#mark ?? { version: 0, log: [] }
  }

  heads(): Iterable<Memory> {
    return [...this.#heads.values()].map(({ memory }) => memory)
  }

  /** Ids of memories that may lack no more than `missing` of these words, and of all that are in force no more. */
  *near(words: ReadonlySet<string>, missing: number): Iterable<string> {
    yield* this.text.sharing(words, missing)
    yield* this.#past
  }

  /** Of length 1 each, by id; those that an embedder made. */
  *vectors(embedder: string): Iterable<readonly [id: string, vector: Float32Array]> {
    for (const [id, { by, vector }] of this.#vectors) if (by === embedder) yield [id, vector]
  }

  /** What held at a time: of each memory the version that counted then. */
  async heldAt(at: number): Promise<TextIndex> {
    const known = this.#held.get(at) ?? this.#readHeld(at)
    this.#held.delete(at)
    this.#held.set(at, known)
    known.catch(() => this.#held.delete(at))
    for (const oldest of this.#held.keys()) if (this.#held.size > mostHeld) this.#held.delete(oldest)
    return await known
  }

  async #readHeld(at: number): Promise<TextIndex> {
    const text = new TextIndex()
    for (const { id } of this.heads()) {
      const held = (await this.book(id))?.versions.findLast(version => heldAt(version, at))
      if (held !== undefined) text.put(held)
    }
    return text
  }

  /** All versions of a memory. */
  async book(id: string): Promise<Book | undefined> {
    const head = this.#heads.get(id)
    if (head === undefined) return undefined
    if (head.row === 1) return shallow(head.memory, 1)
    const reading = this.#books.get(id) ?? readBook(this.#store, id)
    this.#books.set(id, reading)
    reading.catch(() => this.#books.delete(id))
    return await reading
  }

  /** Every memory as a book of its newest version alone; one that is to be changed has to be read whole first. */
  shallowBooks(): Map<string, Book> {
    return new Map([...this.#heads].map(([id, { memory, row }]) => [id, shallow(memory, row)]))
  }

  /** Reads what changed since it was read last; a single row if nothing did, none if `seen` says so. */
  async refresh(seen?: OwnerMark): Promise<void> {
    if (seen !== undefined && this.#mark !== undefined && this.#mark.version >= seen.version) return
    for (let round = 1; ; round++) {
      const mark = await ownerMark(this.#store, this.owner)
      if (this.#mark !== undefined && mark.version === this.#mark.version) return
      const changed = this.#mark === undefined ? undefined : changedSince(this.#mark.version, mark)
      const rows = changed === undefined ? await this.#all() : await this.#some(changed)
      const after = await ownerMark(this.#store, this.owner)
      if (after.version === mark.version) {
        if (changed === undefined) this.#forget()
        for (const [id, row] of rows) this.#put(id, row)
        this.#held.clear()
        this.#mark = mark
        return
      }
      if (round >= tries) throw new SkeinError('store.conflict', `The memories of one owner change too fast to be read.`)
    }
  }

  async #all(): Promise<Map<string, MemoryRow>> {
    const rows = new Map<string, MemoryRow>()
    for (let after: string | undefined; ;) {
      const page = await this.#store.memories({ owner: this.owner, limit: pageSize, ...(after === undefined ? {} : { after }) })
      for (const row of page) rows.set(row.id, row)
      after = page.at(-1)?.id
      if (page.length < pageSize) return rows
    }
  }

  async #some(ids: ReadonlySet<string>): Promise<Map<string, MemoryRow | undefined>> {
    return new Map(await Promise.all([...ids].map(async id => [id, (await this.#store.memory(id)).at(-1)] as const)))
  }

  #forget(): void {
    for (const id of [...this.#heads.keys()]) this.#put(id, undefined)
  }

  #put(id: string, row: MemoryRow | undefined): void {
    this.#books.delete(id)
    this.#heads.delete(id)
    this.text.remove(id)
    this.#past.delete(id)
    this.#vectors.delete(id)
    if (row === undefined) return
    const memory = memoryOf(row)
    this.#heads.set(id, { memory, row: row.version })
    if (row.embedding !== null) this.#vectors.set(id, { by: embeddedBy(row), vector: unitVector(row.embedding) })
    if (isCurrent(memory)) this.text.put(memory)
    else this.#past.add(id)
  }
}

const shallow = (memory: Memory, row: number): Book => ({ id: memory.id, versions: [memory], row, head: memory.version })

/** The ids that changed after a version, if the log reaches back so far. */
function changedSince(version: number, { version: now, log }: OwnerMark): Set<string> | undefined {
  if (now < version) return undefined
  const missed = log.filter(([at]) => at > version)
  return missed.length === now - version ? new Set(missed.flatMap(([, ids]) => ids)) : undefined
}
