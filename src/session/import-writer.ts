import { isObject, isSkeinError, type JsonObject, type SessionId, SkeinError } from '#kernel'
import {
  blobsOf,
  type CommitOptions,
  type Committed,
  type Counter,
  type Counters,
  type Entry,
  type Fence,
  headEffect,
  isPath,
  isType,
  type NewBlob,
  type NewEntry,
  noCounters,
  noTotals,
  type Results,
  type SessionFields,
  type TenantStore,
  type Totals,
  totalsAfter,
} from '#journal'
import { sweepLater } from './erase-job.ts'
import { settingsAt } from './move-leaf.ts'
import type { Runtime } from './runtime.ts'

const chunkEntries = 1_000
const chunkBytes = 4 * 2 ** 20

/**
 * Writes a session that comes from elsewhere, piece by piece, into one that nobody sees until `finish`. Whatever goes
 * wrong before, `discard` removes all of it, so a faulty import stores nothing.
 */
export class ImportWriter {
  readonly id: SessionId
  readonly #runtime: Runtime
  readonly #store: TenantStore
  readonly #traceId: string | undefined
  /** Each import is an owner of its own, so that two of one session never write into each other. */
  readonly #owner: string
  readonly #totals = new Map<string, Totals>()
  #fence: Fence | undefined
  #entries: NewEntry[] = []
  #blobs: NewBlob[] = []
  #bytes = 0
  #count = 0
  #usage: Counters = noCounters

  constructor(runtime: Runtime, store: TenantStore, id: SessionId, traceId?: string) {
    this.#traceId = traceId
    this.#runtime = runtime
    this.#owner = `${runtime.owner}-${runtime.ids('own').slice(4)}`
    this.#store = store
    this.id = id
  }

  get count(): number {
    return this.#count
  }

  /** Takes the id. A hidden rest of an import that died is removed first; one that is still going on is `session.busy`. */
  async begin(alias: string | null, first: NewEntry, createdAt: number): Promise<void> {
    const owner = this.#owner
    const { leaseMs } = this.#runtime
    const left = await this.#store.session(this.id)
    if (left?.hidden === true) {
      // With the lease nobody else can finish it; whoever did so just before is left alone.
      const { token } = await this.#store.acquire(this.id, owner, leaseMs)
      const fence = { session: this.id, owner, token }
      if ((await this.#store.session(this.id))?.hidden === false) {
        await this.#store.commit([{ type: 'release', fence }])
        throw new SkeinError('session.exists', `Session ${this.id} was imported meanwhile.`, { details: { session: this.id } })
      }
      await this.#store.commit([
        { type: 'require', that: { fence } },
        { type: 'erase_session', session: this.id },
      ])
    }
    const { results } = await this.#store.commit([
      { type: 'create_session', session: this.id, alias, fields: fieldsOf(first, createdAt), data: dataOf(first) },
      { type: 'acquire', session: this.id, owner, leaseMs },
      sweepLater(this.#runtime, this.id, this.#traceId),
    ])
    const { token } = results[1] as Results['acquire']
    this.#fence = { session: this.id, owner, token }
  }

  /** The running counts at an entry of the branch, for entries that come without their own. */
  totalsFor(entry: Pick<NewEntry, 'type' | 'tokens' | 'parentId'>): Totals {
    return totalsAfter(entry, this.#totals.get(entry.parentId ?? '') ?? noTotals)
  }

  totalsAt(id: string): Totals | undefined {
    return this.#totals.get(id)
  }

  async add(entry: NewEntry, blobs: readonly NewBlob[]): Promise<void> {
    if (isPath(entry)) this.#totals.set(entry.id, entry.totals ?? this.totalsFor(entry))
    this.#entries.push(entry)
    this.#blobs.push(...blobs)
    this.#bytes += blobs.reduce((sum, blob) => sum + blob.bytes.length, 0) + 2_000
    this.#count++
    if (this.#entries.length >= chunkEntries || this.#bytes >= chunkBytes) await this.#flush()
  }

  /** Writes the rest and shows the session, with its settings as they hold at its leaf. */
  async finish(more: Partial<SessionFields> = {}, options: CommitOptions = {}): Promise<Committed> {
    await this.#flush()
    const row = await this.#store.session(this.id)
    const leaf = row?.leafId == null ? undefined : await this.#store.entry(this.id, row.leafId)
    const settings = leaf === undefined ? {} : await settingsAt({ store: this.#store, id: this.id }, leaf)
    return await this.#store.commit(
      [
        {
          type: 'append',
          session: this.id,
          entries: [],
          ...this.#fenced(),
          head: { ...settings, ...this.#totalsOf(row?.leafId ?? null), set: { ...settings.set, ...more, hidden: false } },
        },
        { type: 'release', fence: this.#fence as Fence },
      ],
      options,
    )
  }

  /** Removes what was written, unless another import has taken it over by now. */
  async discard(): Promise<void> {
    const fence = this.#fence
    if (fence === undefined) return
    await this.#store
      .commit([
        { type: 'require', that: { fence } },
        { type: 'erase_session', session: this.id },
      ])
      .catch((error: unknown) => {
        if (!isSkeinError(error) || !['store.fenced', 'session.not_found'].includes(error.code)) throw error
      })
  }

  async #flush(): Promise<void> {
    if (this.#entries.length === 0) return
    const row = await this.#store.session(this.id)
    if (row === undefined) throw new SkeinError('store.conflict', `Session ${this.id} was erased while it was being imported.`)
    const effect = headEffect(this.#entries, row)
    await this.#store.commit([
      {
        type: 'append',
        session: this.id,
        entries: this.#entries,
        blobs: this.#blobs,
        blobRefs: [...new Set(this.#entries.flatMap(blobsOf))],
        ...this.#fenced(),
        head: { ...effect, add: this.#counted(effect.add ?? {}) },
      },
      { type: 'acquire', session: this.id, owner: this.#owner, leaseMs: this.#runtime.leaseMs },
    ])
    this.#entries = []
    this.#blobs = []
    this.#bytes = 0
  }

  /** A fork's usage begins after its `session_forked`: what was counted before is taken back there. */
  #counted(add: Partial<Counters>): Partial<Counters> {
    const fork = this.#entries.findLastIndex(entry => isType(entry as Entry, 'session_forked'))
    if (fork < 0) {
      this.#usage = plus(this.#usage, add, 1)
      return add
    }
    const all = plus(this.#usage, add, 1)
    const own = headEffect(this.#entries.slice(fork), { preview: '', data: {}, state: 'active' }).add ?? {}
    const kept = { ...plus(noCounters, own, 1), turnCount: all.turnCount }
    const change = plus(kept, this.#usage, -1)
    this.#usage = kept
    return change
  }

  /** Counted here, for entries that come without their own. */
  #totalsOf(leaf: string | null): { totals?: Totals } {
    const totals = this.#totals.get(leaf ?? '')
    return totals === undefined ? {} : { totals }
  }

  #fenced(): { fence?: Fence } {
    return this.#fence === undefined ? {} : { fence: this.#fence }
  }
}

function plus(base: Counters, add: Partial<Counters>, sign: 1 | -1): Counters {
  return Object.fromEntries(
    Object.entries(base).map(([name, value]) => [name, (value as number) + sign * (add[name as Counter] ?? 0)]),
  ) as unknown as Counters
}

function fieldsOf(first: NewEntry, createdAt: number): SessionFields {
  const data = isObject(first.data) ? first.data : {}
  const text = (name: string): string | null => (typeof data[name] === 'string' ? data[name] : null)
  return {
    state: 'active',
    hidden: true,
    title: text('title'),
    preview: null,
    user: text('user'),
    agent: text('agent') ?? 'main',
    platform: text('platform'),
    cwd: text('cwd'),
    parent: text('parent') as SessionId | null,
    model: text('model'),
    tags: Array.isArray(data['tags']) ? data['tags'].filter(tag => typeof tag === 'string') : [],
    createdAt,
    updatedAt: first.at,
    lastMessageAt: null,
    lastAccessedAt: first.at,
  }
}

function dataOf(first: NewEntry): JsonObject {
  return isObject(first.data) && isObject(first.data['metadata']) ? { metadata: first.data['metadata'] as JsonObject } : {}
}
