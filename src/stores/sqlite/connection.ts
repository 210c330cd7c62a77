import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type StatementName, statements } from './statements.ts'
import type { Row, Value } from './values.ts'

export interface ConnectionOptions {
  readonly readOnly?: boolean
  /** How long SQLite itself may wait for a lock, blocking this thread. Milliseconds. */
  readonly timeoutMs?: number
  readonly probe?: ((name: string) => void) | undefined
}

/**
 * One SQLite connection with its statements, each prepared once. Rows come as arrays, in the order of the columns asked for.
 * `probe` is called as `NAME:before` and `NAME:after` round every statement that writes.
 */
export class Connection {
  db: DatabaseSync
  readonly #open: () => DatabaseSync
  readonly #named = new Map<StatementName, StatementSync>()
  readonly #texts = new Map<string, StatementSync>()
  readonly #probe: ((name: string) => void) | undefined
  /** Statements that have changed something since the connection was opened. */
  writes = 0

  constructor(file: string | URL, { readOnly = false, timeoutMs = 10, probe }: ConnectionOptions = {}) {
    this.#open = () => new DatabaseSync(file, { readOnly, timeout: timeoutMs, enableForeignKeyConstraints: false })
    this.db = this.#open()
    this.#probe = probe
  }

  /** The first row, or undefined. */
  get(name: StatementName, ...values: Value[]): Row | undefined {
    return this.#statement(name).get(...values) as unknown as Row | undefined
  }

  all(name: StatementName, ...values: Value[]): Row[] {
    return this.#statement(name).all(...values) as unknown as Row[]
  }

  /** Writes; returns how many rows it changed. */
  run(name: StatementName, ...values: Value[]): number {
    this.#probe?.(`${name}:before`)
    this.writes++
    const { changes } = this.#statement(name).run(...values)
    this.#probe?.(`${name}:after`)
    return Number(changes)
  }

  /** Like `run`, for a statement that is put together by columns. `label` is its name for probes. */
  runText(label: string, sql: string, values: readonly Value[]): number {
    this.#probe?.(`${label}:before`)
    this.writes++
    const { changes } = this.text(sql).run(...values)
    this.#probe?.(`${label}:after`)
    return Number(changes)
  }

  /** A statement put together for a query; kept for the next one that reads alike. */
  text(sql: string): StatementSync {
    let statement = this.#texts.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      statement.setReturnArrays(true)
      if (this.#texts.size >= 200) this.#texts.clear()
      this.#texts.set(sql, statement)
    }
    return statement
  }

  allText(sql: string, values: readonly Value[]): Row[] {
    return this.text(sql).all(...values) as unknown as Row[]
  }

  /** Opens, ends or marks a transaction; probed, but not a write of its own. */
  control(name: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'releaseSavepoint' | 'rollbackToSavepoint'): void {
    this.#probe?.(`${name}:before`)
    this.#statement(name).run()
    this.#probe?.(`${name}:after`)
  }

  /** A pragma's single value. Never for one that sets: preparing it would already switch. */
  pragma(name: string): null | number | string | Uint8Array | undefined {
    return (this.text(`PRAGMA ${name}`).get() as unknown as Row | undefined)?.[0]
  }

  exec(sql: string): void {
    this.db.exec(sql)
  }

  get inTransaction(): boolean {
    return this.db.isTransaction
  }

  /** Drops everything that this connection keeps in memory and opens the file afresh, without its settings. */
  reopen(): void {
    this.close()
    this.db = this.#open()
  }

  close(): void {
    this.#named.clear()
    this.#texts.clear()
    if (this.db.isOpen) this.db.close()
  }

  #statement(name: StatementName): StatementSync {
    let statement = this.#named.get(name)
    if (statement === undefined) {
      statement = this.db.prepare(statements[name])
      statement.setReturnArrays(true)
      this.#named.set(name, statement)
    }
    return statement
  }
}
