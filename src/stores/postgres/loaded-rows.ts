import type { BlobId, EntryId, JobId, SessionId } from '#kernel'
import {
  type ArchiveRow,
  type Entry,
  type JobRow,
  type MemoryRow,
  type NewBlob,
  type RecordRow,
  type Rows,
  type SessionRow,
  UndoLog,
  type ViewRow,
} from '#journal'

type Erased = ReturnType<Rows['eraseSession']>
export interface Copy {
  readonly from: SessionId
  readonly to: SessionId
  readonly fromSeq: number
  readonly toSeq: number
}

/** Entries that erasing would change, the session's blobs that nothing would name then, and how many of those nobody else has. */
export interface ErasableEntries {
  readonly entries: readonly Entry[]
  readonly unnamed: readonly BlobId[]
  readonly blobs: number
}

/**
 * What a transaction loaded and what it put since: `Rows` for `applyChanges` without a database in reach.
 * Maps are filled by loading; what is then put over them is told apart by identity when it is written.
 * Anything that a change could ask for must have been loaded: what isn't there counts as absent.
 */
export class LoadedRows implements Rows {
  readonly sessions: Map<SessionId, SessionRow> = new Map()
  readonly aliases: Map<string, SessionId> = new Map()
  /** Of the entries that changes name: which are there, and where. */
  readonly places: Map<SessionId, Map<EntryId, number>> = new Map()
  readonly views: Map<string, ViewRow> = new Map()
  readonly watermarks: Map<string, { readonly session: SessionId; readonly reader: string; readonly seq: number }> = new Map()
  readonly archives: Map<string, ArchiveRow> = new Map()
  readonly records: Map<string, RecordRow> = new Map()
  readonly memories: Map<string, MemoryRow> = new Map()
  readonly memoryVersions: Map<string, number> = new Map()
  readonly jobs: Map<JobId, JobRow> = new Map()
  /** What erasing would remove, counted beforehand under the session's lock. */
  readonly erasable: Map<SessionId, Erased> = new Map()
  readonly erasableEntries: Map<string, ErasableEntries> = new Map()

  readonly newEntries: Entry[] = []
  readonly newBlobs: Map<BlobId, NewBlob> = new Map()
  readonly newRefs: (readonly [SessionId, BlobId])[] = []
  readonly newMemories: Map<string, MemoryRow> = new Map()
  readonly newJobs: JobId[] = []
  readonly copies: Copy[] = []
  readonly erasedSessions: SessionId[] = []
  readonly erasedEntries: (ErasableEntries & { readonly session: SessionId })[] = []
  readonly erasedMemories: string[] = []
  readonly #log = new UndoLog()

  /** Runs one member of a group; if it throws, everything it put is taken back. */
  transaction<T>(work: () => T): T {
    return this.#log.transaction(work)
  }

  session(id: SessionId): SessionRow | undefined {
    return this.sessions.get(id)
  }

  sessionByAlias(alias: string): SessionId | undefined {
    return this.aliases.get(alias)
  }

  putSession(row: SessionRow): void {
    this.#log.set(this.sessions, row.id, row)
    if (row.alias !== null && this.aliases.get(row.alias) !== row.id) this.#log.set(this.aliases, row.alias, row.id)
  }

  entryExists(session: SessionId, id: EntryId): boolean {
    if (this.places.get(session)?.has(id) === true) return true
    return this.copies.some(({ from, to, fromSeq, toSeq }) => {
      const seq = to === session ? this.places.get(from)?.get(id) : undefined
      return seq !== undefined && seq >= fromSeq && seq <= toSeq
    })
  }

  addEntries(session: SessionId, entries: readonly Entry[]): void {
    this.#log.push(this.newEntries, ...entries)
    const places = this.places.get(session) ?? new Map<EntryId, number>()
    this.places.set(session, places)
    for (const entry of entries) this.#log.set(places, entry.id, entry.seq)
  }

  addBlobs(blobs: readonly NewBlob[]): void {
    for (const blob of blobs) if (!this.newBlobs.has(blob.id)) this.#log.set(this.newBlobs, blob.id, blob)
  }

  addBlobRefs(session: SessionId, blobs: readonly BlobId[]): void {
    this.#log.push(this.newRefs, ...blobs.map(blob => [session, blob] as const))
  }

  copyEntries(from: SessionId, to: SessionId, fromSeq: number, toSeq: number): number {
    this.#log.push(this.copies, { from, to, fromSeq, toSeq })
    return Math.max(0, toSeq - fromSeq + 1)
  }

  eraseSession(id: SessionId): Erased {
    const row = this.sessions.get(id)
    if (row === undefined) return { entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }
    this.#log.push(this.erasedSessions, id)
    this.#log.delete(this.sessions, id)
    if (row.alias !== null) this.#log.delete(this.aliases, row.alias)
    this.#log.delete(this.places, id)
    for (const [key, view] of this.views) if (view.session === id) this.#log.delete(this.views, key)
    for (const [key, mark] of this.watermarks) if (mark.session === id) this.#log.delete(this.watermarks, key)
    for (const [key, archive] of this.archives) if (archive.session === id) this.#log.delete(this.archives, key)
    for (const [key, job] of this.jobs) if (job.session === id) this.#log.delete(this.jobs, key)
    this.#log.keep(this.newEntries, entry => entry.session !== id)
    this.#log.keep(this.newRefs, ([session]) => session !== id)
    this.#log.keep(this.copies, copy => copy.to !== id)
    const counted = this.erasable.get(id) ?? { entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }
    return { ...counted, entries: row.seq }
  }

  eraseEntries(id: SessionId, seqs: readonly number[]): { entries: number; blobs: number } {
    const loaded = this.erasableEntries.get(eraseKey(id, seqs))
    if (loaded === undefined || this.sessions.get(id) === undefined) return { entries: 0, blobs: 0 }
    this.#log.push(this.erasedEntries, { session: id, ...loaded })
    return { entries: loaded.entries.length, blobs: loaded.blobs }
  }

  view(session: SessionId, name: string): ViewRow | undefined {
    return this.views.get(`${session} ${name}`)
  }

  putView(row: ViewRow): void {
    this.#log.set(this.views, `${row.session} ${row.name}`, row)
  }

  watermark(session: SessionId, reader: string): number {
    return this.watermarks.get(`${session} ${reader}`)?.seq ?? 0
  }

  putWatermark(session: SessionId, reader: string, seq: number): void {
    this.#log.set(this.watermarks, `${session} ${reader}`, { session, reader, seq })
  }

  archive(id: string): ArchiveRow | undefined {
    return this.archives.get(id)
  }

  archivesMeeting(session: SessionId, fromSeq: number, toSeq: number): readonly ArchiveRow[] {
    return [...this.archives.values()].filter(row => row.session === session && row.fromSeq <= toSeq && row.toSeq >= fromSeq)
  }

  putArchive(row: ArchiveRow): void {
    this.#log.set(this.archives, row.id, row)
  }

  record(collection: string, key: string): RecordRow | undefined {
    return this.records.get(recordKey(collection, key))
  }

  putRecord(row: RecordRow): void {
    this.#log.set(this.records, recordKey(row.collection, row.key), row)
  }

  deleteRecord(collection: string, key: string): void {
    this.#log.delete(this.records, recordKey(collection, key))
  }

  memory(id: string): MemoryRow | undefined {
    return this.memories.get(id)
  }

  putMemory(row: MemoryRow): void {
    const isNew = this.memories.get(row.id)?.version !== row.version
    this.#log.set(this.memories, row.id, row)
    this.#log.set(this.newMemories, `${row.id} ${row.version}`, row)
    if (isNew) this.#log.set(this.memoryVersions, row.id, (this.memoryVersions.get(row.id) ?? 0) + 1)
  }

  eraseMemory(id: string): number {
    const versions = this.memoryVersions.get(id) ?? 0
    this.#log.push(this.erasedMemories, id)
    this.#log.delete(this.memories, id)
    this.#log.delete(this.memoryVersions, id)
    for (const [key, row] of this.newMemories) if (row.id === id) this.#log.delete(this.newMemories, key)
    return versions
  }

  job(id: JobId): JobRow | undefined {
    return this.jobs.get(id)
  }

  uniqueJob(kind: string, uniqueKey: string): JobRow | undefined {
    for (const job of this.jobs.values())
      if (job.kind === kind && job.uniqueKey === uniqueKey && job.state === 'queued') return job
    return undefined
  }

  putJob(row: JobRow): void {
    if (!this.jobs.has(row.id)) this.#log.push(this.newJobs, row.id)
    this.#log.set(this.jobs, row.id, row)
  }
}

export const recordKey = (collection: string, key: string): string => JSON.stringify([collection, key])
export const eraseKey = (session: SessionId, seqs: readonly number[]): string => `${session} ${seqs.join(' ')}`
