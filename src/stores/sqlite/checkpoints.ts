import type { BackgroundThread } from './background-thread.ts'
import type { Connection } from './connection.ts'

/** How often the log is looked at, in transactions, and from how many pages on it is copied into the file (16 MiB). */
const lookEvery = 16
const pagesWanted = 4_096
/** So far behind, a commit copies some of it itself rather than let the log grow without end. */
const pagesAtMost = 16_384

/** Keeps the log small without a commit ever paying for it: asks the background thread when there is enough to copy. */
export class Checkpoints {
  readonly #connection: Connection
  readonly #thread: BackgroundThread
  #transactions = 0
  #running = false

  constructor(connection: Connection, thread: BackgroundThread) {
    this.#connection = connection
    this.#thread = thread
  }

  /** A transaction was committed. Never throws: the commit stands whatever becomes of the log. */
  committed(): void {
    if (++this.#transactions % lookEvery !== 0) return
    try {
      this.#look()
    } catch {
      // Looked at again after the next ones.
    }
  }

  #look(): void {
    const pages = this.#pagesLeft()
    if (pages > pagesAtMost) this.#connection.exec('PRAGMA wal_checkpoint(PASSIVE)')
    if (pages < pagesWanted || this.#running) return
    this.#running = true
    void this.#thread
      .order('checkpoint')
      .catch(() => undefined)
      .finally(() => (this.#running = false))
  }

  /** How many pages the log holds that the file does not; NOOP copies none. Source: sqlite.org/pragma.html. */
  #pagesLeft(): number {
    const [, log, copied] = (this.#connection.text('PRAGMA wal_checkpoint(NOOP)').get() ?? []) as unknown as number[]
    return (log ?? 0) - (copied ?? 0)
  }
}
