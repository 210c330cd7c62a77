import {
  type ArchiveRow,
  type Entry,
  entryBody,
  erasedEntry,
  type JobRow,
  type MemoryRow,
  type NewBlob,
  type RecordRow,
} from '#journal'
import type { Rows, SessionRow, ViewRow } from '#journal'
import type { BlobId, EntryId, JobId, SessionId } from '#kernel'
import {
  archiveFrom,
  changedColumns,
  entryFromRow,
  jobFrom,
  jobValues,
  longId,
  memoryFrom,
  memoryValues,
  recordFrom,
  recordValues,
  sessionFrom,
  sessionValues,
  shortId,
  textIn,
  viewFrom,
} from './columns.ts'
import type { Connection } from './connection.ts'

interface KnownSession {
  readonly key: number
  readonly row: SessionRow
}

const rememberedSessions = 1_000

/**
 * One tenant's tables, read and written inside the transaction that is open on the connection. With `remembers`, session rows
 * read or put are kept until `forget`, which whoever undoes a transaction, or learns of other writers, has to call.
 */
export class SqliteRows implements Rows {
  readonly #db: Connection
  readonly #tenant: string
  /** The tenant's surrogate; 0 until it has one, which no row ever has. */
  readonly #tenantKey: () => number
  readonly #remembers: boolean
  readonly #known = new Map<SessionId, KnownSession>()

  constructor(db: Connection, tenant: string, tenantKey: () => number, remembers: boolean) {
    this.#db = db
    this.#tenant = tenant
    this.#tenantKey = tenantKey
    this.#remembers = remembers
  }

  /** Drops what is kept. */
  forget(): void {
    this.#known.clear()
  }

  session(id: SessionId): SessionRow | undefined {
    return this.#session(id)?.row
  }

  #session(id: SessionId): KnownSession | undefined {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const read = this.#db.get('session', this.#tenantKey(), shortId('ses', id))
    return read === undefined ? undefined : this.#remember({ key: read[0] as number, row: sessionFrom(read) })
  }

  #remember(session: KnownSession): KnownSession {
    if (!this.#remembers) return session
    if (this.#known.size >= rememberedSessions) this.#known.clear()
    this.#known.set(session.row.id, session)
    return session
  }

  #key(id: SessionId): number {
    return this.#session(id)?.key ?? -1
  }

  sessionByAlias(alias: string): SessionId | undefined {
    const row = this.#db.get('sessionByAlias', this.#tenantKey(), alias)
    return row === undefined ? undefined : longId('ses', row[0] as string)
  }

  putSession(row: SessionRow, before: SessionRow | undefined): void {
    const known = before === undefined ? undefined : this.#session(row.id)
    if (before === undefined || known === undefined) {
      this.#db.run('addSession', this.#tenantKey(), ...sessionValues(row))
      const key = this.#db.get('sessionKey', this.#tenantKey(), shortId('ses', row.id))?.[0] as number
      this.#remember({ key, row })
      return
    }
    const { names, values } = changedColumns(row, before)
    if (names.length > 0) {
      const sql = `UPDATE session SET ${names.map(name => `${name} = ?`).join(', ')} WHERE id = ?`
      this.#db.runText('putSession', sql, [...values, known.key])
    }
    this.#remember({ key: known.key, row })
  }

  entryExists(session: SessionId, id: EntryId): boolean {
    return this.#db.get('entryExists', this.#key(session), shortId('ent', id)) !== undefined
  }

  addEntries(session: SessionId, entries: readonly Entry[]): void {
    const key = this.#key(session)
    for (const entry of entries) {
      const parent = entry.parentId === null ? null : shortId('ent', entry.parentId)
      this.#db.run('addEntry', key, entry.seq, shortId('ent', entry.id), parent, textIn(entry.type), entry.at, entryBody(entry))
    }
  }

  addBlobs(blobs: readonly NewBlob[]): void {
    for (const { id, hash, bytes } of blobs) this.#db.run('addBlob', this.#tenantKey(), id, hash, bytes)
  }

  addBlobRefs(session: SessionId, blobs: readonly BlobId[]): void {
    for (const blob of blobs) this.#db.run('addBlobRef', this.#key(session), blob)
  }

  copyEntries(from: SessionId, to: SessionId, fromSeq: number, toSeq: number): number {
    this.#db.run('copyBlobRefs', this.#key(to), this.#key(from))
    return this.#db.run('copyEntries', this.#key(to), this.#key(from), fromSeq, toSeq)
  }

  eraseSession(id: SessionId): { entries: number; blobs: number; archives: number; jobs: number; views: number } {
    const known = this.#session(id)
    if (known === undefined) return { entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }
    const { key } = known
    const blobs = this.#db.all('blobRefs', key).map(([blob]) => blob as BlobId)
    this.#keepPlace(key)
    this.#db.run('removeBlobRefs', key)
    const entries = this.#db.run('removeEntries', key)
    const views = this.#db.run('removeViews', key)
    this.#db.run('removeWatermarks', key)
    const archives = this.#db.run('removeArchives', key)
    const jobs = this.#db.run('removeJobs', this.#tenantKey(), shortId('ses', id))
    this.#db.run('removeSession', key)
    this.#known.delete(id)
    return { entries, blobs: this.#dropUnusedBlobs(blobs), archives, jobs, views }
  }

  /** If the newest entry of all is about to go, a row without content takes a place behind it. */
  #keepPlace(key: number): void {
    const newest = this.#db.get('newestEntry')?.[0] as number | null
    if (newest === null || this.#db.get('newestEntryOf', key)?.[0] !== newest) return
    this.#db.run('keepPlace', newest + 1, newest + 1, String(newest + 1))
    this.#db.run('dropOldPlaces', newest + 1)
  }

  eraseEntries(id: SessionId, seqs: readonly number[]): { entries: number; blobs: number } {
    const known = this.#session(id)
    if (known === undefined) return { entries: 0, blobs: 0 }
    let erased = 0
    for (const seq of seqs) {
      const row = this.#db.get('entryAt', known.key, seq)
      if (row === undefined || row[3] === 'erased') continue
      const marker = erasedEntry(entryFromRow(id, row))
      this.#db.run('eraseEntry', marker.type, entryBody(marker), known.key, seq)
      erased++
    }
    const named = this.#blobsNamed(known.key)
    const unnamed = this.#db
      .all('blobRefs', known.key)
      .map(([blob]) => blob as BlobId)
      .filter(blob => !named.has(blob))
    for (const blob of unnamed) this.#db.run('removeBlobRef', known.key, blob)
    return { entries: erased, blobs: this.#dropUnusedBlobs(unnamed) }
  }

  #blobsNamed(key: number): Set<string> {
    const named = new Set<string>()
    for (let seq = 0, more = true; more; seq += 500) {
      const page = this.#db.all('entryBodies', key, seq)
      for (const [body] of page) for (const blob of (body as string).match(/blb_[0-9a-f]{32}/g) ?? []) named.add(blob)
      more = page.length === 500
    }
    return named
  }

  #dropUnusedBlobs(blobs: readonly BlobId[]): number {
    let dropped = 0
    for (const blob of blobs) {
      if (this.#db.get('blobUsed', blob, this.#tenantKey()) === undefined)
        dropped += this.#db.run('removeBlob', this.#tenantKey(), blob)
    }
    return dropped
  }

  view(session: SessionId, name: string): ViewRow | undefined {
    const row = this.#db.get('view', this.#key(session), name)
    return row === undefined ? undefined : viewFrom(session, row)
  }

  putView({ session, name, format, seq, data }: ViewRow): void {
    this.#db.run('putView', this.#key(session), name, format, seq, JSON.stringify(data))
  }

  watermark(session: SessionId, reader: string): number {
    return (this.#db.get('watermark', this.#key(session), reader)?.[0] as number | undefined) ?? 0
  }

  putWatermark(session: SessionId, reader: string, seq: number): void {
    this.#db.run('putWatermark', this.#key(session), reader, seq)
  }

  archive(id: string): ArchiveRow | undefined {
    const row = this.#db.get('archive', this.#tenantKey(), id)
    if (row === undefined) return undefined
    const [session, ...columns] = row
    const uid = this.#db.get('sessionUid', session as number)?.[0] as string
    return archiveFrom(longId('ses', uid), columns)
  }

  archivesMeeting(session: SessionId, fromSeq: number, toSeq: number): readonly ArchiveRow[] {
    return this.#db.all('archivesMeeting', this.#key(session), toSeq, fromSeq).map(row => archiveFrom(session, row))
  }

  putArchive({ id, session, fromSeq, toSeq, children, data, version }: ArchiveRow): void {
    const json = [JSON.stringify(children), JSON.stringify(data)] as const
    this.#db.run('putArchive', this.#tenantKey(), this.#key(session), id, fromSeq, toSeq, ...json, version)
  }

  record(collection: string, key: string): RecordRow | undefined {
    const row = this.#db.get('record', this.#tenantKey(), textIn(collection), textIn(key))
    return row === undefined ? undefined : recordFrom(row)
  }

  putRecord(row: RecordRow): void {
    this.#db.run('putRecord', this.#tenantKey(), ...recordValues(row))
  }

  deleteRecord(collection: string, key: string): void {
    this.#db.run('removeRecord', this.#tenantKey(), textIn(collection), textIn(key))
  }

  memory(id: string): MemoryRow | undefined {
    const row = this.#db.get('memory', this.#tenantKey(), id)
    return row === undefined ? undefined : memoryFrom(row)
  }

  putMemory(row: MemoryRow): void {
    this.#db.run('putMemory', this.#tenantKey(), ...memoryValues(row))
  }

  eraseMemory(id: string): number {
    return this.#db.run('removeMemory', this.#tenantKey(), id)
  }

  job(id: JobId): JobRow | undefined {
    const row = this.#db.get('job', this.#tenantKey(), shortId('job', id))
    return row === undefined ? undefined : jobFrom(this.#tenant, row)
  }

  uniqueJob(kind: string, uniqueKey: string): JobRow | undefined {
    const row = this.#db.get('uniqueJob', this.#tenantKey(), textIn(kind), textIn(uniqueKey))
    return row === undefined ? undefined : jobFrom(this.#tenant, row)
  }

  putJob(row: JobRow): void {
    const values = jobValues(row)
    const exists = this.#db.run('changeJob', ...values, this.#tenantKey(), shortId('job', row.id)) > 0
    if (!exists) this.#db.run('addJob', this.#tenantKey(), ...values)
  }
}
