import { given, invalidInput, isObject, type JsonObject, parseId, parseSessionRef, type SessionId, SkeinError } from '#kernel'
import {
  headEffect,
  type memoryStore,
  type Page,
  pageOfSessions,
  type Results,
  type SearchQuery,
  type SearchResult,
  type SessionFilter,
  type SessionRow,
  type TenantStore,
} from '#journal'
import { type VerbOptions, writeOptions } from './append-messages.ts'
import { readKeeping } from './context-settings.ts'
import { accessed, digestOf, SessionCore } from './core.ts'
import { type CreateOptions, createSession, planSession, readAlias, type SessionPlan } from './create-session.ts'
import { draft, placeDrafts } from './draft.ts'
import type { FolderImported, HermesImported, HermesInput, Imported } from './imported.ts'
import { type ImportFormat, type ImportInput, importSession } from './import-session.ts'
import { afterErased, eraseLater } from './erase-job.ts'
import { forgetSession } from './forget-session.ts'
import { listBoth, searchBoth } from './both-stores.ts'
import type { ListFilter } from './list-filter.ts'
import { inTime, type LiveSessions } from './live-sessions.ts'
import type { Runtime } from './runtime.ts'
import { sessionInfo, type SessionInfo } from './session-info.ts'
import type { CoreSession } from './session.ts'
import { check } from './verb-options.ts'

export interface Erased {
  readonly entries: number
  readonly blobs: number
  readonly archives: number
  readonly jobs: number
  readonly views: number
}

/** Reads what another program keeps, given as it says where. */
export type FolderImporter = (input: unknown) => Promise<unknown>

/** How a session's object is made of its core: each room above adds its verbs. */
export type Compose<S extends CoreSession> = (core: SessionCore, opened: (id: SessionId) => Promise<CoreSession>) => S

const hiddenDays = 30
const dayMs = 86_400_000

/** The sessions of one tenant. */
export class Sessions<S extends CoreSession> {
  readonly #runtime: Runtime
  readonly #store: TenantStore
  readonly #volatile: TenantStore
  /** The durable store, and the sessions that live in this process only. */
  readonly #stores: readonly TenantStore[]
  readonly #live: LiveSessions<S>
  readonly #compose: Compose<S>
  readonly #defaults: (options: CreateOptions) => JsonObject
  readonly #importers: Readonly<Record<string, FolderImporter>>
  readonly #working: (core: SessionCore, row: SessionRow) => Promise<Partial<SessionInfo>>

  constructor(parts: {
    readonly runtime: Runtime
    readonly tenant: string
    /** Where sessions with `durable: false` live. */
    readonly volatile: ReturnType<typeof memoryStore>
    readonly live: LiveSessions<S>
    readonly compose: Compose<S>
    readonly settings?: (options: CreateOptions) => JsonObject
    /** Formats of many sessions at once, which rooms above read. */
    readonly importers?: Readonly<Record<string, FolderImporter>>
    /** What rooms above say of a session of the working set, beside its row. */
    readonly working?: (core: SessionCore, row: SessionRow) => Promise<Partial<SessionInfo>>
  }) {
    this.#runtime = parts.runtime
    this.#store = parts.runtime.store.in(parts.tenant)
    this.#volatile = parts.volatile.in(parts.tenant)
    this.#stores = [this.#store, this.#volatile]
    this.#live = parts.live
    this.#compose = parts.compose
    this.#defaults = parts.settings ?? (() => ({}))
    this.#importers = parts.importers ?? {}
    this.#working = parts.working ?? (() => Promise.resolve({}))
  }

  /** A new session. Throws `input.invalid` before any effect, `session.exists` if its alias is taken. */
  async create(options: CreateOptions = {}): Promise<S> {
    check.create(options)
    return await this.#begin(options)
  }

  async #begin(options: CreateOptions): Promise<S> {
    const store = options.durable === false ? this.#volatile : this.#store
    if (options.id !== undefined) await this.#checkFree(store, readAlias(options.id))
    const id = await createSession(this.#runtime, store, options, this.#defaults(options))
    return await this.#object(store, id)
  }

  /** For rooms above: what writes a durable session, to ride in a commit of theirs. Throws as `create` does. */
  async plan(options: CreateOptions = {}): Promise<SessionPlan> {
    check.create(options)
    return await planSession(this.#runtime, this.#store, options, this.#defaults(options))
  }

  /**
   * The session of an id or alias. Throws `session.not_found`; with `orCreate` an unknown alias is created, and one that is
   * there is left as it is. Law S19.
   */
  async open(id: string, options: { readonly orCreate?: CreateOptions } = {}): Promise<S> {
    check.open(options)
    const { orCreate } = options
    const ref = parseSessionRef(id)
    const found = await inTime(this.#runtime.timers, this.#find(ref))
    if (found !== undefined) return await this.#object(found.store, found.row.id)
    if (orCreate === undefined || typeof ref === 'string') throw this.#unknown(id)
    try {
      return await this.#begin({ ...orCreate, id: readAlias(ref.alias) })
    } catch (error) {
      if (!(error instanceof SkeinError) || error.code !== 'session.exists') throw error
      const raced = await this.#find(ref)
      // Its name is taken by one that was deleted and can still be restored.
      if (raced === undefined) throw error
      return await this.#object(raced.store, raced.row.id)
    }
  }

  async has(id: string): Promise<boolean> {
    return (await this.#find(parseSessionRef(id))) !== undefined
  }

  /** The one with the newest activity, `undefined` if none fits. Law S8. */
  async latest(filter: Omit<ListFilter, 'sort' | 'limit' | 'cursor'> = {}): Promise<S | undefined> {
    check.latest(filter)
    const { items } = await this.list({ ...filter, sort: '-updatedAt', limit: 1 })
    return items[0] === undefined ? undefined : await this.open(items[0].id)
  }

  /** A page of sessions, with those that live in this process only. Numbers outside their range are refused. Law S7. */
  async list(filter: ListFilter = {}): Promise<Page<SessionInfo>> {
    check.list(filter)
    if (filter.open === true) return await this.#listOpen(filter)
    const page = await listBoth(this.#stores, this.#filter(filter))
    return { ...page, items: page.items.map(row => sessionInfo(this.#store.tenant, row)) }
  }

  /** The working set: few enough to be read whole, since an access that wrote nothing orders it, too. */
  async #listOpen(filter: ListFilter): Promise<Page<SessionInfo>> {
    const { tenant } = this.#store
    const { sort, limit, cursor: from, ...fitting } = this.#filter(filter)
    const rows: SessionRow[] = []
    for (let cursor: string | undefined; ;) {
      const page = await listBoth(this.#stores, { ...fitting, limit: 200, ...given({ cursor }) })
      rows.push(...page.items)
      if (page.next === undefined) break
      cursor = page.next
    }
    const placed = rows.map(row => accessed(this.#live.core(tenant, row.id) ?? { accessedAt: 0 }, row))
    const states = fitting.states ?? ['active', 'ended']
    const page = pageOfSessions(placed, { states, ...given({ sort, limit, cursor: from }) })
    const items = page.items.map(async row => {
      const core = this.#live.core(tenant, row.id)
      return { ...sessionInfo(tenant, row), ...(core === undefined ? {} : await this.#working(core, row)) }
    })
    return { ...page, items: await Promise.all(items) }
  }

  async search(query: string, options: Omit<SearchQuery, 'query' | 'session'> = {}): Promise<SearchResult> {
    if (typeof query !== 'string') throw invalidInput('query', 'Expected a text.')
    check.searchAll(options)
    return await searchBoth(this.#stores, { ...options, query })
  }

  /** Hides a session for 30 days (`restore` brings it back); with `erase` removes it for good and counts what went. Laws S12, J47. */
  async delete(
    id: string,
    options: VerbOptions & { readonly erase?: boolean } = {},
  ): Promise<Erased | { readonly until: number }> {
    check.delete(options)
    const erase = options.erase === true
    const before = await this.#deletedBefore(id, erase, options)
    if (before !== undefined) return before
    const { store, row } = await this.#row(id, erase)
    // A run that goes on here is cancelled and tells how far it came, before nobody can see it any more.
    await this.#live.get(this.#store.tenant, row.id)?.settle({ graceMs: 0 })
    if (erase) {
      const { idempotencyKey: key } = options
      const keyed = key === undefined ? {} : { key, digest: digestOf(id, ['delete', { erase }]) }
      // What rooms keep of it goes with it, and behind it what was learnt from it.
      const forgotten = await forgetSession(store, row.id)
      if (store === this.#store) forgotten.push(afterErased(this.#runtime, this.#runtime.clock.now(), row.id))
      const { results } = await store.commit([{ type: 'erase_session', session: row.id }, ...forgotten], keyed)
      await this.#close(row.id)
      return erasedCounts(results)
    }
    const until = this.#runtime.clock.now() + hiddenDays * dayMs
    const object = new SessionCore(row.id, store, this.#runtime)
    await object.side(
      () => ({
        drafts: [draft('session_deleted', { until })],
        // What lives in this process goes with it.
        ...(store === this.#store ? { alongside: [eraseLater(this.#runtime, row.id, until, options.traceId)] } : {}),
        memo: until,
      }),
      writeOptions('delete', options, { erase }),
    )
    await this.#close(row.id)
    return { until }
  }

  /** Brings a deleted session back, whole. Throws `session.not_found` after 30 days or an erase. */
  async restore(id: string, options: VerbOptions = {}): Promise<S> {
    check.verb(options)
    const { store, row } = await this.#row(id, true)
    if (row.state === 'deleted') {
      const restored = draft('session_restored', {}, given({ traceId: options.traceId }))
      const entries = placeDrafts([restored], row, this.#runtime.clock.now(), this.#runtime.ids)
      await store.commit(
        [
          { type: 'require', that: { session: row.id, states: ['deleted'] } },
          { type: 'append', session: row.id, entries, head: headEffect(entries, row) },
        ],
        options.idempotencyKey === undefined ? {} : { key: options.idempotencyKey, digest: digestOf(row.id, ['restore']) },
      )
    }
    return await this.open(row.id)
  }

  /** Drops objects from memory, and their leases; nothing else. Returns whose. Law S6. */
  async evict(filter: { readonly idleMs: number } | { readonly id: string }): Promise<SessionId[]> {
    check.evict(filter)
    const { idleMs, id } = { idleMs: undefined, id: undefined, ...filter }
    if ((idleMs === undefined) === (id === undefined)) throw invalidInput('filter', 'Give idleMs or id.')
    if (idleMs !== undefined) return await this.#live.evict(this.#store.tenant, { idleMs })
    const ref = parseSessionRef(id)
    const known = typeof ref === 'string' ? ref : (await this.#find(ref))?.row.id
    return known === undefined ? [] : await this.#live.evict(this.#store.tenant, { id: known })
  }

  /**
   * Reads a session from a format: the same bundle again is the same session, a fault stores nothing. Or all that another
   * program keeps: again nothing is added, what cannot be read is listed. Laws S13, S14, G52.
   */
  import(format: 'hermes', input: HermesInput): Promise<HermesImported>
  import(format: 'og-memory', input: string | object): Promise<FolderImported & { readonly session: S }>
  import(
    format: ImportFormat,
    input: ImportInput,
    options?: { readonly as?: 'new' } & VerbOptions,
  ): Promise<Imported & { readonly session: S }>
  async import(
    format: ImportFormat | 'hermes' | 'og-memory',
    input: ImportInput | HermesInput | string | object,
    options: { readonly as?: 'new' } & VerbOptions = {},
  ): Promise<HermesImported | ((Imported | FolderImported) & { readonly session: S })> {
    check.import(options)
    const importer = Object.hasOwn(this.#importers, format) ? this.#importers[format] : undefined
    if (importer !== undefined) return (await importer(input)) as HermesImported
    if (format === 'hermes' || format === 'og-memory')
      throw new SkeinError('input.unsupported', `Nobody reads ${format} here.`, { details: { path: 'format' } })
    const imported = await importSession(this.#runtime, this.#store, format, input as ImportInput, options)
    return { ...imported, session: await this.open(imported.id) }
  }

  #filter(filter: ListFilter): SessionFilter {
    const { open, state, activeWithinMs, since, ...rest } = filter
    if (filter.parent !== undefined) parseId('ses', filter.parent, 'parent')
    const from = Math.max(since ?? 0, activeWithinMs === undefined ? 0 : this.#runtime.clock.now() - activeWithinMs)
    return {
      ...rest,
      ...given({ states: state && [state] }),
      ...(open === true ? { ids: this.#live.ids(this.#store.tenant) } : {}),
      ...(from > 0 ? { since: from } : {}),
    }
  }

  /** An alias is one session's, wherever that lives. */
  async #checkFree(store: TenantStore, alias: string): Promise<void> {
    for (const other of this.#stores)
      if (other !== store && (await other.session({ alias })) !== undefined)
        throw new SkeinError('session.exists', `There is a session ${alias} already.`, { details: { session: alias } })
  }

  async #find(ref: SessionId | { alias: string }): Promise<Found | undefined> {
    for (const store of this.#stores) {
      const row = await store.session(ref)
      if (row !== undefined && !row.hidden && row.state !== 'deleted') return { store, row }
    }
    return undefined
  }

  /** The row of a session that may be deleted already. */
  async #row(id: string, deletedToo: boolean): Promise<Found> {
    const ref = parseSessionRef(id)
    for (const store of this.#stores) {
      const row = await store.session(ref)
      if (row === undefined || row.hidden) continue
      if (row.state !== 'deleted' || (deletedToo && stillHeld(row, this.#runtime.clock.now()))) return { store, row }
    }
    throw this.#unknown(id)
  }

  /** What a delete under the same key answered; by now the session can't be seen, or is gone. */
  async #deletedBefore(
    id: string,
    erase: boolean,
    { idempotencyKey: key }: VerbOptions,
  ): Promise<Erased | { readonly until: number } | undefined> {
    if (key === undefined) return undefined
    for (const store of this.#stores) {
      const subject = erase ? id : ((await store.session(parseSessionRef(id)))?.id ?? id)
      const before = await store.replay(key, digestOf(subject, ['delete', { erase }]))
      if (before !== undefined) return typeof before.memo === 'number' ? { until: before.memo } : erasedCounts(before.results)
    }
    return undefined
  }

  #unknown(id: string): SkeinError {
    return new SkeinError('session.not_found', `There is no session ${id}.`, { details: { session: id } })
  }

  async #object(store: TenantStore, id: SessionId): Promise<S> {
    return await this.#live.open(this.#store.tenant, id, async () => {
      const core = new SessionCore(id, store, this.#runtime)
      const row = await core.row()
      core.cwd = row.cwd
      core.keeping = await readKeeping(this.#runtime, row, store.tenant)
      return { core, session: this.#compose(core, other => this.#object(store, other)) }
    })
  }

  async #close(id: SessionId): Promise<void> {
    const live = this.#live.get(this.#store.tenant, id)
    this.#live.forget(this.#store.tenant, id)
    await live?.close({ graceMs: 0 })
  }
}

interface Found {
  readonly store: TenantStore
  readonly row: SessionRow
}

function stillHeld(row: SessionRow, now: number): boolean {
  const deleted = row.data['deleted']
  return isObject(deleted) && typeof deleted['until'] === 'number' && now < deleted['until']
}

function erasedCounts(results: readonly unknown[]): Erased {
  const { erased: _erased, ...counts } = results[0] as Results['erase_session']
  return counts
}
