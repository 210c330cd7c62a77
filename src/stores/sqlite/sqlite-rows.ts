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
  parentBefore,
  recordFrom,
  recordValues,
  sessionFrom,
  sessionValues,
  shortId,
  textIn,
  viewFrom,
} from './columns.ts'
import type { Connection } from './connection.ts'
import { placedEvery } from './schema.ts'

interface KnownSession {
  readonly key: number
  readonly row: SessionRow
  /** Undefined if it was not asked yet. */
  readonly ids: KnownIds | undefined
}

/** Of a session's entries: an id that none is greater than, and that of the newest. */
interface KnownIds {
  readonly greatest: string
  readonly newest: string
}

const rememberedSessions = 1_000

/** Up to which `seq` the ids of a session with so many entries have their places. */
const placedUpTo = (seq: number): number => seq - (seq % placedEvery)

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
    return read === undefined ? undefined : this.#remember({ key: read[0] as number, row: sessionFrom(read), ids: undefined })
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
      this.#remember({ key, row, ids: { greatest: '', newest: '' } })
      return
    }
    const { names, values } = changedColumns(row, before)
    if (names !== '') {
      values.push(known.key)
      this.#db.runText('putSession', `UPDATE session SET ${names} WHERE id = ?`, values)
    }
    this.#remember({ ...known, row })
  }

  entryExists(session: SessionId, id: EntryId): boolean {
    const known = this.#session(session)
    if (known === undefined) return false
    const uid = shortId('ent', id)
    // A new id mostly is the greatest; as ASCII it compares alike here and there.
    if (uid.length === 26 && uid > this.#ids(known).greatest) return false
    return this.#db.get('seqOf', known.key, uid)?.[0] != null
  }

  #ids(known: KnownSession): KnownIds {
    if (known.ids !== undefined) return known.ids
    const { seq } = known.row
    const [greatest, newest] = this.#db.get('knownIds', known.key, placedUpTo(seq), seq) as [string, string]
    const ids = { greatest, newest }
    this.#remember({ ...known, ids })
    return ids
  }

  addEntries(session: SessionId, entries: readonly Entry[]): void {
    const known = this.#session(session)
    const first = entries[0]
    if (known === undefined || first === undefined) return
    let { greatest, newest } = known.ids ?? { greatest: undefined, newest: undefined }
    for (const entry of entries) {
      const named = entry.parentId === null ? null : shortId('ent', entry.parentId)
      const parent = named !== null && named === newest ? parentBefore : named
      const uid = shortId('ent', entry.id)
      this.#db.run('addEntry', known.key, entry.seq, uid, parent, textIn(entry.type), entry.at, entryBody(entry))
      newest = uid
      if (greatest !== undefined && uid > greatest) greatest = uid
    }
    this.#placeEntries(known.key, first.seq - 1, first.seq - 1 + entries.length)
    this.#remember({ ...known, ids: greatest === undefined ? undefined : { greatest, newest: newest as string } })
  }

  /** A session that had `before` entries has `now`: the ids of those that came to a full measure get their places. */
  #placeEntries(key: number, before: number, now: number): void {
    if (placedUpTo(now) > placedUpTo(before)) this.#db.run('placeEntries', key, placedUpTo(before), placedUpTo(now))
  }

  addBlobs(blobs: readonly NewBlob[], session?: SessionId): void {
    const owner = session === undefined ? 0 : this.#key(session)
    for (const { id, hash, bytes } of blobs) this.#db.run('addBlob', this.#tenantKey(), id, hash, bytes, owner)
  }

  addBlobRefs(session: SessionId, blobs: readonly BlobId[]): void {
    for (const blob of blobs) this.#addBlobRef(this.#key(session), blob)
  }

  #addBlobRef(key: number, blob: string): void {
    if (this.#db.get('blobOwner', this.#tenantKey(), blob)?.[0] !== key) this.#db.run('addBlobRef', key, blob)
  }

  /** Whether entries of the session with this surrogate name the blob. */
  hasBlobRef(key: number, blob: string): boolean {
    return this.#db.get('blobOwner', this.#tenantKey(), blob)?.[0] === key || this.#db.get('hasBlobRef', key, blob) !== undefined
  }

  copyEntries(from: SessionId, to: SessionId, fromSeq: number, toSeq: number): number {
    const source = this.#key(from)
    const known = this.#session(to)
    if (known === undefined) return 0
    for (const blob of this.#blobsNamed(source, fromSeq - 1, toSeq))
      if (this.hasBlobRef(source, blob)) this.#addBlobRef(known.key, blob)
    const copied = this.#db.run('copyEntries', known.key, source, fromSeq, toSeq)
    this.#placeEntries(known.key, fromSeq - 1, toSeq)
    this.#remember({ ...known, ids: undefined })
    return copied
  }

  eraseSession(id: SessionId): { entries: number; blobs: number; archives: number; jobs: number; views: number } {
    const known = this.#session(id)
    if (known === undefined) return { entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }
    const { key } = known
    const blobs = this.#blobsOf(key)
    this.#keepPlace(key)
    const entries = this.#db.run('removeEntries', key)
    this.#db.run('removePlaces', key)
    const views = this.#db.run('removeViews', key)
    this.#db.run('removeWatermarks', key)
    const archives = this.#db.run('removeArchives', key)
    const jobs = this.#db.run('removeJobs', this.#tenantKey(), shortId('ses', id))
    this.#db.run('removeSession', key)
    this.#known.delete(id)
    const dropped = this.#dropBlobs(key, blobs)
    this.#db.run('removeBlobRefs', key)
    return { entries, blobs: dropped, archives, jobs, views }
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
    const before = this.#blobsOf(known.key)
    for (const seq of seqs) {
      const row = this.#db.get('entryAt', known.key, seq)
      if (row === undefined || row[3] === 'erased') continue
      const marker = erasedEntry(entryFromRow(id, row))
      this.#db.run('eraseEntry', marker.type, entryBody(marker), known.key, seq)
      erased++
    }
    const named = this.#blobsNamed(known.key)
    const unnamed = [...before].filter(blob => !named.has(blob))
    return { entries: erased, blobs: this.#dropBlobs(known.key, unnamed) }
  }

  /** Every blob that the session refers to. */
  #blobsOf(key: number): Set<string> {
    const named = [...this.#blobsNamed(key)].filter(blob => this.hasBlobRef(key, blob))
    return new Set([...named, ...this.#db.all('blobRefs', key).map(([blob]) => blob as string)])
  }

  /** What the texts of a session's entries say, after `after` and up to `upTo`; a text may say what is no reference. */
  #blobsNamed(key: number, after = 0, upTo: number = Number.MAX_SAFE_INTEGER): Set<string> {
    const named = new Set<string>()
    for (let page, from = after; page === undefined || page.length === 500; from = page.at(-1)?.[0] as number) {
      page = this.#db.all('bodiesWithBlobs', key, from, upTo)
      for (const [, body] of page) for (const blob of (body as string).match(/blb_[0-9a-f]{32}/g) ?? []) named.add(blob)
    }
    return named
  }

  /** Takes a session's references away, and the blobs that nobody else refers to; returns how many went. */
  #dropBlobs(key: number, blobs: Iterable<string>): number {
    let dropped = 0
    const tenant = this.#tenantKey()
    for (const blob of blobs) {
      this.#db.run('removeBlobRef', key, blob)
      const owner = this.#db.get('blobOwner', tenant, blob)?.[0]
      if (owner !== key && owner !== 0) continue
      const heir = this.#db.get('blobHeir', blob, tenant)?.[0]
      if (heir === undefined) dropped += this.#db.run('removeBlob', tenant, blob)
      else {
        this.#db.run('giveBlob', heir as number, tenant, blob)
        this.#db.run('removeBlobRef', heir as number, blob)
      }
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
