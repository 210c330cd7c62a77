import { SkeinError } from '#kernel'
import type { Answer, Driver, Pool, PooledConnection, Statement } from './driver.ts'
import { asStoreError, ConnectionLost, isLost } from './faults.ts'

/** One connection while it is lent, inside a transaction or for one statement. */
export interface Lent {
  query(statement: Statement): Promise<Answer>
}

export interface LinkCounts {
  roundTrips: number
  /** Setting up connections, indexing, notifying, sweeping. */
  backgroundRoundTrips: number
}

/** How long another node's lock is waited for, and how long a stalled node may hold one. Milliseconds. */
const lockMs = 10_000

// What a connection needs to keep this adapter's promises, whatever the server's or the role's defaults. Settings that an
// engine doesn't know are left out. Statements are planned once, since their lists differ in values and not in kind.
const settings = {
  default_transaction_isolation: 'read committed',
  plan_cache_mode: 'force_generic_plan',
  lock_timeout: `${lockMs}`,
  idle_in_transaction_session_timeout: `${lockMs}`,
  synchronous_commit: 'on',
}
const setup = `SELECT set_config(n.name, n.value, false) FROM (VALUES ${Object.entries(settings)
  .map(([name, value]) => `('${name}', '${value}')`)
  .join(', ')}) AS n(name, value) JOIN pg_settings s ON s.name = n.name WHERE n.name <> 'synchronous_commit' OR s.setting = 'off'`

/** The pool of connections to one database: lends them one at a time, counts round trips, tells lost from refused. */
export class Link {
  readonly counts: LinkCounts = { roundTrips: 0, backgroundRoundTrips: 0 }
  readonly driver: Driver
  readonly #pool: Pool
  readonly #probe: ((name: string) => void) | undefined
  readonly #ready = new WeakSet<PooledConnection>()
  #closed = false

  constructor(
    driver: Driver,
    options: { readonly max: number; readonly waitMs: number; readonly probe?: (name: string) => void },
  ) {
    this.driver = driver
    this.#probe = options.probe
    this.#pool = driver.pool(options.max, options.waitMs)
    // An idle connection that dies leaves the pool by itself.
    this.#pool.on('error', () => undefined)
    // Right as it is connected, since the news of its end may come in the same packet as that of its beginning.
    this.#pool.on('connect', connection => connection.on('error', () => undefined))
  }

  /** A read: carried out again on another connection if the first was lost. Throws SkeinErrors. */
  async read(statement: Statement): Promise<Record<string, unknown>[]> {
    for (let attempt = 0; ; attempt++) {
      try {
        return (await this.lend(lent => lent.query(statement))).rows
      } catch (error) {
        if (attempt > 0 || !isLost(error)) throw asStoreError(error)
      }
    }
  }

  /** A write that nobody needs to know the fate of when the connection breaks: it is not repeated. Throws SkeinErrors. */
  async once(statement: Statement): Promise<Record<string, unknown>[]> {
    try {
      return (await this.lend(lent => lent.query(statement))).rows
    } catch (error) {
      throw asStoreError(error)
    }
  }

  /** One statement of the background, outside the counts of callers. */
  async background(statement: Statement): Promise<Record<string, unknown>[]> {
    return (await this.lend(lent => lent.query(statement), true)).rows
  }

  /** One transaction, rolled back when `work` throws. `committing` is called when COMMIT is about to be sent. */
  async transaction<T>(begin: string, work: (lent: Lent) => Promise<T>, committing: () => void): Promise<T> {
    return await this.lend(async lent => {
      await lent.query({ text: begin })
      let result: T
      try {
        result = await work(lent)
      } catch (error) {
        // A connection that breaks now takes the transaction with it.
        if (!isLost(error)) await lent.query({ text: 'ROLLBACK' }).catch(() => undefined)
        throw error
      }
      committing()
      await lent.query({ text: 'COMMIT' })
      return result
    })
  }

  /** Lends a connection. Throws the driver's errors, `store.unavailable` when there is none, `ConnectionLost` when it broke. */
  async lend<T>(work: (lent: Lent) => Promise<T>, background = false): Promise<T> {
    if (this.#closed) throw new SkeinError('store.closed', 'The store is closed.')
    const connection = await this.#connect()
    let broken = false
    const query = async (statement: Statement): Promise<Answer> => {
      this.#probe?.(`before ${statement.name ?? firstWord(statement.text)}`)
      if (background) this.counts.backgroundRoundTrips++
      else this.counts.roundTrips++
      try {
        const answer = await connection.query(statement)
        this.#probe?.(`after ${statement.name ?? firstWord(statement.text)}`)
        return answer
      } catch (error) {
        if (!isLost(error)) throw error
        broken = true
        throw new ConnectionLost(error instanceof Error ? error.message : String(error), { cause: error })
      }
    }
    try {
      return await work({ query })
    } finally {
      connection.release(broken)
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#pool.end()
  }

  async #connect(): Promise<PooledConnection> {
    let connection: PooledConnection
    try {
      connection = await this.#pool.connect()
    } catch (error) {
      throw asStoreError(error)
    }
    if (this.#ready.has(connection)) return connection
    try {
      this.counts.backgroundRoundTrips++
      await connection.query({ text: setup })
    } catch (error) {
      connection.release(true)
      throw asStoreError(error)
    }
    this.#ready.add(connection)
    return connection
  }
}

const firstWord = (text: string): string => /\w+/.exec(text)?.[0] ?? ''
