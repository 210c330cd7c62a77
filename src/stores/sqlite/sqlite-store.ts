import { CommitQueue, type Store, type StoreOptions, type StoreStats } from '#journal'
import { parseStoreTenant, SkeinError } from '#kernel'
import { commitGroup } from './commit-group.ts'
import { Database } from './database.ts'
import { claimJob, prolongJob } from './claim-job.ts'
import { fileSize } from './header.ts'
import type { Migration } from './migrate.ts'
import { realFile } from './open-file.ts'
import { formatVersion } from './schema.ts'
import { newestEntry, SearchFile } from './search-file.ts'
import { AttentiveBell } from './attentive-bell.ts'
import { BackgroundThread } from './background-thread.ts'
import { Checkpoints } from './checkpoints.ts'
import { Indexer } from './indexer.ts'
import { backupFile } from './backup-file.ts'
import { checkFile } from './check-file.ts'
import { type Handle, tenantStore } from './tenant-store.ts'

export interface SqliteOptions extends StoreOptions {
  /** How long a commit waits for another process that holds the file, before `store.busy`. Default 10,000. */
  readonly busyMs?: number
  /** Opens what cannot or must not be written; every commit then rejects `store.read_only`. */
  readonly readOnly?: boolean
  /** Who keeps the search index: a worker thread (default), this thread after each group, or nobody. */
  readonly search?: 'worker' | 'inline' | 'off'
  /** Replaces the built-in migrations; for tests. */
  readonly migrations?: readonly Migration[]
  /** At most this many pages, as a full disk would have it; for tests. */
  readonly maxPages?: number
}

export interface SqliteStore extends Store {
  /** Settles when everything that stands in the journal now is in the search index; at once with `search: 'off'`. */
  indexed(): Promise<void>
  /** Ends the background thread as a crash would; the next order starts another one. For tests. */
  killBackground(): Promise<void>
}

/** A file as this process has it open, however many handles share it. */
interface Shared {
  readonly database: Database
  readonly queue: CommitQueue
  readonly thread: BackgroundThread
  readonly indexer: Indexer
  readonly searchFile: SearchFile
  handles: number
  watchers: number
  poll: NodeJS.Timeout | undefined
}

/** One writer per file and thread, by the file's real name. Law J33. */
const open = new Map<string, Promise<Shared>>()

const pollMs = 100

/**
 * The store in one SQLite file, created if it isn't there. Opened again in the same process it is the same writer, with the
 * options of whoever came first. Rejects `store.foreign`, `store.version`, `store.corrupt`, `store.read_only`.
 */
export async function sqliteStore(file: string, options: SqliteOptions = {}): Promise<SqliteStore> {
  const real = realFile(file)
  const name = options.readOnly === true ? `${real} (read only)` : real
  const known = open.get(name)
  const opening = known === undefined ? openShared(real, options) : known.catch(() => openShared(real, options))
  if (known === undefined) open.set(name, opening)
  try {
    const shared = await opening
    shared.handles++
    return handle(shared, name)
  } catch (error) {
    if (open.get(name) === opening) open.delete(name)
    throw error
  }
}

async function openShared(file: string, options: SqliteOptions): Promise<Shared> {
  const { busyMs = 10_000, search = 'worker', ...rest } = options
  const database = await Database.open(file, { ...rest, busyMs, search })
  const thread = new BackgroundThread(file)
  const indexer = new Indexer(database, thread)
  const checkpoints = new Checkpoints(database.connection, thread)
  database.onCommit = () => {
    checkpoints.committed()
    indexer.ring()
  }
  const searchFile = new SearchFile(file, false)
  if (options.readOnly !== true) indexer.begin(() => mayBeBehind(database, searchFile))
  return {
    database,
    thread,
    indexer,
    searchFile,
    queue: new CommitQueue(group => database.exclusive(() => commitGroup(database, group))),
    handles: 0,
    watchers: 0,
    poll: undefined,
  }
}

/** Whether an earlier process left entries unread; an index that somebody is busy with is asked again by its indexer. */
function mayBeBehind({ connection }: Database, index: SearchFile): boolean {
  try {
    return newestEntry(connection) > (index.use(connection)?.progress.watermark ?? 0)
  } catch {
    return true
  }
}

/** How long a search waits for an index that is far behind. Milliseconds. */
const catchUpMs = 2_000

/** Settles with the work, or after `ms` without it; its failure is left to whoever else waits. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => (timer = setTimeout(resolve, ms)))
  await Promise.race([work.catch(() => undefined), late])
  clearTimeout(timer)
}

function handle(shared: Shared, name: string): SqliteStore {
  const { database, queue } = shared
  const bell = new AttentiveBell(() => database.lookForOthers())
  const underWay = new Set<Promise<unknown>>()
  let closed: Promise<void> | undefined
  database.bells.add(bell)

  const requireOpen = (): void => {
    if (closed !== undefined) throw new SkeinError('store.closed', 'The store is closed.')
  }
  const face: Handle = {
    database,
    queue,
    bell,
    searchFile: shared.searchFile,
    catchUp: () => atMost(catchUpMs, shared.indexer.caughtUp()),
    requireOpen,
    async track(work) {
      underWay.add(work)
      try {
        return await work
      } finally {
        underWay.delete(work)
      }
    },
    watching: () => startPolling(shared),
  }
  const close = async (): Promise<void> => {
    bell.close()
    await Promise.allSettled(underWay)
    database.bells.delete(bell)
    shared.handles--
    if (shared.handles > 0) return
    open.delete(name)
    await queue.close()
    await shared.indexer.close()
    await shared.thread.close()
    shared.searchFile.close()
    await database.exclusive(async () => database.connection.close())
  }

  const store: SqliteStore = {
    adapter: 'sqlite',
    in: tenant => tenantStore(face, parseStoreTenant(tenant)),
    tenants: async () => {
      requireOpen()
      return database.read(connection => connection.all('tenantNames').map(([tenant]) => tenant as string))
    },
    claim: async (kinds, owner, leaseMs) => {
      requireOpen()
      return face.track(claimJob(database, kinds, owner, leaseMs))
    },
    heartbeat: async (job, leaseMs) => {
      requireOpen()
      await face.track(prolongJob(database, job, leaseMs))
    },
    check: async checkOptions => {
      requireOpen()
      return checkFile(database, store, checkOptions?.deep === true)
    },
    backup: async target => {
      requireOpen()
      await face.track(backupFile(database.file, target))
    },
    purge: async () => {
      requireOpen()
      await face.track(shared.thread.await(() => shared.thread.order('purge')))
      shared.indexer.ring()
    },
    indexed: async () => {
      requireOpen()
      await face.track(shared.indexer.caughtUp())
    },
    killBackground: () => shared.thread.kill(),
    ping: async () => {
      requireOpen()
      await database.read(connection => connection.pragma('user_version'))
    },
    stats: (): StoreStats => ({
      adapter: 'sqlite',
      format: formatVersion,
      roundTrips: 0,
      bytes: (fileSize(database.file) ?? 0) + (fileSize(`${database.file}-wal`) ?? 0),
      ...database.counts,
    }),
    close: () => (closed ??= close()),
  }
  return store
}

/** Looks for other processes' commits every 100 ms while anybody watches. Law J44. */
function startPolling(shared: Shared): () => void {
  const { database } = shared
  shared.watchers++
  shared.poll ??= setInterval(() => database.lookForOthers(), pollMs)
  return () => {
    shared.watchers--
    if (shared.watchers > 0) return
    clearInterval(shared.poll)
    shared.poll = undefined
  }
}
