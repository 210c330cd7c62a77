import type { BlobId, EntryId, JobId, SessionId } from '#kernel'
import type { ArchiveRow, Entry, JobRow, MemoryRow, NewBlob, RecordRow, Rows, SessionRow, ViewRow } from '#journal'

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
  #undo: (() => void)[] = []

  /** Runs one member of a group; if it throws, everything it put is taken back. */
  transaction<T>(work: () => T): T {
    this.#undo = []
    try {
      return work()
    } catch (error) {
      for (const step of this.#undo.reverse()) step()
      throw error
    }
  }

  #set<K, V>(map: Map<K, V>, key: K, value: V): void {
    const had = map.has(key)
    const before = map.get(key) as V
    map.set(key, value)
    this.#undo.push(() => (had ? map.set(key, before) : map.delete(key)))
  }

  #delete<K, V>(map: Map<K, V>, key: K): void {
    if (!map.has(key)) return
    const before = map.get(key) as V
    map.delete(key)
    this.#undo.push(() => map.set(key, before))
  }

  #push<T>(list: T[], ...items: T[]): void {
    const length = list.length
    list.push(...items)
    this.#undo.push(() => void list.splice(length))
  }

  session(id: SessionId): SessionRow | undefined {
    return this.sessions.get(id)
  }

  sessionByAlias(alias: string): SessionId | undefined {
    return this.aliases.get(alias)
  }

  putSession(row: SessionRow): void {
    this.#set(this.sessions, row.id, row)
    if (row.alias !== null && this.aliases.get(row.alias) !== row.id) this.#set(this.aliases, row.alias, row.id)
  }

  entryExists(session: SessionId, id: EntryId): boolean {
    if (this.places.get(session)?.has(id) === true) return true
    return this.copies.some(({ from, to, fromSeq, toSeq }) => {
      const seq = to === session ? this.places.get(from)?.get(id) : undefined
      return seq !== undefined && seq >= fromSeq && seq <= toSeq
    })
  }

  addEntries(session: SessionId, entries: readonly Entry[]): void {
    this.#push(this.newEntries, ...entries)
    const places = this.places.get(session) ?? new Map<EntryId, number>()
    this.places.set(session, places)
    for (const entry of entries) this.#set(places, entry.id, entry.seq)
  }

  addBlobs(blobs: readonly NewBlob[]): void {
    for (const blob of blobs) if (!this.newBlobs.has(blob.id)) this.#set(this.newBlobs, blob.id, blob)
  }

  addBlobRefs(session: SessionId, blobs: readonly BlobId[]): void {
    this.#push(this.newRefs, ...blobs.map(blob => [session, blob] as const))
  }

  copyEntries(from: SessionId, to: SessionId, fromSeq: number, toSeq: number): number {
    this.#push(this.copies, { from, to, fromSeq, toSeq })
    return Math.max(0, toSeq - fromSeq + 1)
  }

  eraseSession(id: SessionId): Erased {
    const row = this.sessions.get(id)
    if (row === undefined) return { entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }
    this.#push(this.erasedSessions, id)
    this.#delete(this.sessions, id)
    if (row.alias !== null) this.#delete(this.aliases, row.alias)
    this.#delete(this.places, id)
    for (const [key, view] of this.views) if (view.session === id) this.#delete(this.views, key)
    for (const [key, mark] of this.watermarks) if (mark.session === id) this.#delete(this.watermarks, key)
    for (const [key, archive] of this.archives) if (archive.session === id) this.#delete(this.archives, key)
    for (const [key, job] of this.jobs) if (job.session === id) this.#delete(this.jobs, key)
    this.#keep(this.newEntries, entry => entry.session !== id)
    this.#keep(this.newRefs, ([session]) => session !== id)
    this.#keep(this.copies, copy => copy.to !== id)
    const counted = this.erasable.get(id) ?? { entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }
    return { ...counted, entries: row.seq }
  }

  #keep<T>(list: T[], wanted: (item: T) => boolean): void {
    const before = [...list]
    list.splice(0, list.length, ...before.filter(wanted))
    this.#undo.push(() => void list.splice(0, list.length, ...before))
  }

  eraseEntries(id: SessionId, seqs: readonly number[]): { entries: number; blobs: number } {
    const loaded = this.erasableEntries.get(eraseKey(id, seqs))
    if (loaded === undefined || this.sessions.get(id) === undefined) return { entries: 0, blobs: 0 }
    this.#push(this.erasedEntries, { session: id, ...loaded })
    return { entries: loaded.entries.length, blobs: loaded.blobs }
  }

  view(session: SessionId, name: string): ViewRow | undefined {
    return this.views.get(`${session} ${name}`)
  }

  putView(row: ViewRow): void {
    this.#set(this.views, `${row.session} ${row.name}`, row)
  }

  watermark(session: SessionId, reader: string): number {
    return this.watermarks.get(`${session} ${reader}`)?.seq ?? 0
  }

  putWatermark(session: SessionId, reader: string, seq: number): void {
    this.#set(this.watermarks, `${session} ${reader}`, { session, reader, seq })
  }

  archive(id: string): ArchiveRow | undefined {
    return this.archives.get(id)
  }

  archivesMeeting(session: SessionId, fromSeq: number, toSeq: number): readonly ArchiveRow[] {
    return [...this.archives.values()].filter(row => row.session === session && row.fromSeq <= toSeq && row.toSeq >= fromSeq)
  }

  putArchive(row: ArchiveRow): void {
    this.#set(this.archives, row.id, row)
  }

  record(collection: string, key: string): RecordRow | undefined {
    return this.records.get(recordKey(collection, key))
  }

  putRecord(row: RecordRow): void {
    this.#set(this.records, recordKey(row.collection, row.key), row)
  }

  deleteRecord(collection: string, key: string): void {
    this.#delete(this.records, recordKey(collection, key))
  }

  memory(id: string): MemoryRow | undefined {
    return this.memories.get(id)
  }

  putMemory(row: MemoryRow): void {
    const isNew = this.memories.get(row.id)?.version !== row.version
    this.#set(this.memories, row.id, row)
    this.#set(this.newMemories, `${row.id} ${row.version}`, row)
    if (isNew) this.#set(this.memoryVersions, row.id, (this.memoryVersions.get(row.id) ?? 0) + 1)
  }

  eraseMemory(id: string): number {
    const versions = this.memoryVersions.get(id) ?? 0
    this.#push(this.erasedMemories, id)
    this.#delete(this.memories, id)
    this.#delete(this.memoryVersions, id)
    for (const [key, row] of this.newMemories) if (row.id === id) this.#delete(this.newMemories, key)
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
    if (!this.jobs.has(row.id)) this.#push(this.newJobs, row.id)
    this.#set(this.jobs, row.id, row)
  }
}

export const recordKey = (collection: string, key: string): string => JSON.stringify([collection, key])
export const eraseKey = (session: SessionId, seqs: readonly number[]): string => `${session} ${seqs.join(' ')}`
