import { given, isSkeinError, type RunId, type SessionId, sha256, canonical, SkeinError, toJson } from '#kernel'
import {
  type Append,
  type Change,
  type CommitOptions,
  type Committed,
  type Entry,
  type Fence,
  headEffect,
  type HeadPatch,
  type NewBlob,
  type NewEntry,
  type Results,
  type SessionRow,
  type TenantStore,
  unknownSession,
} from '#journal'
import type { BlobId } from '#kernel'
import { type Keeping, keepingOf } from './context-settings.ts'
import { type Draft, placeDrafts } from './draft.ts'
import { LiveEvents } from './live-events.ts'
import type { Runtime } from './runtime.ts'

/** What a verb wants written. */
export interface Plan {
  readonly drafts: readonly Draft[]
  readonly blobs?: readonly NewBlob[]
  readonly blobRefs?: readonly BlobId[]
  /** Rides along in the same commit. */
  readonly alongside?: readonly Change[]
  /** What path entries stand on, where that is not the leaf: a move to it comes first among the drafts. */
  readonly onto?: Pick<SessionRow, 'leafId' | 'totals'>
  /** On top of what the entries themselves do to the row. */
  readonly head?: HeadPatch
  /** Kept with the key and handed back by a replay. */
  readonly memo?: Committed['memo']
}

export interface WriteOptions {
  readonly idempotencyKey?: string
  /** What was asked, for telling a replay from a reuse of the key. Looked at only with a key. */
  readonly asked?: unknown
  readonly traceId?: string
  readonly durability?: 'full' | 'relaxed'
  readonly signal?: AbortSignal
  /** Plain appends read again and retry once when the leaf has moved; others say so. */
  readonly retryOnConflict?: boolean
  /** The run that writes; while one is going on nobody else extends the branch. */
  readonly run?: RunId
}

interface KeyedOptions extends WriteOptions {
  readonly digest?: string
}

export interface Written {
  readonly committed: Committed
  readonly entries: readonly Entry[]
  readonly row: SessionRow
}

/**
 * The writer's side of one session in this process: reads the row, lets a verb decide, commits once. Path writes run one
 * after the other and take the lease in the commit that first needs it; it is given up `lingerMs` after the last one.
 * Nothing here is remembered but the fence, so dropping the object loses nothing.
 */
export class SessionCore {
  readonly id: SessionId
  readonly store: TenantStore
  readonly runtime: Runtime
  readonly live: LiveEvents
  /** How its context is kept; fixed when the session was created. */
  keeping: Keeping
  /** Where it works, as it was created; `null` without a place. */
  cwd: string | null = null
  lastUsedAt: number
  /** When somebody last went on with it here without writing; 0 before. */
  accessedAt = 0
  /** Called by whoever keeps the open sessions when a verb uses this one. */
  onUse: (() => void) | undefined
  /** The same when it has been closed. */
  onClose: (() => void) | undefined
  /**
   * What may be kept, weakly, of what was read of this session's entries: it is another object once some were erased, in
   * whatever process.
   */
  memory: object = {}
  #erasures: unknown
  /** The newest row that was read here; what no verb changes may be taken from it. */
  seen: SessionRow | undefined
  /** The run that is going on in this process. */
  activeRun: RunId | undefined
  #closed = false
  #fence: (Fence & { readonly until: number }) | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #open = 0
  readonly #whenIdle: (() => void)[] = []
  #cancelRelease: (() => void) | undefined
  #pins = 0
  #readers = 0

  constructor(id: SessionId, store: TenantStore, runtime: Runtime) {
    this.id = id
    this.store = store
    this.runtime = runtime
    this.live = new LiveEvents()
    this.keeping = keepingOf(runtime)
    this.lastUsedAt = runtime.clock.now()
  }

  /** True while a verb or run is in progress. */
  get busy(): boolean {
    return this.#open > 0 || this.#pins > 0
  }

  /** What is busy or read live is never evicted: its events belong to this object. */
  get evictable(): boolean {
    return !this.busy && this.#readers === 0
  }

  /** Counts a reader of live events until the returned function is called. */
  read(): () => void {
    this.#readers++
    let reading = true
    return () => {
      if (reading) this.#readers--
      reading = false
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The newest row: what any process had acknowledged before. Throws `session.not_found` also for a deleted session. */
  async row(): Promise<SessionRow> {
    this.#assertOpen()
    const row = await this.store.session(this.id)
    if (row === undefined || row.hidden || row.state === 'deleted') throw unknownSession(this.id)
    if (row.data['erasures'] !== this.#erasures) {
      this.#erasures = row.data['erasures']
      this.memory = {}
    }
    this.lastUsedAt = this.runtime.clock.now()
    this.seen = row
    this.onUse?.()
    this.live.advance(row.seq)
    return accessed(this, row)
  }

  /** A write that commutes: no lease, from any process, also during a run. */
  async side(decide: (row: SessionRow) => Plan | Promise<Plan>, options: WriteOptions = {}): Promise<Written> {
    return await this.#counted(async () => {
      const keyed = this.#keyed(options)
      const replayed = await this.#replayed(keyed)
      const row = await this.row()
      return replayed === undefined ? await this.#commit(row, await decide(row), undefined, keyed) : { ...replayed, row }
    })
  }

  /** A write that extends the branch or moves the leaf: one at a time, with the lease, refused when the session has ended. */
  async path(decide: (row: SessionRow) => Plan | Promise<Plan>, options: WriteOptions = {}): Promise<Written> {
    return await this.#counted(() =>
      this.#exclusive(async () => {
        const keyed = this.#keyed(options)
        const begun = this.#isBegun(options.run)
        try {
          return await this.#writePath(decide, keyed)
        } catch (error) {
          // A run that has lost its lease never writes again, even if the lease is free by now: the branch was another's.
          if (begun) throw isTaken(error) ? takenOver(this.id, error) : error
          if (isSkeinError(error) && error.code === 'store.fenced') this.#fence = undefined
          else if (!(isSkeinError(error) && error.code === 'store.conflict' && options.retryOnConflict === true)) throw error
          return await this.#writePath(decide, keyed)
        } finally {
          this.#scheduleRelease()
        }
      }),
    )
  }

  /** Runs alone among this process's path writes; what it does itself must use `pathInside`. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    return await this.#counted(() => this.#exclusive(work))
  }

  /** Keeps the session from eviction and the lease from release until the returned function is called. */
  pin(): () => void {
    this.#pins++
    let pinned = true
    return () => {
      if (!pinned) return
      pinned = false
      this.#pins--
      this.#scheduleRelease()
    }
  }

  /** Prolongs the lease if this process holds one; for runs that write nothing for a while. Throws `store.fenced` if it was taken over. */
  async renewLease(): Promise<void> {
    const fence = this.#fence
    if (fence !== undefined) this.#fence = await this.store.renew(fence, this.runtime.leaseMs)
  }

  /** Counts a verb that reads and writes in several steps; closing waits for it. */
  async verb<T>(work: () => Promise<T>): Promise<T> {
    return await this.#counted(work)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    while (this.#open > 0) await new Promise<void>(resolve => void this.#whenIdle.push(resolve))
    this.#closed = true
    this.onClose?.()
    await this.releaseLease()
    this.live.emit({ type: 'session_closed', session: this.id })
    this.live.finish()
  }

  async releaseLease(): Promise<void> {
    this.#cancelRelease?.()
    const fence = this.#fence
    this.#fence = undefined
    if (fence !== undefined)
      await this.store.commit([{ type: 'release', fence }], { durability: 'relaxed' }).catch(() => undefined)
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new SkeinError('session.closed', `Session ${this.id} was closed here. Open it again.`, {
        details: { session: this.id },
      })
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen()
    this.#open++
    try {
      return await work()
    } finally {
      if (--this.#open === 0) for (const idle of this.#whenIdle.splice(0)) idle()
    }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work)
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  /** The options with the digest of what was asked, made once. */
  #keyed(options: WriteOptions): KeyedOptions {
    return options.idempotencyKey === undefined ? options : { ...options, digest: digestOf(this.id, options.asked) }
  }

  async #writePath(decide: (row: SessionRow) => Plan | Promise<Plan>, options: KeyedOptions): Promise<Written> {
    const replayed = await this.#replayed(options)
    const row = await this.row()
    if (replayed !== undefined) return { ...replayed, row }
    if (this.activeRun !== undefined && this.activeRun !== options.run) throw busyWithRun(this.activeRun)
    // What a run still has to tell is told, also when the session has ended meanwhile.
    if (row.state === 'ended' && !this.#isBegun(options.run))
      throw new SkeinError('session.ended', `Session ${this.id} has ended. Reopen it first.`, { details: { session: this.id } })
    return await this.#commit(row, await decide(row), row.lease, options)
  }

  /** What an idempotency key was answered with, before anything is decided or refused. */
  async #replayed({ idempotencyKey, digest }: KeyedOptions): Promise<Omit<Written, 'row'> | undefined> {
    if (idempotencyKey === undefined) return undefined
    const committed = await this.store.replay(idempotencyKey, digest)
    return committed === undefined ? undefined : { committed, entries: await this.#entriesOf(committed) }
  }

  async #commit(row: SessionRow, plan: Plan, lease: SessionRow['lease'] | undefined, options: KeyedOptions): Promise<Written> {
    const asked: CommitOptions = {
      ...(options.idempotencyKey === undefined ? {} : { key: options.idempotencyKey, ...given({ digest: options.digest }) }),
      ...given({ durability: options.durability, signal: options.signal, memo: plan.memo }),
    }
    if (plan.drafts.length === 0 && plan.alongside === undefined) {
      // That there was nothing to do is kept with a key, too, or is because of what it did first.
      const committed = await this.store.commit([], asked)
      return { committed, entries: await this.#entriesOf(committed), row }
    }
    const now = this.runtime.clock.now()
    const traced =
      options.traceId === undefined ? plan.drafts : plan.drafts.map(item => ({ traceId: options.traceId as string, ...item }))
    const entries = placeDrafts(traced, plan.onto ?? row, now, this.runtime.ids)
    const effect = headEffect(entries, row)
    const head: HeadPatch = { ...effect, ...plan.head, ...bothParts(effect, plan.head) }
    const changes: Change[] = []
    const append: Append = { type: 'append', session: this.id, entries, head, ...blobsOf(plan) }
    if (lease === undefined) changes.push(append)
    else {
      const fence = this.#heldFence(now)
      if (fence === undefined)
        changes.push({ type: 'acquire', session: this.id, owner: this.runtime.owner, leaseMs: this.runtime.leaseMs })
      changes.push({
        ...append,
        fence: fence ?? (this.#isBegun(options.run) ? this.#ownFence() : { of: 0 }),
        ...(row.leafId === null ? {} : { expectLeaf: row.leafId }),
      })
    }
    changes.push(...(plan.alongside ?? []))
    const committed = await this.store.commit(changes, asked)
    if (committed.replayed) return { committed, entries: await this.#entriesOf(committed), row }
    const index = changes.findIndex(change => change.type === 'append')
    if (index > 0) {
      const granted = committed.results[0] as Results['acquire']
      this.#fence = granted
    }
    const { first } = committed.results[index] as Results['append']
    const placed = entries.map((entry: NewEntry, offset): Entry => ({ ...entry, session: this.id, seq: first + offset }))
    this.live.advance(first + entries.length - 1)
    return { committed, entries: placed, row }
  }

  /** The fence, if it lasts for at least a third of a lease; else it is taken again, in the commit that needs it. */
  #heldFence(now: number): Fence | undefined {
    const fence = this.#fence
    if (fence === undefined || fence.until - now < (this.runtime.leaseMs * 2) / 3) return undefined
    return { session: fence.session, owner: fence.owner, token: fence.token }
  }

  /** True for the run that was admitted and goes on here; it keeps the lease that it began with. */
  #isBegun(run: RunId | undefined): boolean {
    return run !== undefined && run === this.activeRun && this.#pins > 0
  }

  #ownFence(): Fence {
    if (this.#fence === undefined) throw takenOver(this.id)
    const { session, owner, token } = this.#fence
    return { session, owner, token }
  }

  async #entriesOf(committed: Committed): Promise<Entry[]> {
    const appended = committed.results.find(
      (result): result is Results['append'] => typeof result === 'object' && 'ids' in result && 'first' in result,
    )
    if (appended === undefined) return []
    return [
      ...(await this.store.entries(this.id, {
        after: appended.first - 1,
        before: appended.last + 1,
        limit: appended.ids.length + 1,
      })),
    ]
  }

  #scheduleRelease(): void {
    if (this.#fence === undefined) return
    this.#cancelRelease?.()
    this.#cancelRelease = this.runtime.timers.after(this.runtime.lingerMs, () => {
      if (!this.busy) void this.releaseLease()
      else this.#scheduleRelease()
    })
  }
}

/** The row with the time of the last access, also of one that wrote nothing. */
export function accessed({ accessedAt }: Pick<SessionCore, 'accessedAt'>, row: SessionRow): SessionRow {
  return accessedAt > row.lastAccessedAt ? { ...row, lastAccessedAt: accessedAt } : row
}

const isTaken = (error: unknown): boolean =>
  isSkeinError(error) && (error.code === 'store.fenced' || (error.code === 'session.busy' && error.details['by'] === 'lease'))

function takenOver(id: SessionId, cause?: unknown): SkeinError {
  return new SkeinError('store.fenced', `Another owner has taken over session ${id}.`, {
    details: { session: id },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** What entries do to the row's fields and data, and what a verb adds; members of each are its own. */
function bothParts(effect: HeadPatch, more: HeadPatch | undefined): Pick<HeadPatch, 'set' | 'merge'> {
  const merge = { ...effect.merge, ...more?.merge }
  return { set: { ...effect.set, ...more?.set }, ...(Object.keys(merge).length === 0 ? {} : { merge }) }
}

export function busyWithRun(run: RunId): SkeinError {
  return new SkeinError('session.busy', `Run ${run} is going on in this session.`, { details: { by: 'run', run } })
}

export function digestOf(...asked: readonly unknown[]): string {
  return sha256(canonical(toJson(asked.map(item => item ?? null))))
}

function blobsOf(plan: Plan): Pick<Append, 'blobs' | 'blobRefs'> {
  return {
    ...(plan.blobs === undefined ? {} : { blobs: plan.blobs }),
    ...(plan.blobRefs === undefined ? {} : { blobRefs: plan.blobRefs }),
  }
}
