import type { BlobId, EntryId, Json, JsonObject, JobId, SessionId } from '#kernel'
import type { Change, Fence, JobState, Result } from './change.ts'
import type { Entry } from './entry.ts'
import type { SessionRow, SessionState } from './head.ts'

export type Durability = 'full' | 'relaxed' | 'none'

export interface CommitOptions {
  /** Idempotency key: 1–255 UTF-8 bytes without control characters, per tenant, kept 7 days. */
  readonly key?: string
  /** What was asked, as a hash. The same key with another digest is `idempotency.mismatch`. */
  readonly digest?: string
  /** Kept with the key and given back when it is replayed: what the caller's answer needs beside `results`. */
  readonly memo?: Json
  /** `full`: after the sync (default). `relaxed`: after the operating system has it. */
  readonly durability?: 'full' | 'relaxed'
  /** Aborted before the commit is taken: nothing is written. Later it has no effect. */
  readonly signal?: AbortSignal
}

/** `results[i]` answers `changes[i]`. `durability` is what this commit really got. */
export interface Committed {
  readonly at: number
  readonly durability: Durability
  readonly replayed: boolean
  readonly results: readonly Result[]
  readonly memo?: Json
}

export interface EntriesQuery {
  /** Only entries with `seq` above. */
  readonly after?: number
  /** Only entries with `seq` below. */
  readonly before?: number
  readonly types?: readonly string[]
  /** Default 100. */
  readonly limit?: number
  /** `asc` (default): oldest first, from `after`. `desc`: newest first, from `before`. */
  readonly order?: 'asc' | 'desc'
}

export interface BranchQuery {
  /** Where to begin: this entry is the first one returned. Default: the leaf. */
  readonly from?: EntryId
  readonly types?: readonly string[]
  /** How many entries of those types at the most. Default 100. */
  readonly limit?: number
}

export type SessionSort = '-updatedAt' | 'updatedAt' | '-lastAccessedAt' | '-createdAt' | 'createdAt' | 'title'

/** All given members must hold. `query` is found in id, alias, title, preview or cwd, ignoring case. */
export interface SessionFilter {
  readonly query?: string
  /** Default: active and ended ones. */
  readonly states?: readonly SessionState[]
  readonly ids?: readonly SessionId[]
  readonly user?: string
  readonly agent?: string
  readonly platform?: string
  readonly cwd?: string
  readonly tag?: string
  readonly parent?: SessionId
  /** Bounds on `updatedAt`, inclusive. */
  readonly since?: number
  readonly until?: number
  readonly sort?: SessionSort
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Hand it in as `cursor` for what follows; absent at the end. */
  readonly next?: string
}

export interface BlobRow {
  readonly id: BlobId
  /** SHA-256, 64 hex digits. */
  readonly hash: string
  readonly bytes: Uint8Array
}

/** Opaque rows of the rooms above. `version` counts from 1. */
export interface RecordRow {
  readonly collection: string
  readonly key: string
  readonly value: Json
  readonly tags: readonly string[]
  readonly sort: number
  readonly expiresAt: number | null
  readonly version: number
}

/** In order of `sort`, then key. */
export interface RecordsQuery {
  readonly tag?: string
  readonly keyPrefix?: string
  readonly sortFrom?: number
  readonly sortTo?: number
  readonly order?: 'asc' | 'desc'
  readonly limit?: number
  readonly cursor?: string
}

export type RouteRow = Omit<RecordRow, 'collection' | 'expiresAt'>

export interface ViewRow {
  readonly session: SessionId
  readonly name: string
  readonly format: number
  readonly seq: number
  readonly data: Json
}

export interface ArchiveRow {
  readonly id: string
  readonly session: SessionId
  readonly fromSeq: number
  readonly toSeq: number
  readonly children: readonly string[]
  readonly data: JsonObject
  readonly version: number
}

export interface MemoryRow {
  readonly id: string
  readonly version: number
  readonly owner: string
  readonly text: string
  readonly evidence: Json
  readonly data: JsonObject
  readonly embedding: readonly number[] | null
}

export interface JobRow {
  readonly id: JobId
  readonly tenant: string
  readonly kind: string
  /** Jobs of one tenant, kind and key run one at a time, in the order they were enqueued. */
  readonly key: string
  readonly uniqueKey: string | null
  readonly session: SessionId | null
  readonly state: JobState
  readonly payload: Json
  /** Version of the payload. A worker that only knows older ones leaves the job queued. */
  readonly schema: number
  readonly attempts: number
  readonly maxAttempts: number
  /** Whether a parked one holds back later jobs of its key. */
  readonly parkedBlocks: boolean
  readonly runAfter: number
  readonly leaseUntil: number
  readonly owner: string | null
  /** Grows with each claim; what an older owner does is refused. */
  readonly fence: number
  readonly traceId: string | null
  readonly result: Json
  readonly lastError: Json
  readonly createdAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
}

export interface JobFilter {
  readonly states?: readonly JobState[]
  readonly kind?: string
  readonly session?: SessionId
  readonly before?: JobId
  readonly limit?: number
}

/** What to claim: job kinds, and the newest payload version that the worker knows of each. */
export type ClaimKinds = Readonly<Record<string, number>>

export interface SearchQuery {
  /** Words, `"a phrase"`, `word*`, `-word`; anything else is text. */
  readonly query: string
  /** `all` (default) words, or `any`. */
  readonly match?: 'all' | 'any'
  readonly session?: SessionId
  readonly roles?: readonly string[]
  /** 1–100, default 20. */
  readonly limit?: number
}

export interface SearchHit {
  readonly session: SessionId
  readonly entry: EntryId
  readonly seq: number
  readonly at: number
  /** The message's role, else the entry's type. */
  readonly role: string
  readonly title: string | null
  readonly snippet: string
  /** Where the words stand in `snippet`: [from, to) in UTF-16 units. */
  readonly ranges: readonly (readonly [number, number])[]
  readonly score: number
}

export interface SearchResult {
  readonly hits: readonly SearchHit[]
  /** Set when the index is so far behind (over 500 entries) that hits may be missing. */
  readonly behind?: { readonly entries: number; readonly ms: number }
}

/** The right to extend one session's branch. Only `token` decides; `until` says when others may take over. */
export interface LeaseFence extends Fence {
  readonly until: number
}

/** One broken promise. `kind` is a fixed word (gap, orphan, leaf, count, totals, blob, overlap, watermark, fence, physical). */
export interface Finding {
  readonly tenant: string
  readonly session: SessionId | null
  readonly kind: 'gap' | 'root' | 'orphan' | 'leaf' | 'count' | 'totals' | 'blob' | 'overlap' | 'watermark' | 'fence' | 'physical'
  readonly ref: string | null
  readonly message: string
}

export interface CheckResult {
  readonly sessions: number
  readonly entries: number
  readonly blobs: number
  readonly findings: readonly Finding[]
}

export interface StoreStats {
  readonly adapter: string
  readonly format: number
  /** Transactions begun for commits, those of them with a sync, and round trips, since the store was opened. */
  readonly transactions: number
  readonly fullTransactions: number
  readonly roundTrips: number
  readonly commits: number
  readonly bytes: number | null
  readonly [more: string]: Json
}

/** One tenant's rows. Reads see everything that any process had acknowledged before they began. */
export interface TenantStore {
  readonly tenant: string

  /**
   * All or nothing. Rejects with what a change refuses with; `store.conflict` names the change. Without changes nothing is
   * begun, but a key is kept, or answered for, all the same. Laws J17, J22, J23.
   */
  commit(changes: readonly Change[], options?: CommitOptions): Promise<Committed>
  /** What a key was answered with, if it is known. Rejects `idempotency.mismatch` for another digest. */
  replay(key: string, digest?: string): Promise<Committed | undefined>

  session(ref: SessionId | { readonly alias: string }): Promise<SessionRow | undefined>
  /** Pages through sessions; hidden ones never show. */
  sessions(filter?: SessionFilter): Promise<Page<SessionRow>>
  entries(session: SessionId, query?: EntriesQuery): Promise<readonly Entry[]>
  /** Newest first, walking parents. Cost follows what is read. */
  branch(session: SessionId, query?: BranchQuery): Promise<readonly Entry[]>
  entry(session: SessionId, id: EntryId): Promise<Entry | undefined>
  /** Those that are there, in no order; unknown ones are left out. */
  blobs(ids: readonly BlobId[]): Promise<readonly BlobRow[]>
  /** Whether an entry of the session names the blob. */
  hasBlob(session: SessionId, id: BlobId): Promise<boolean>
  view(session: SessionId, name: string): Promise<ViewRow | undefined>
  /** By `fromSeq`. */
  archives(session: SessionId): Promise<readonly ArchiveRow[]>
  archive(id: string): Promise<ArchiveRow | undefined>
  route(key: string): Promise<RouteRow | undefined>
  routes(query?: RecordsQuery): Promise<Page<RouteRow>>
  record(collection: string, key: string): Promise<RecordRow | undefined>
  records(collection: string, query?: RecordsQuery): Promise<Page<RecordRow>>
  memory(id: string): Promise<readonly MemoryRow[]>
  memories(query?: { readonly owner?: string; readonly after?: string; readonly limit?: number }): Promise<readonly MemoryRow[]>
  job(id: JobId): Promise<JobRow | undefined>
  jobs(filter?: JobFilter): Promise<readonly JobRow[]>
  watermark(session: SessionId, reader: string): Promise<number>
  /** Sessions whose journal is ahead of the reader's watermark. */
  lagging(
    reader: string,
    limit?: number,
  ): Promise<readonly { readonly session: SessionId; readonly seq: number; readonly watermark: number }[]>
  search(query: SearchQuery): Promise<SearchResult>

  /** Throws `session.busy` with `details.until` while another owner's lease runs. */
  acquire(session: SessionId, owner: string, leaseMs: number): Promise<LeaseFence>
  /** Throws `store.fenced` once somebody else has taken over. */
  renew(fence: Fence, leaseMs: number): Promise<LeaseFence>
  /** Gives the session up; a stale fence is a no-op. */
  release(fence: Fence): Promise<void>

  /** Replays entries after `after`, then follows, without gap or repeat, until aborted, erased or closed. */
  watch(session: SessionId, after: number, options?: { readonly signal?: AbortSignal }): AsyncIterable<Entry>
}

/** Where journals live. Three adapters pass one contract suite (`skein/testing`). */
export interface Store {
  readonly adapter: string
  in(tenant: string): TenantStore
  tenants(): Promise<readonly string[]>
  /** The next job that may run, now owned by `owner` for `leaseMs`, with its fence raised and its attempt counted. */
  claim(kinds: ClaimKinds, owner: string, leaseMs: number): Promise<JobRow | undefined>
  /** Prolongs a claim. Throws `store.conflict` if the fence has moved on. */
  heartbeat(job: Pick<JobRow, 'id' | 'tenant' | 'fence'>, leaseMs: number): Promise<void>
  check(options?: { readonly deep?: boolean }): Promise<CheckResult>
  /** A checked copy that appears by rename. Adapters that cannot say `input.unsupported`. */
  backup(file: string): Promise<void>
  /**
   * Settles once no file of the store has the bytes of what was erased any more; for adapters whose files keep them. Takes as long
   * as writing the store anew.
   */
  purge?(): Promise<void>
  /** Rejects with what is wrong when the store can't be reached. */
  ping(): Promise<void>
  stats(): StoreStats
  close(): Promise<void>
}
