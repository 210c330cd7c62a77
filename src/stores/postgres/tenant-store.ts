import { type Clock, type SessionId, SkeinError } from '#kernel'
import {
  type Bell,
  checkLimit,
  type CommitQueue,
  type Fence,
  type LeaseFence,
  renewLease,
  type RouteRow,
  type RecordRow,
  routeCollection,
  type SessionRow,
  type TenantStore,
  unknownSession,
  watchEntries,
} from '#journal'
import { nowSql } from './now-sql.ts'
import { keySelect, replayOf } from './keys.ts'
import type { Link } from './link.ts'
import { listRecords, readRecord } from './list-records.ts'
import { listSessions } from './list-sessions.ts'
import { ownChanges } from './own-changes.ts'
import { readBranch, readEntries, readEntry } from './read-entries.ts'
import { archiveOf, blobOf, jobOf, memoryOf, viewOf } from './rows-from.ts'
import { search } from './search.ts'
import type { SessionReader } from './session-reader.ts'
import { sessionFrom, sessionSelect } from './session-row.ts'
import { toText } from './text-column.ts'

/** What a tenant's face needs of the open store. */
export interface Setting {
  readonly link: Link
  readonly sessions: SessionReader
  readonly queue: CommitQueue
  readonly bell: Bell
  readonly databaseClock: Clock | undefined
  /** Throws `store.closed` once it is. */
  requireOpen(): void
}

export function tenantStore(setting: Setting, tenant: string): TenantStore {
  const { link, queue, bell } = setting
  const now = (): number | null => setting.databaseClock?.now() ?? null
  const select = async (name: string, text: string, ...values: unknown[]): Promise<Record<string, unknown>[]> => {
    setting.requireOpen()
    return await link.read({ name, text, values: [tenant, ...values] })
  }
  const sessionRow = async (ref: SessionId | { readonly alias: string }): Promise<SessionRow | undefined> => {
    setting.requireOpen()
    if (typeof ref === 'string') return await setting.sessions.read(tenant, ref)
    const [row] = await select(
      'session_alias',
      `SELECT ${sessionSelect} FROM skein.sessions s WHERE s.tenant = $1 AND s.alias = $2`,
      ref.alias,
    )
    return row === undefined ? undefined : sessionFrom(row)
  }
  const store: TenantStore = {
    tenant,
    async commit(changes, options = {}) {
      setting.requireOpen()
      if (changes.length === 0 && options.key === undefined)
        return { at: await timeOf(link, now()), durability: 'full', replayed: false, results: [] }
      // Callers may go on changing what they handed in.
      return await queue.commit(tenant, ownChanges(changes), options)
    },
    async replay(key, digest) {
      const [row] = await select(
        'replay',
        `SELECT ${keySelect} FROM skein.keys WHERE tenant = $1 AND key = $3 AND until > ${nowSql}`,
        now(),
        key,
      )
      return row === undefined ? undefined : replayOf(row, digest)
    },
    session: sessionRow,
    async sessions(filter = {}) {
      setting.requireOpen()
      return await listSessions(link, tenant, filter)
    },
    async entries(session, query = {}) {
      setting.requireOpen()
      return await readEntries(link, tenant, session, query)
    },
    async branch(session, query = {}) {
      setting.requireOpen()
      return await readBranch(link, tenant, session, query)
    },
    async entry(session, id) {
      setting.requireOpen()
      return await readEntry(link, tenant, session, id)
    },
    async blobs(ids) {
      if (ids.length === 0) return []
      return (await select('blobs', 'SELECT id, hash, bytes FROM skein.blobs WHERE tenant = $1 AND id = ANY($2)', ids)).map(
        blobOf,
      )
    },
    async hasBlob(session, id) {
      return (
        (await select('has_blob', 'SELECT 1 FROM skein.blob_refs WHERE tenant = $1 AND session = $2 AND blob = $3', session, id))
          .length > 0
      )
    },
    async view(session, name) {
      const [row] = await select(
        'view',
        'SELECT * FROM skein.views WHERE tenant = $1 AND session = $2 AND name = $3',
        session,
        toText(name),
      )
      return row === undefined ? undefined : viewOf(row)
    },
    async archives(session) {
      const rows = await select(
        'archives',
        'SELECT * FROM skein.archives WHERE tenant = $1 AND session = $2 ORDER BY from_seq, to_seq DESC, id',
        session,
      )
      return rows.map(archiveOf)
    },
    async archive(id) {
      const [row] = await select('archive', 'SELECT * FROM skein.archives WHERE tenant = $1 AND id = $2', id)
      return row === undefined ? undefined : archiveOf(row)
    },
    async route(key) {
      setting.requireOpen()
      const record = await readRecord(link, tenant, now(), routeCollection, key)
      return record === undefined ? undefined : routeOf(record)
    },
    async routes(query = {}) {
      setting.requireOpen()
      const page = await listRecords(link, tenant, now(), routeCollection, query)
      return { ...page, items: page.items.map(routeOf) }
    },
    async record(collection, key) {
      setting.requireOpen()
      return await readRecord(link, tenant, now(), collection, key)
    },
    async records(collection, query = {}) {
      setting.requireOpen()
      return await listRecords(link, tenant, now(), collection, query)
    },
    async memory(id) {
      return (await select('memory', 'SELECT * FROM skein.memories WHERE tenant = $1 AND id = $2 ORDER BY version', id)).map(
        memoryOf,
      )
    },
    async memories({ owner, after = '', limit } = {}) {
      const max = checkLimit(limit, 100, 1_000)
      const rows = await select(
        'memories',
        `SELECT * FROM (SELECT DISTINCT ON (m.id) m.* FROM skein.memories m WHERE m.tenant = $1 AND m.id > $2 ORDER BY m.id, m.version DESC) newest
         WHERE $3::text IS NULL OR newest.owner = $3 ORDER BY newest.id LIMIT $4`,
        after,
        owner === undefined ? null : toText(owner),
        max,
      )
      return rows.map(memoryOf)
    },
    async job(id) {
      const [row] = await select('job', 'SELECT * FROM skein.jobs WHERE tenant = $1 AND id = $2', id)
      return row === undefined ? undefined : jobOf(row)
    },
    async jobs({ states, kind, session, before, limit } = {}) {
      const rows = await select(
        'jobs',
        `SELECT * FROM skein.jobs WHERE tenant = $1 AND ($2::text[] IS NULL OR state = ANY($2)) AND ($3::text IS NULL OR kind = $3)
         AND ($4::text IS NULL OR session = $4) AND ($5::text IS NULL OR id < $5) ORDER BY id DESC LIMIT $6`,
        states ?? null,
        kind === undefined ? null : toText(kind),
        session ?? null,
        before ?? null,
        checkLimit(limit, 50, 200),
      )
      return rows.map(jobOf)
    },
    async watermark(session, reader) {
      const [row] = await select(
        'watermark',
        'SELECT seq FROM skein.watermarks WHERE tenant = $1 AND session = $2 AND reader = $3',
        session,
        toText(reader),
      )
      return (row?.['seq'] as number | undefined) ?? 0
    },
    async lagging(reader, limit) {
      const rows = await select(
        'lagging',
        `SELECT s.id, s.seq, coalesce(w.seq, 0) AS watermark FROM skein.sessions s
         LEFT JOIN skein.watermarks w ON w.tenant = s.tenant AND w.session = s.id AND w.reader = $2
         WHERE s.tenant = $1 AND coalesce(w.seq, 0) < s.seq ORDER BY s.id LIMIT $3`,
        toText(reader),
        checkLimit(limit, 100, 10_000),
      )
      return rows.map(row => ({
        session: row['id'] as SessionId,
        seq: row['seq'] as number,
        watermark: Number(row['watermark']),
      }))
    },
    async search(query) {
      setting.requireOpen()
      return await search(link, store, query)
    },
    async acquire(session, owner, leaseMs) {
      const { results } = await store.commit([{ type: 'acquire', session, owner, leaseMs }])
      return results[0] as LeaseFence
    },
    renew: (fence, leaseMs) => renew(fence, leaseMs),
    async release(fence) {
      await store.commit([{ type: 'release', fence }])
    },
    watch: (session, after, { signal } = {}) => watchEntries(store, bell, session, after, signal),
  }

  const renew = async (fence: Fence, leaseMs: number): Promise<LeaseFence> => {
    const [row] = await select(
      'renew',
      `UPDATE skein.sessions SET lease_until = greatest(lease_until, ${nowSql} + $6::bigint)
       WHERE tenant = $1 AND id = $3 AND lease_owner = $4 AND lease_token = $5 RETURNING lease_until`,
      now(),
      fence.session,
      toText(fence.owner),
      fence.token,
      leaseMs,
    )
    if (row !== undefined) return { ...fence, until: row['lease_until'] as number }
    const session = await sessionRow(fence.session)
    if (session === undefined) throw unknownSession(fence.session)
    renewLease(session.lease, fence, leaseMs, 0)
    throw new SkeinError('store.conflict', `The lease of session ${fence.session} changed hands just now. Try again.`)
  }
  return store
}

async function timeOf(link: Link, now: number | null): Promise<number> {
  if (now !== null) return now
  const [row] = await link.read({ text: `SELECT ${nowSql} AS now, $1::text AS tenant`, values: ['', null] })
  return row?.['now'] as number
}

function routeOf({ collection: _collection, expiresAt: _expires, ...route }: RecordRow): RouteRow {
  return route
}
