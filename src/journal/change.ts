import type { BlobId, EntryId, Json, JsonObject, JobId, SessionId } from '#kernel'
import type { NewEntry } from './entry.ts'
import type { Counters, HeadPatch, SessionFields } from './head.ts'

/** Who writes, and as which holder in the order of holders. */
export interface Fence {
  readonly session: SessionId
  readonly owner: string
  readonly token: number
}

export type JobState = 'queued' | 'running' | 'done' | 'parked' | 'skipped'

/** A claim of a job, as its holder knows it. */
export interface JobClaim {
  readonly job: JobId
  readonly fence: number
}

export interface NewBlob {
  readonly id: BlobId
  readonly hash: string
  readonly bytes: Uint8Array
}

export interface CreateSession {
  readonly type: 'create_session'
  readonly session: SessionId
  readonly alias: string | null
  readonly fields: SessionFields
  readonly data: JsonObject
}

export interface Append {
  readonly type: 'append'
  readonly session: SessionId
  /** The store gives each its `seq`, in this order and without gap. */
  readonly entries: readonly NewEntry[]
  /** Content of the blobs that the entries name and that may not be stored yet. */
  readonly blobs?: readonly NewBlob[]
  /** All blobs that the entries name. */
  readonly blobRefs?: readonly BlobId[]
  readonly head?: HeadPatch
  readonly expectLeaf?: EntryId
  /** Required when the head sets the leaf. `{ of: k }`: the fence that change k of this commit acquired. */
  readonly fence?: Fence | { readonly of: number }
}

/** Copies entries 1…toSeq (from `fromSeq` on, default 1) into a session made hidden for it, ids and places as they are. */
export interface CopySession {
  readonly type: 'copy_session'
  readonly from: SessionId
  readonly to: SessionId
  readonly fromSeq?: number
  readonly toSeq: number
}

export interface EraseSession {
  readonly type: 'erase_session'
  readonly session: SessionId
}
/** The entries stay, with id, seq and parent; their content becomes an erased marker. */
export interface EraseEntries {
  readonly type: 'erase_entries'
  readonly session: SessionId
  readonly seqs: readonly number[]
}

export interface Acquire {
  readonly type: 'acquire'
  readonly session: SessionId
  readonly owner: string
  readonly leaseMs: number
}
export interface Release {
  readonly type: 'release'
  readonly fence: Fence
}

export interface PutView {
  readonly type: 'put_view'
  readonly session: SessionId
  readonly name: string
  readonly format: number
  readonly seq: number
  readonly data: Json
}
export interface PutWatermark {
  readonly type: 'put_watermark'
  readonly session: SessionId
  readonly reader: string
  readonly seq: number
  readonly expect: number
}
export interface PutArchive {
  readonly type: 'put_archive'
  readonly id: string
  readonly session: SessionId
  readonly fromSeq: number
  readonly toSeq: number
  readonly children?: readonly string[]
  readonly data: JsonObject
  /** 0: there is none yet. */
  readonly expectVersion: number
}
export interface PutBlob {
  readonly type: 'put_blob'
  readonly blob: NewBlob
}
export interface PutRoute {
  readonly type: 'put_route'
  readonly key: string
  readonly value: Json
  readonly tags?: readonly string[]
  readonly sort?: number
  readonly expectVersion: number
}
export interface DeleteRoute {
  readonly type: 'delete_route'
  readonly key: string
  readonly expectVersion: number
}
export interface PutMemory {
  readonly type: 'put_memory'
  readonly id: string
  readonly version: number
  readonly owner: string
  readonly text: string
  readonly evidence: Json
  readonly data: JsonObject
  readonly embedding?: readonly number[]
}
export interface EraseMemory {
  readonly type: 'erase_memory'
  readonly id: string
}

export interface Enqueue {
  readonly type: 'enqueue'
  readonly job: {
    readonly id: JobId
    readonly kind: string
    readonly key: string
    readonly payload: Json
    readonly session?: SessionId
    readonly schema?: number
    readonly maxAttempts: number
    readonly parkedBlocks?: boolean
    readonly traceId?: string
  }
  /** Of this kind and key nothing more is enqueued while one is queued: that one is returned. */
  readonly uniqueKey?: string
  readonly runAfter?: number
}
export interface CompleteJob extends JobClaim {
  readonly type: 'complete'
  readonly result?: Json
}
/** The attempt failed; the job runs again at `runAfter`, or `afterMs` from now by the store's clock. */
export interface FailJob extends JobClaim {
  readonly type: 'fail'
  readonly error: Json
  readonly runAfter?: number
  readonly afterMs?: number
}
export interface ParkJob extends JobClaim {
  readonly type: 'park'
  readonly error: Json
}
/** Given back unfinished; the attempt is not counted. */
export interface ReleaseJob extends JobClaim {
  readonly type: 'release_job'
}
/** For parked jobs. Others refuse with `job.wrong_state`. */
export interface RedriveJob {
  readonly type: 'redrive'
  readonly job: JobId
  readonly action: 'retry' | 'skip'
  readonly reason?: string
}

export interface PutRecord {
  readonly type: 'put_record'
  readonly collection: string
  readonly key: string
  readonly value: Json
  /** At most 3. */
  readonly tags?: readonly string[]
  readonly sort?: number
  readonly expiresAt?: number
  readonly expectVersion?: number
}
export interface DeleteRecord {
  readonly type: 'delete_record'
  readonly collection: string
  readonly key: string
  readonly expectVersion?: number
}

/** An expectation without an effect. */
export interface Require {
  readonly type: 'require'
  readonly that:
    | { readonly leaf: EntryId; readonly session: SessionId }
    | { readonly fence: Fence | { readonly of: number } }
    | { readonly route: string; readonly version: number }
    | { readonly collection: string; readonly key: string; readonly version: number }
    | { readonly archive: string; readonly version: number }
    | { readonly watermark: string; readonly session: SessionId; readonly seq: number }
    | { readonly claim: JobClaim }
    | { readonly session: SessionId; readonly states: readonly SessionFields['state'][] }
}

/** Everything that can be done to a store. Plain data; all of one commit or nothing. Source: spec/foundation.md 3.2. */
export type Change =
  | CreateSession
  | Append
  | CopySession
  | EraseSession
  | EraseEntries
  | Acquire
  | Release
  | PutView
  | PutWatermark
  | PutArchive
  | PutBlob
  | PutRoute
  | DeleteRoute
  | PutMemory
  | EraseMemory
  | Enqueue
  | CompleteJob
  | FailJob
  | ParkJob
  | ReleaseJob
  | RedriveJob
  | PutRecord
  | DeleteRecord
  | Require

/** What a change answers; small and plain, since it is kept with an idempotency key. */
export interface Results {
  create_session: { readonly session: SessionId }
  append: {
    /** `seq` of the first and the last entry appended. */
    readonly first: number
    readonly last: number
    readonly ids: readonly EntryId[]
    readonly leafId: EntryId | null
    readonly token: number
    readonly counters: Counters
  }
  copy_session: { readonly entries: number }
  erase_session: {
    readonly erased: boolean
    readonly entries: number
    readonly blobs: number
    readonly archives: number
    readonly jobs: number
    readonly views: number
  }
  erase_entries: { readonly entries: number; readonly blobs: number }
  acquire: { readonly session: SessionId; readonly owner: string; readonly token: number; readonly until: number }
  release: { readonly released: boolean }
  put_view: { readonly stored: boolean }
  put_watermark: { readonly seq: number }
  put_archive: { readonly version: number }
  put_blob: { readonly id: BlobId }
  put_route: { readonly version: number }
  delete_route: { readonly deleted: boolean }
  put_memory: { readonly version: number }
  erase_memory: { readonly versions: number }
  enqueue: { readonly job: JobId; readonly existing: boolean }
  complete: { readonly job: JobId }
  fail: { readonly job: JobId }
  park: { readonly job: JobId }
  release_job: { readonly job: JobId }
  redrive: { readonly job: JobId }
  put_record: { readonly version: number }
  delete_record: { readonly deleted: boolean }
  require: { readonly held: true }
}
export type Result = Results[keyof Results]
export type ResultOf<C extends Change> = Results[C['type']]
