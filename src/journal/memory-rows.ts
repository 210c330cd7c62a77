import type { BlobId, EntryId, JobId, SessionId } from '#kernel'
import type { NewBlob } from './change.ts'
import { erasedEntry } from './erase.ts'
import type { Entry } from './entry.ts'
import type { SessionRow } from './head.ts'
import type { Rows } from './rows.ts'
import type { ArchiveRow, BlobRow, JobRow, MemoryRow, RecordRow, ViewRow } from './store.ts'
import { UndoLog } from './undo-log.ts'

/**
 * One tenant's tables in memory. Every write remembers how to undo itself, so a refused commit leaves nothing.
 * What goes in is frozen plain data or made so by the caller; what comes out is never written to.
 */
export class MemoryRows implements Rows {
  readonly sessions: Map<SessionId, SessionRow> = new Map()
  readonly aliases: Map<string, SessionId> = new Map()
  readonly journals: Map<SessionId, Entry[]> = new Map()
  readonly places: Map<SessionId, Map<EntryId, number>> = new Map()
  readonly blobs: Map<BlobId, BlobRow> = new Map()
  readonly blobRefs: Map<SessionId, Map<BlobId, number>> = new Map()
  readonly views: Map<string, ViewRow> = new Map()
  readonly watermarks: Map<string, number> = new Map()
  readonly archives: Map<string, ArchiveRow> = new Map()
  readonly records: Map<string, Map<string, RecordRow>> = new Map()
  readonly memories: Map<string, MemoryRow[]> = new Map()
  readonly jobs: Map<JobId, JobRow> = new Map()
  readonly #log = new UndoLog()

  /** Runs `work`; if it throws, everything it put is taken back. */
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
    if (row.alias !== null) this.#log.set(this.aliases, row.alias, row.id)
    if (!this.journals.has(row.id)) {
      this.#log.set(this.journals, row.id, [])
      this.#log.set(this.places, row.id, new Map())
      this.#log.set(this.blobRefs, row.id, new Map())
    }
  }

  entryExists(session: SessionId, id: EntryId): boolean {
    return this.places.get(session)?.has(id) === true
  }

  addEntries(session: SessionId, entries: readonly Entry[]): void {
    const journal = this.journals.get(session) ?? []
    const places = this.places.get(session) ?? new Map<EntryId, number>()
    const length = journal.length
    for (const entry of entries) {
      journal.push(entry)
      places.set(entry.id, entry.seq)
    }
    this.#log.add(() => {
      for (const entry of journal.splice(length)) places.delete(entry.id)
    })
  }

  addBlobs(blobs: readonly NewBlob[]): void {
    for (const { id, hash, bytes } of blobs)
      if (!this.blobs.has(id)) this.#log.set(this.blobs, id, { id, hash, bytes: bytes.slice() })
  }

  addBlobRefs(session: SessionId, blobs: readonly BlobId[]): void {
    const refs = this.blobRefs.get(session) ?? new Map<BlobId, number>()
    for (const blob of blobs) this.#log.set(refs, blob, (refs.get(blob) ?? 0) + 1)
  }

  copyEntries(from: SessionId, to: SessionId, fromSeq: number, toSeq: number): number {
    const entries = (this.journals.get(from) ?? []).slice(fromSeq - 1, toSeq).map(entry => ({ ...entry, session: to }))
    this.addEntries(to, entries)
    this.addBlobRefs(
      to,
      [...(this.blobRefs.get(from)?.keys() ?? [])].filter(blob => this.blobRefs.get(to)?.has(blob) !== true),
    )
    return entries.length
  }

  eraseSession(id: SessionId): { entries: number; blobs: number; archives: number; jobs: number; views: number } {
    const row = this.sessions.get(id)
    if (row === undefined) return { entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }
    const entries = this.journals.get(id)?.length ?? 0
    const refs = [...(this.blobRefs.get(id)?.keys() ?? [])]
    this.#log.delete(this.sessions, id)
    if (row.alias !== null) this.#log.delete(this.aliases, row.alias)
    this.#log.delete(this.journals, id)
    this.#log.delete(this.places, id)
    this.#log.delete(this.blobRefs, id)
    let views = 0
    for (const [key, view] of this.views) if (view.session === id && this.#log.delete(this.views, key)) views++
    for (const key of this.watermarks.keys()) if (key.startsWith(`${id} `)) this.#log.delete(this.watermarks, key)
    let archives = 0
    for (const [key, archive] of this.archives) if (archive.session === id && this.#log.delete(this.archives, key)) archives++
    let jobs = 0
    for (const [key, job] of this.jobs) if (job.session === id && this.#log.delete(this.jobs, key)) jobs++
    return { entries, blobs: this.#dropUnusedBlobs(refs), archives, jobs, views }
  }

  eraseEntries(id: SessionId, seqs: readonly number[]): { entries: number; blobs: number } {
    const journal = this.journals.get(id) ?? []
    let erased = 0
    for (const seq of seqs) {
      const entry = journal[seq - 1]
      if (entry === undefined || entry.type === 'erased') continue
      journal[seq - 1] = erasedEntry(entry)
      this.#log.add(() => (journal[seq - 1] = entry))
      erased++
    }
    const refs = this.blobRefs.get(id) ?? new Map<BlobId, number>()
    const named = new Set(journal.flatMap(entry => JSON.stringify(entry.data).match(/blb_[0-9a-f]{32}/g) ?? []))
    const unnamed = [...refs.keys()].filter(blob => !named.has(blob))
    for (const blob of unnamed) this.#log.delete(refs, blob)
    return { entries: erased, blobs: this.#dropUnusedBlobs(unnamed) }
  }

  #dropUnusedBlobs(blobs: readonly BlobId[]): number {
    const used = (blob: BlobId): boolean => [...this.blobRefs.values()].some(refs => refs.has(blob))
    return blobs.filter(blob => !used(blob) && this.#log.delete(this.blobs, blob)).length
  }

  view(session: SessionId, name: string): ViewRow | undefined {
    return this.views.get(`${session} ${name}`)
  }

  putView(row: ViewRow): void {
    this.#log.set(this.views, `${row.session} ${row.name}`, row)
  }

  watermark(session: SessionId, reader: string): number {
    return this.watermarks.get(`${session} ${reader}`) ?? 0
  }

  putWatermark(session: SessionId, reader: string, seq: number): void {
    this.#log.set(this.watermarks, `${session} ${reader}`, seq)
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
    return this.records.get(collection)?.get(key)
  }

  putRecord(row: RecordRow): void {
    const collection = this.records.get(row.collection) ?? new Map<string, RecordRow>()
    this.records.set(row.collection, collection)
    this.#log.set(collection, row.key, row)
  }

  deleteRecord(collection: string, key: string): void {
    const rows = this.records.get(collection)
    if (rows !== undefined) this.#log.delete(rows, key)
  }

  memory(id: string): MemoryRow | undefined {
    return this.memories.get(id)?.at(-1)
  }

  putMemory(row: MemoryRow): void {
    const others = (this.memories.get(row.id) ?? []).filter(other => other.version !== row.version)
    this.#log.set(this.memories, row.id, [...others, row])
  }

  eraseMemory(id: string): number {
    const versions = this.memories.get(id)?.length ?? 0
    this.#log.delete(this.memories, id)
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
    this.#log.set(this.jobs, row.id, row)
  }
}
