import {
  aText,
  type Check,
  either,
  given,
  invalidInput,
  isId,
  listOf,
  oneOf,
  parseSessionRef,
  type SessionId,
  shape,
  SkeinError,
  aFlag,
  wholeNumber,
} from '#kernel'
import type { Page, SessionRow, TenantStore } from '#journal'
import { categories, type Category } from './extractor.ts'
import type { Extracted, Extraction } from './extraction.ts'
import { newestMessage } from './extraction-read.ts'
import { aTime, isoTime } from './iso-time.ts'
import { isCurrent, type Memory, ownerIn } from './memory-types.ts'
import { readBook } from './memory-shelf.ts'
import { extractedReader, rangeStates } from './ranges.ts'
import { rewindTo } from './ranges-rewind.ts'
import { pageOfRanges, type Range, type RangesFilter } from './ranges-view.ts'
import { erase, readTarget } from './erase.ts'
import type { EraseReceipt, EraseTarget } from './erase-receipt.ts'
import { type Receipt, receiptCollection, receiptFor, undo, type UndoTarget } from './undo.ts'
import { type MemoryHits, ownersAllowed, type Recall } from './recall.ts'

export interface MemorySearch {
  readonly query: string
  /** Whose; default: everyone's that the caller may read. */
  readonly owner?: string
  readonly categories?: readonly Category[]
  /** What held then: epoch milliseconds, or ISO 8601. */
  readonly at?: number | string
  /** 1–50, default 10. */
  readonly limit?: number
}

export interface MemoriesFilter {
  readonly categories?: readonly Category[]
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
}

/** A session with messages that nothing was learnt from yet. */
export interface PendingExtraction {
  readonly session: SessionId
  readonly extractedTo: number
  readonly queuedTo: number
  readonly running: boolean
}

export interface ExtractOptions {
  /** ISO 8601 with zone: what relative dates are relative to. */
  readonly sessionTime?: string
  readonly traceId?: string
}

const ofSession: Check = (value, path) => void parseSessionRef(value, path)
const inCategories = listOf(oneOf(...categories), 'categories')
const checkSearch = shape<MemorySearch>(
  {
    query: aText,
    owner: aText,
    categories: inCategories,
    at: either(wholeNumber(), aTime, 'Expected epoch milliseconds or ISO 8601 with a zone.'),
    limit: wholeNumber(1, 50),
  },
  'search',
)
const aCursor: Check = (value, path) => {
  if (!isId('mem', value)) throw invalidInput(path, 'Expected the next of another page.')
}
const checkList = shape<MemoriesFilter>({ categories: inCategories, limit: wholeNumber(1, 200), cursor: aCursor }, 'filter')
const checkRanges = shape<RangesFilter>(
  {
    session: ofSession,
    state: oneOf(...rangeStates),
    extractor: aText,
    all: aFlag,
    limit: wholeNumber(1, 200),
    cursor: aText,
  },
  'filter',
)
const checkExtract = shape<ExtractOptions>({ sessionTime: aTime, traceId: aText })

function checkTarget(target: unknown): void {
  if (typeof target === 'string') return
  const { archive, job, ...more } = (target ?? {}) as Record<string, unknown>
  const named = [archive, job].filter(id => typeof id === 'string')
  if (named.length !== 1 || Object.keys(more).length > 0 || (archive !== undefined && job !== undefined))
    throw invalidInput('target', 'Expected the id of a memory, { archive } or { job }.')
}

const mostLagging = 10_000

/** `skein.memory`: what the sessions of one tenant taught. Every reading verb keeps to the owners that the caller is bound to. */
export class Memories {
  readonly #store: TenantStore
  readonly #recall: Recall
  readonly #extraction: Extraction
  readonly #owners: readonly string[] | 'all'
  readonly #works: boolean

  constructor(parts: {
    readonly store: TenantStore
    readonly recall: Recall
    readonly extraction: Extraction
    /** Whose memories may be read. */
    readonly owners?: readonly string[] | 'all'
    /** Whether this process works jobs off. */
    readonly worker?: boolean
  }) {
    this.#store = parts.store
    this.#recall = parts.recall
    this.#extraction = parts.extraction
    this.#owners = parts.owners ?? 'all'
    this.#works = parts.worker ?? false
  }

  /** Best first; a blank query finds nothing. Laws M71–M73, M76. */
  async search(search: MemorySearch): Promise<MemoryHits> {
    if (search === undefined || search === null) throw invalidInput('search', 'Expected an object.')
    checkSearch(search)
    const { query, owner, at, limit = 10, ...rest } = search
    if (query === undefined) throw invalidInput('query', 'Expected a text.')
    const owners = ownersAllowed(owner, this.#owners)
    const time = typeof at === 'string' ? isoTime(at) : at
    return await this.#recall.search(this.#store, { query, owners, limit, ...given({ ...rest, at: time }) })
  }

  /** A page of the current ones, newest first. An unknown owner has none. */
  async list(owner?: string, filter: MemoriesFilter = {}): Promise<Page<Memory>> {
    if (owner !== undefined && typeof owner !== 'string') throw invalidInput('owner', 'Expected a text.')
    checkList(filter)
    const { limit = 50, cursor } = filter
    const asked = ownersAllowed(owner, this.#owners)
    const found: Memory[] = []
    for await (const index of this.#recall.indexes(this.#store, asked)) {
      for (const memory of index.heads())
        if (isCurrent(memory) && (cursor === undefined || memory.id < cursor) && fits(memory, filter)) found.push(memory)
    }
    const sorted = found.sort((one, other) => (one.id < other.id ? 1 : -1))
    const items = sorted.slice(0, limit)
    const last = items.at(-1)
    return last === undefined || sorted.length <= limit ? { items } : { items, next: last.id }
  }

  /** Every version of a memory, newest first, by its id or uri. Throws `memory.not_found`. */
  async history(ref: string): Promise<readonly Memory[]> {
    if (typeof ref !== 'string') throw invalidInput('id', 'Expected the id or uri of a memory.')
    const id = ref.startsWith('skein:') ? await this.#idOf(ref) : ref
    const book = isId('mem', id) ? await readBook(this.#store, id) : undefined
    const owner = book?.versions.at(-1)?.owner
    if (book === undefined || owner === undefined || !this.#mayRead(owner)) throw unknownMemory(ref)
    return [...book.versions].reverse()
  }

  /** Queues what a session says after what was queued before; the jobs say when it is learnt. */
  async extract(session: string | { readonly id: string }, options: ExtractOptions = {}): Promise<Extracted> {
    checkExtract(options)
    return await this.#extraction.extract(this.#store, await this.#session(session), options)
  }

  /** Ranges in the order of the journal, and what came of each. */
  async ranges(filter: RangesFilter = {}): Promise<Page<Range>> {
    checkRanges(filter)
    const now = this.#extraction.runtime.clock.now()
    const known = new Map<SessionId, Promise<boolean>>()
    return await pageOfRanges(this.#store, filter, now, async ({ session }) => {
      if (this.#owners === 'all') return true
      const seen = known.get(session) ?? this.#store.session(session).then(row => row !== undefined && this.#maySee(row))
      known.set(session, seen)
      return await seen
    })
  }

  /** Exactly the sessions with messages that nothing was learnt from yet. Law M52. */
  async pending(): Promise<readonly PendingExtraction[]> {
    const { name } = this.#extraction
    if (name === undefined) return []
    const behind = await this.#lagging(extractedReader(name))
    const found: PendingExtraction[] = []
    for (const session of behind) {
      const row = await this.#store.session(session)
      if (row === undefined || row.hidden || row.state === 'deleted' || !this.#maySee(row)) continue
      const { extractedTo, queuedTo, running } = await this.#extraction.stateOf(this.#store, session)
      if ((await newestMessage(this.#store, session, extractedTo)) !== undefined)
        found.push({ session, extractedTo, queuedTo, running })
    }
    return found
  }

  /** Learns from `seq` on afresh, archived entries too; what was learnt before is confirmed, not doubled. Law M51. */
  async rewind(session: string | { readonly id: string }, seq: number): Promise<boolean> {
    const row = await this.#session(session)
    const extractor = this.#extraction.extractorFor(row)
    return extractor === undefined ? false : await rewindTo(this.#extraction.runtime, this.#store, row, extractor, seq)
  }

  /**
   * Takes back what a memory's newest version (by its id), a job or an archive taught, and opens again what that closed. Throws
   * `memory.not_found`, `job.not_found`, `archive.not_found`. Law M60.
   */
  async undo(target: UndoTarget): Promise<Receipt> {
    checkTarget(target)
    const { runtime } = this.#extraction
    const id = typeof target === 'string' && target.startsWith('skein:') ? await this.#idOf(target) : target
    if (id === undefined) throw unknownMemory(typeof target === 'string' ? target : '')
    return await undo({ runtime, store: this.#store, recall: this.#recall, mayChange: owner => this.#mayRead(owner) }, id)
  }

  /**
   * Erases a user with all sessions, a session, entries of it or a memory, and all that was drawn from it. Returns when that is done,
   * or after 30 s, or at once where no job is worked off; `receipt(id)` tells how far it came. Throws `session.not_found`,
   * `entry.not_found`, `memory.not_found`. Law M61.
   */
  async erase(target: EraseTarget): Promise<EraseReceipt> {
    const mayChange = (owner: string | null): boolean => this.#owners === 'all' || (owner !== null && this.#mayRead(owner))
    const { runtime } = this.#extraction
    const erasing = { runtime, store: this.#store, works: this.#works, mayChange }
    return await erase(erasing, readTarget(target), (what, id) => (what === 'memory' ? unknownMemory(id) : unknownSession(id)))
  }

  /** What an undo or an erasing did, as far as the caller may read it; null for an unknown id. */
  async receipt(id: string): Promise<Receipt | EraseReceipt | null> {
    const record = isId('evt', id) ? await this.#store.record(receiptCollection, id) : undefined
    const found = record?.value as unknown as Receipt | EraseReceipt | undefined
    if (found === undefined || found.of === 'erase') return found ?? null
    return receiptFor(found, owner => this.#mayRead(owner))
  }

  async #lagging(reader: string): Promise<SessionId[]> {
    const behind = await this.#store.lagging(reader, mostLagging)
    if (behind.length < mostLagging) return behind.map(({ session }) => session)
    const all: SessionId[] = []
    for (let cursor: string | undefined; ;) {
      const page = await this.#store.sessions({ sort: 'createdAt', limit: 200, ...given({ cursor }) })
      all.push(...page.items.map(({ id }) => id))
      if (page.next === undefined) return all
      cursor = page.next
    }
  }

  async #session(session: string | { readonly id: string }): Promise<SessionRow> {
    const id = typeof session === 'object' && session !== null ? session.id : session
    const row = await this.#store.session(parseSessionRef(id))
    if (row === undefined || row.hidden || row.state === 'deleted') throw unknownSession(id)
    return row
  }

  async #idOf(uri: string): Promise<string | undefined> {
    const owner = ownerIn(uri)
    if (owner === undefined || !this.#mayRead(owner)) return undefined
    for (const memory of (await this.#recall.ownerIndex(this.#store, owner)).heads()) if (memory.uri === uri) return memory.id
    return undefined
  }

  #mayRead(owner: string): boolean {
    return this.#owners === 'all' || this.#owners.includes(owner)
  }

  #maySee({ user }: SessionRow): boolean {
    return this.#owners === 'all' || (user !== null && this.#owners.includes(user))
  }
}

const fits = ({ category }: Memory, filter: MemoriesFilter): boolean =>
  filter.categories === undefined || filter.categories.includes(category)

function unknownSession(id: string): SkeinError {
  return new SkeinError('session.not_found', `There is no session ${id}.`, { details: { session: id } })
}

function unknownMemory(ref: string): SkeinError {
  return new SkeinError('memory.not_found', `There is no memory ${ref}.`, { details: { memory: ref } })
}
