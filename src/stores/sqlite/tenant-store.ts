import {
  type Bell,
  checkLimit,
  type Committed,
  type CommitQueue,
  type Entry,
  live,
  type RecordRow,
  renewLease,
  routeCollection,
  type RouteRow,
  type SearchResult,
  type TenantStore,
  unknownSession,
  watchEntries,
} from '#journal'
import type { SessionId } from '#kernel'
import { replayedAnswer } from './commit-group.ts'
import { branchRows } from './branch-rows.ts'
import { archiveFrom, entryFromRow, entryColumns, jobColumns, jobFrom, longId, memoryFrom, shortId, textIn } from './columns.ts'
import type { Connection } from './connection.ts'
import type { Value } from './values.ts'
import type { Database } from './database.ts'
import { listRecords } from './list-records.ts'
import { listSessions } from './list-sessions.ts'
import { findEntries } from './search.ts'
import type { SearchFile } from './search-file.ts'
import { ownChanges, ownCopy } from './own-copy.ts'
import { readBlobs } from './index-entries.ts'
import type { SqliteRows } from './sqlite-rows.ts'

/** What a tenant's face needs of the handle that it belongs to. */
export interface Handle {
  readonly database: Database
  readonly queue: CommitQueue
  readonly bell: Bell
  readonly searchFile: SearchFile
  /** Gives the indexer a moment to read what it has not. */
  catchUp(): Promise<void>
  /** Throws `store.closed`. */
  requireOpen(): void
  /** Keeps the handle from closing under the work. */
  track<T>(work: Promise<T>): Promise<T>
  /** While somebody watches, other processes' writes are looked for. */
  watching(): () => void
}

const everything = Number.MAX_SAFE_INTEGER

/** One tenant's rows in a file. */
export function tenantStore(handle: Handle, tenant: string): TenantStore {
  const { database, queue } = handle
  const key = (): number => database.tenant(tenant).key
  const sessionKey = (session: SessionId): number => database.sessionKey(key(), shortId('ses', session))
  const rows = (): SqliteRows => database.tenant(tenant).reading
  const read = <T>(work: () => T): Promise<T> => {
    handle.requireOpen()
    return database.read(() => work())
  }
  const db = (): Connection => database.connection

  const store: TenantStore = {
    tenant,
    async commit(changes, options = {}) {
      handle.requireOpen()
      if (changes.length === 0 && options.key === undefined) {
        return { at: database.clock.now(), durability: options.durability ?? 'full', replayed: false, results: [] }
      }
      return handle.track(queue.commit(tenant, ownChanges(changes), options))
    },
    replay: async (idempotencyKey, digest): Promise<Committed | undefined> =>
      read(() => replayedAnswer(database, tenant, idempotencyKey, digest, database.clock.now())),
    session: async ref =>
      read(() => {
        const committed = database.committed(tenant)
        const id = typeof ref === 'string' ? ref : committed.sessionByAlias(ref.alias)
        const row = id === undefined ? undefined : committed.session(id)
        // What is remembered is nobody's to change.
        return row === undefined ? undefined : { ...row, tags: [...row.tags], data: ownCopy(row.data) }
      }),
    sessions: async (filter = {}) => read(() => listSessions(db(), key(), filter)),
    async entries(session, { after = 0, before = everything, types, limit, order = 'asc' } = {}) {
      const max = checkLimit(limit, 100, 1_000_000)
      return read(() => {
        const bounds: Value[] = [sessionKey(session), after, Math.min(before, everything)]
        const found =
          types === undefined
            ? db().all(order === 'asc' ? 'entriesAsc' : 'entriesDesc', ...bounds, max)
            : db().allText(
                `SELECT ${entryColumns} FROM entry WHERE session = ? AND seq > ? AND seq < ? AND type IN (SELECT value FROM json_each(?))
                ORDER BY seq${order === 'asc' ? '' : ' DESC'} LIMIT ?`,
                [...bounds, JSON.stringify(types.map(textIn)), max],
              )
        return found.map(row => entryFromRow(session, row))
      })
    },
    async branch(session, { from, types, limit } = {}) {
      const max = checkLimit(limit, 100, 1_000_000)
      return read(() => {
        const wanted = types === undefined ? undefined : new Set(types.map(textIn))
        const start = from ?? rows().session(session)?.leafId ?? null
        const found: Entry[] = []
        if (start === null || max === 0) return found
        for (const row of branchRows(db(), sessionKey(session), shortId('ent', start), max)) {
          if (wanted === undefined || wanted.has(row[3] as string)) found.push(entryFromRow(session, row))
          if (found.length >= max) break
        }
        return found
      })
    },
    entry: async (session, id) =>
      read(() => {
        const row = db().get('entry', sessionKey(session), shortId('ent', id))
        return row === undefined ? undefined : entryFromRow(session, row)
      }),
    blobs: async ids => read(() => readBlobs(db(), key(), ids)),
    hasBlob: async (session, id) => read(() => rows().hasBlobRef(sessionKey(session), id)),
    view: async (session, name) => read(() => rows().view(session, name)),
    archives: async session =>
      read(() =>
        db()
          .all('archivesMeeting', sessionKey(session), everything, 0)
          .map(row => archiveFrom(session, row)),
      ),
    archive: async id => read(() => rows().archive(id)),
    route: async routeKey => {
      const record = await read(() => rows().record(routeCollection, routeKey))
      return record === undefined ? undefined : routeOf(record)
    },
    routes: async (query = {}) => {
      const page = await read(() => listRecords(db(), key(), routeCollection, query, database.clock.now()))
      return { ...page, items: page.items.map(routeOf) }
    },
    record: async (collection, recordKey) => read(() => live(rows().record(collection, recordKey), database.clock.now())),
    records: async (collection, query = {}) => read(() => listRecords(db(), key(), collection, query, database.clock.now())),
    memory: async id => read(() => db().all('memoryVersions', key(), id).map(memoryFrom)),
    async memories({ owner, after = '', limit } = {}) {
      const max = checkLimit(limit, 100, 1_000)
      return read(() =>
        (owner === undefined
          ? db().all('memories', key(), after, max)
          : db().all('memoriesOf', key(), textIn(owner), after, max)
        ).map(memoryFrom),
      )
    },
    job: async id => read(() => rows().job(id)),
    async jobs({ states, kind, session, before, limit } = {}) {
      const max = checkLimit(limit, 50, 200)
      const where = ['tenant = ?']
      const values: Value[] = [key()]
      const require = (condition: string, value: Value): void => {
        where.push(condition)
        values.push(value)
      }
      if (states !== undefined) require('state IN (SELECT value FROM json_each(?))', JSON.stringify(states))
      if (kind !== undefined) require('kind = ?', textIn(kind))
      if (session !== undefined) require('session = ?', shortId('ses', session))
      if (before !== undefined) require('uid < ?', shortId('job', before))
      const sql = `SELECT ${jobColumns} FROM job WHERE ${where.join(' AND ')} ORDER BY uid DESC LIMIT ${max}`
      return read(() =>
        db()
          .allText(sql, values)
          .map(row => jobFrom(tenant, row)),
      )
    },
    watermark: async (session, reader) => read(() => rows().watermark(session, reader)),
    async lagging(reader, limit) {
      const max = checkLimit(limit, 100, 10_000)
      return read(() =>
        db()
          .all('lagging', reader, key(), max)
          .map(([uid, seq, watermark]) => ({
            session: longId('ses', uid as string),
            seq: seq as number,
            watermark: watermark as number,
          })),
      )
    },
    search: async query => {
      handle.requireOpen()
      const find = (): Promise<SearchResult> => handle.track(findEntries(database, handle.searchFile, store, query))
      const found = await find()
      if (found.behind === undefined) return found
      await handle.track(handle.catchUp())
      return find()
    },
    async acquire(session, owner, leaseMs) {
      const { results } = await store.commit([{ type: 'acquire', session, owner, leaseMs }], { durability: 'relaxed' })
      return results[0] as { session: SessionId; owner: string; token: number; until: number }
    },
    async renew(fence, leaseMs) {
      handle.requireOpen()
      return handle.track(
        database.relaxed(() => {
          const { rows: writing } = database.tenant(tenant)
          const row = writing.session(fence.session)
          if (row === undefined) throw unknownSession(fence.session)
          const lease = renewLease(row.lease, fence, leaseMs, database.clock.now())
          writing.putSession({ ...row, lease }, row)
          return { ...fence, until: lease.until }
        }),
      )
    },
    async release(fence) {
      await store.commit([{ type: 'release', fence }], { durability: 'relaxed' })
    },
    async *watch(session, after, { signal } = {}) {
      handle.requireOpen()
      const done = handle.watching()
      try {
        yield* watchEntries(store, handle.bell, session, after, signal)
      } finally {
        done()
      }
    },
  }
  return store
}

function routeOf({ collection: _collection, expiresAt: _expires, ...route }: RecordRow): RouteRow {
  return route
}
