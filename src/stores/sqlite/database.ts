import type { Bell, StoreOptions } from '#journal'
import { type Clock, type SessionId, SkeinError, systemClock } from '#kernel'
import type { Connection } from './connection.ts'
import { configure, openFile, type OpenFileOptions } from './open-file.ts'
import { SqliteRows } from './sqlite-rows.ts'
import { isBusy, storeError } from './sqlite-errors.ts'
import { Sweeper } from './sweep.ts'
import { retryWhileBusy } from './waits.ts'

export interface DatabaseOptions extends OpenFileOptions, Pick<StoreOptions, 'clock'> {
  readonly search: 'worker' | 'inline' | 'off'
}

interface Tenant {
  readonly name: string
  key: number
  /** For the open transaction. */
  readonly rows: SqliteRows
  /** For reading what is committed. */
  readonly reading: SqliteRows
}

/**
 * One file, open in this process: its connection, its write lock among this process's writers, and what was counted.
 * Reads and transactions are synchronous pieces of work on one connection, so neither ever sees the other half done.
 */
export class Database {
  readonly file: string
  readonly options: DatabaseOptions
  readonly clock: Clock
  readonly bells: Set<Bell> = new Set()
  readonly counts = { transactions: 0, fullTransactions: 0, commits: 0 }
  readonly connection: Connection
  readonly sweeper: Sweeper = new Sweeper()
  /** Called when a transaction is committed. */
  onCommit: () => void = () => undefined
  #tenants = new Map<string, Tenant>()
  /** Tenants whose surrogate was made, or read, in the open transaction. */
  #newTenants: Tenant[] = []
  #lock: Promise<unknown> = Promise.resolve()
  #full = true
  #version = -1
  #looked = -1
  #asked = false
  #askedAt = 0

  static async open(file: string, options: DatabaseOptions): Promise<Database> {
    return new Database(file, options, await openFile(file, options))
  }

  private constructor(file: string, options: DatabaseOptions, connection: Connection) {
    this.file = file
    this.options = options
    this.connection = connection
    this.clock = options.clock ?? systemClock
  }

  get readOnly(): boolean {
    return this.options.readOnly === true
  }

  probe(name: string): void {
    this.options.probe?.(name)
  }

  tenant(name: string): Tenant {
    let tenant = this.#tenants.get(name)
    if (tenant === undefined) {
      const key = (): number => made.key
      const made: Tenant = {
        name,
        key: 0,
        rows: new SqliteRows(this.connection, name, key, true),
        reading: new SqliteRows(this.connection, name, key, false),
      }
      tenant = made
      this.#tenants.set(name, tenant)
    }
    if (tenant.key === 0) {
      tenant.key = (this.connection.get('tenantId', name)?.[0] as number | undefined) ?? 0
      if (this.connection.inTransaction) this.#newTenants.push(tenant)
    }
    return tenant
  }

  /** The tenant, with a surrogate of its own; in a transaction. */
  tenantForWriting(name: string): Tenant {
    const tenant = this.tenant(name)
    if (tenant.key !== 0) return tenant
    this.connection.run('addTenant', name)
    return this.tenant(name)
  }

  /** The session's surrogate, for reading; -1, which no row has, if there is none. */
  sessionKey(tenant: number, uid: string): number {
    return (this.connection.get('sessionKey', tenant, uid)?.[0] as number | undefined) ?? -1
  }

  /** A tenant's rows as they are committed, remembered ones among them: until another connection has written, they are still true. */
  committed(name: string): SqliteRows {
    // Within one turn of the event loop nobody hears of what others have written since; unless the turn is held up for it.
    if (!this.#asked || performance.now() - this.#askedAt > 1) this.#forgetIfOthersWrote()
    // After forgetting: a surrogate that was read in a transaction that is open by now would be forgotten with the rest.
    return this.tenant(name).rows
  }

  #forgetIfOthersWrote(): void {
    this.#askedAt = performance.now()
    const version = this.connection.get('dataVersion')?.[0] as number
    if (version !== this.#version) this.forget()
    this.#version = version
    if (!this.#asked) process.nextTick(() => (this.#asked = false))
    this.#asked = true
  }

  /** Nothing that was read or made up to now counts any more. */
  forget(): void {
    for (const tenant of this.#tenants.values()) tenant.rows.forget()
    for (const tenant of this.#newTenants) tenant.key = 0
    this.#newTenants = []
  }

  /** Reads; waits for a file that is busy without holding up the event loop. */
  async read<T>(work: (connection: Connection) => T): Promise<T> {
    try {
      return work(this.connection)
    } catch (error) {
      if (!isBusy(error)) throw storeError(error, this.file)
    }
    try {
      return await retryWhileBusy(this.options, () => work(this.connection))
    } catch (error) {
      throw storeError(error, this.file)
    }
  }

  /** One piece of work after the other, of all that write in this process. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#lock
    const mine = before.then(work, work)
    this.#lock = mine.catch(() => undefined)
    return mine
  }

  /** Begins a transaction, synced at its end if `full`. Throws `store.busy` if others hold the file for `busyMs`. */
  async begin(full: boolean): Promise<void> {
    if (this.readOnly)
      throw new SkeinError('store.read_only', `${this.file} was opened with readOnly: true.`, { details: { file: this.file } })
    try {
      if (full !== this.#full) {
        // By exec: merely preparing the statement would switch it.
        this.connection.exec(`PRAGMA synchronous = ${full ? 'FULL' : 'NORMAL'}`)
        this.#full = full
      }
      await retryWhileBusy(this.options, () => this.connection.control('begin'))
      this.#forgetIfOthersWrote()
    } catch (error) {
      throw storeError(error, this.file)
    }
  }

  /** Ends the transaction and counts it. Throws what SQLite throws. */
  commit(full: boolean): void {
    this.connection.control('commit')
    this.#newTenants = []
    this.counts.transactions++
    if (full) this.counts.fullTransactions++
    this.onCommit()
  }

  rollback(): void {
    if (this.connection.inTransaction) this.connection.control('rollback')
    this.forget()
  }

  /** One small transaction that need not outlive a power cut: whatever held the right to go on dies with the machine. */
  async relaxed<T>(work: () => T): Promise<T> {
    return this.exclusive(async () => {
      await this.begin(false)
      try {
        const result = work()
        this.commit(false)
        return result
      } catch (error) {
        this.rollback()
        throw storeError(error, this.file)
      }
    })
  }

  /**
   * Opens the file afresh and has it take and sync a write, so that what it says is what the disk has. The log is then
   * copied into the file: pages that a failed sync left behind in the system's memory are written once more.
   */
  reopen(): void {
    this.forget()
    for (const tenant of this.#tenants.values()) tenant.key = 0
    this.connection.reopen()
    configure(this.connection, this.options)
    this.#full = true
    this.#version = -1
    this.connection.exec("INSERT OR REPLACE INTO meta VALUES ('synced', unixepoch())")
    this.connection.exec('PRAGMA wal_checkpoint(RESTART)')
  }

  ring(tenant: string, session: SessionId): void {
    for (const bell of this.bells) bell.ring(tenant, session)
  }

  /** Rings for everybody if another process has written since this was last asked. */
  lookForOthers(): void {
    if (!this.connection.db.isOpen) return
    const now = this.connection.get('dataVersion')?.[0] as number
    if (now === this.#looked) return
    this.#looked = now
    for (const bell of this.bells) bell.ringAll()
  }
}
