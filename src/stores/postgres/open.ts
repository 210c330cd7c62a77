import { type Clock, parseStoreTenant, SkeinError } from '#kernel'
import { Bell, checkStore, CommitQueue, type Store, type StoreOptions, type StoreStats, type Waiting } from '#journal'
import { Bellringer } from './bellringer.ts'
import { checkFences } from './check-fences.ts'
import { Claims } from './claims.ts'
import { Commits } from './commits.ts'
import { loadDriver, type PostgresConfig } from './driver.ts'
import { bondsOf } from './hot-plan.ts'
import { Indexer } from './indexer.ts'
import { Link } from './link.ts'
import { migrate } from './migrate.ts'
import { format } from './schema.ts'
import { SessionReader } from './session-reader.ts'
import { Sweeper } from './sweeper.ts'
import { type Setting, tenantStore } from './tenant-store.ts'

export interface PostgresOptions extends StoreOptions {
  /** Connections to the server at the most, beside one that listens. Default 10. */
  readonly maxConnections?: number
  /** How long a connection is waited for before `store.unavailable`. Milliseconds, default 10,000. */
  readonly connectMs?: number
  /** Whether other nodes are told of new entries by LISTEN/NOTIFY, which a pooler may not pass on; else they look each second. Default true. */
  readonly listen?: boolean
  /** Whether this node fills the search index. Default true. */
  readonly indexes?: boolean
  /** How often what has expired is removed. Milliseconds, default one hour. */
  readonly sweepMs?: number
  /** How long a lost answer is looked up before `store.uncertain`. Milliseconds, default 30,000. */
  readonly uncertainMs?: number
  /** Stands in for the database's clock, in tests: leases, jobs and expiry never go by the node's. `clock` is not used. */
  readonly databaseClock?: Clock
}

/** Groups under way at a time: while the server works at one, this process makes the next. */
const maxFlights = 2

/**
 * Opens journals in the schema `skein` of a Postgres database, made at first use; many nodes may work on one.
 * Throws `store.driver_missing`, `store.unavailable`, `store.version`, `store.foreign`, `config.invalid`.
 * Source: spec/foundation.md 4.3.
 */
export async function postgresStore(config: PostgresConfig, options: PostgresOptions = {}): Promise<Store> {
  const { maxConnections = 10, connectMs = 10_000, uncertainMs = 30_000, databaseClock, probe } = options
  const driver = await loadDriver(config)
  const link = new Link(driver, { max: maxConnections, waitMs: connectMs, ...(probe === undefined ? {} : { probe }) })
  try {
    await migrate(link)
  } catch (error) {
    await link.close()
    throw error
  }

  const bell = new Bell()
  const ringer = new Bellringer(link, bell, options.listen !== false)
  const commits = new Commits(link, { databaseClock, uncertainMs })
  let closed = false
  let closing: Promise<void> | undefined
  const setting: Setting = {
    link,
    sessions: new SessionReader(link),
    bell,
    databaseClock,
    queue: new CommitQueue(
      async group => {
        const outcomes = await commits.run(group)
        for (const [index, outcome] of outcomes.entries()) if ('committed' in outcome) publish(group[index])
        return outcomes
      },
      { most: Math.min(maxFlights, maxConnections), bonds: bondsOf },
    ),
    requireOpen() {
      if (closed) throw new SkeinError('store.closed', 'The store is closed.')
    },
  }
  const indexer = options.indexes === false ? undefined : new Indexer(link, tenant => tenantStore(setting, tenant))
  const publish = (waiting: Waiting | undefined): void => {
    if (waiting === undefined) return
    probe?.('before publish')
    for (const change of waiting.changes) {
      const session =
        change.type === 'copy_session'
          ? change.to
          : change.type === 'append' || change.type === 'erase_session' || change.type === 'erase_entries'
            ? change.session
            : undefined
      if (session === undefined) continue
      ringer.grown(waiting.tenant, session)
      if (change.type !== 'erase_session') indexer?.grown(waiting.tenant, session)
    }
    probe?.('after publish')
  }
  const sweeper = new Sweeper(link, () => databaseClock?.now() ?? null, options.sweepMs ?? 3_600_000)
  const claims = new Claims(link, () => databaseClock?.now() ?? null)

  const store: Store = {
    adapter: 'postgres',
    in: name => tenantStore(setting, parseStoreTenant(name)),
    async tenants() {
      setting.requireOpen()
      const rows = await link.read({ text: 'SELECT tenant FROM skein.tenants ORDER BY tenant' })
      const names = rows.map(row => row['tenant'] as string)
      const used: string[] = []
      for (const name of names) {
        const found = await link.read({ text: 'SELECT 1 FROM skein.sessions WHERE tenant = $1 LIMIT 1', values: [name] })
        if (found.length > 0) used.push(name)
      }
      return used
    },
    async claim(kinds, owner, leaseMs) {
      setting.requireOpen()
      return await claims.claim(kinds, owner, leaseMs)
    },
    async heartbeat(job, leaseMs) {
      setting.requireOpen()
      await claims.heartbeat(job, leaseMs)
    },
    async check(checkOptions) {
      setting.requireOpen()
      const result = await checkStore(store, checkOptions)
      return { ...result, findings: [...result.findings, ...(await checkFences(link, await store.tenants()))] }
    },
    backup: () =>
      Promise.reject(
        new SkeinError('input.unsupported', 'A Postgres database is backed up by its own tools: pg_dump --schema=skein.'),
      ),
    async ping() {
      setting.requireOpen()
      await link.read({ text: 'SELECT 1' })
    },
    stats: (): StoreStats => ({ adapter: 'postgres', format, bytes: null, ...link.counts, ...commits.counts }),
    close: () => (closing ??= close()),
  }
  const close = async (): Promise<void> => {
    await setting.queue.close()
    closed = true
    bell.close()
    await ringer.close()
    await indexer?.close()
    await sweeper.close()
    await link.close()
  }
  return store
}
