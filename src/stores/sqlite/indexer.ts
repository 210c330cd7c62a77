import type { BackgroundThread } from './background-thread.ts'
import type { Database } from './database.ts'
import { indexBatch } from './index-entries.ts'
import { SearchFile } from './search-file.ts'

/** How long written entries gather before they are indexed, so that a batch is more than one. Milliseconds. */
const gatherMs = 50

/** Sees to it that the search index follows the journal, in a thread of its own, in this one, or not at all. */
export class Indexer {
  readonly #database: Database
  readonly #thread: BackgroundThread
  readonly #inline: SearchFile
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #again = false
  #isWritten = false
  #isBehind: () => boolean = () => false
  #closed = false

  constructor(database: Database, thread: BackgroundThread) {
    this.#database = database
    this.#thread = thread
    this.#inline = new SearchFile(database.file, true)
  }

  /** Something was written. Returns at once; what fails now is made up for at the next ring. */
  ring(): void {
    this.#isWritten = true
    this.#begin()
  }

  /** Catches up soon if `isBehind` then says that an earlier process left entries unread. Who opens waits for none of it. */
  begin(isBehind: () => boolean): void {
    this.#isBehind = isBehind
    this.#begin()
  }

  #begin(): void {
    if (this.#closed || this.#database.options.search === 'off' || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const wanted = this.#isWritten || this.#isBehind()
      this.#isWritten = false
      if (wanted) void this.catchUp().catch(() => undefined)
    }, gatherMs)
    this.#timer.unref()
  }

  /** Indexes what there is now. Rejects if the index cannot be written. */
  async catchUp(): Promise<void> {
    if (this.#closed || this.#database.options.search === 'off') return
    if (this.#running !== undefined) {
      this.#again = true
      return this.#running
    }
    this.#running = this.#run().finally(() => (this.#running = undefined))
    return this.#running
  }

  /** Like `catchUp`, and keeps the process alive for it. */
  async caughtUp(): Promise<void> {
    if (this.#closed || this.#database.options.search !== 'worker') return this.catchUp()
    await this.#thread.await(() => this.catchUp())
  }

  async #run(): Promise<void> {
    do {
      this.#again = false
      if (this.#database.options.search === 'worker') await this.#thread.order('index')
      else await this.#runInline()
    } while (this.#again && !this.#closed)
  }

  async #runInline(): Promise<void> {
    const { connection } = this.#database
    while (!this.#closed && (await indexBatch(connection, this.#inline))) await new Promise(resolve => setImmediate(resolve))
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    if (this.#database.options.search === 'inline') await this.#running?.catch(() => undefined)
    this.#inline.close()
  }
}
