import type { BlobId, EntryId, JobId, SessionId } from '#kernel'
import type { NewBlob } from './change.ts'
import type { Entry } from './entry.ts'
import type { SessionRow } from './head.ts'
import type { ArchiveRow, JobRow, MemoryRow, RecordRow, ViewRow } from './store.ts'

/**
 * One tenant's rows inside one open transaction: what `applyChanges` reads and writes.
 * Plain storage without rules: keys are given, nothing is checked, reads see this transaction's own writes.
 * Synchronous, so an adapter over a network loads the rows that `rowsNeeded` names first and writes what was put afterwards.
 */
export interface Rows {
  session(id: SessionId): SessionRow | undefined
  sessionByAlias(alias: string): SessionId | undefined
  /** Inserts, or replaces every column of the row. `before` is the row that was read, so that only changes need be written. */
  putSession(row: SessionRow, before: SessionRow | undefined): void

  entryExists(session: SessionId, id: EntryId): boolean
  addEntries(session: SessionId, entries: readonly Entry[]): void
  /** `session`: whose entries name them, if any do; `addBlobRefs` follows. */
  addBlobs(blobs: readonly NewBlob[], session?: SessionId): void
  addBlobRefs(session: SessionId, blobs: readonly BlobId[]): void
  /** Entries fromSeq…toSeq with the blob references that they have, or of the whole source. Returns how many entries. */
  copyEntries(from: SessionId, to: SessionId, fromSeq: number, toSeq: number): number
  /** Removes the session with everything that hangs on it. */
  eraseSession(id: SessionId): { entries: number; blobs: number; archives: number; jobs: number; views: number }
  /** Replaces these entries' content by the erased marker. */
  eraseEntries(id: SessionId, seqs: readonly number[]): { entries: number; blobs: number }

  view(session: SessionId, name: string): ViewRow | undefined
  putView(row: ViewRow): void
  watermark(session: SessionId, reader: string): number
  putWatermark(session: SessionId, reader: string, seq: number): void
  archive(id: string): ArchiveRow | undefined
  /** Archives of the session whose range meets fromSeq…toSeq. */
  archivesMeeting(session: SessionId, fromSeq: number, toSeq: number): readonly ArchiveRow[]
  putArchive(row: ArchiveRow): void
  record(collection: string, key: string): RecordRow | undefined
  putRecord(row: RecordRow): void
  deleteRecord(collection: string, key: string): void
  /** The newest version. */
  memory(id: string): MemoryRow | undefined
  putMemory(row: MemoryRow): void
  eraseMemory(id: string): number
  job(id: JobId): JobRow | undefined
  /** The queued job of this kind with this unique key. */
  uniqueJob(kind: string, uniqueKey: string): JobRow | undefined
  putJob(row: JobRow): void
}

/** Outside facts of one transaction, handed in. */
export interface CommitContext {
  readonly tenant: string
  readonly now: number
  /** Whether the process that owns a lease is known to be dead, so that its lease counts as run out. */
  readonly ownerIsDead?: (owner: string) => boolean
}
