import { Worker } from 'node:worker_threads'
import type { Order, Report } from './background.ts'

/** The worker's file beside this one, as source or built. */
const fromSource = import.meta.url.endsWith('.ts')
const entry = new URL(`./background${fromSource ? '.ts' : '.js'}`, import.meta.url)

/** A thread for what must not hold up the writer: indexing, checkpoints, copies. Started with its first order; never keeps a process alive. */
export class BackgroundThread {
  readonly #file: string
  #worker: Worker | undefined
  #awaited = 0
  #waiting = new Map<Report['done'], { resolve: () => void; reject: (error: Error) => void }[]>()

  constructor(file: string) {
    this.#file = file
  }

  /** Settles when the order is carried out; rejects with what went wrong, or when the thread dies. The process may end before. */
  order(order: Exclude<Order, 'close' | 'die'>): Promise<void> {
    const worker = this.#start()
    const done = typeof order === 'string' ? order : 'copy'
    return new Promise((resolve, reject) => {
      this.#waiting.set(done, [...(this.#waiting.get(done) ?? []), { resolve, reject }])
      worker.postMessage(order)
    })
  }

  /** While somebody waits for `work`, which orders something, the process stays. */
  async await<T>(work: () => Promise<T>): Promise<T> {
    this.#start().ref()
    this.#awaited++
    try {
      return await work()
    } finally {
      if (--this.#awaited === 0) this.#worker?.unref()
    }
  }

  /** Lets the thread finish the batch it is at. */
  async close(): Promise<void> {
    await this.#end('close')
  }

  /** Has it drop what it is at, as a crash would; for tests. It closes its files even so. */
  async kill(): Promise<void> {
    await this.#end('die')
  }

  /** The thread ends by itself, its files closed: one that is ended from outside may be in the midst of SQLite. */
  async #end(order: 'close' | 'die'): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    worker.ref()
    const gone = new Promise<void>(resolve => worker.once('exit', () => resolve()))
    worker.postMessage(order satisfies Order)
    await gone
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(entry, {
      workerData: { file: this.#file },
      name: 'skein-sqlite',
      // Package imports of the source resolve under this condition; whoever runs it may be a bundler that Node knows nothing of.
      ...(fromSource ? { execArgv: ['--conditions=skein-source'] } : {}),
    })
    worker.unref()
    worker.on('message', (report: Report) => {
      const first = this.#waiting.get(report.done)?.shift()
      if (report.error === undefined) first?.resolve()
      else first?.reject(Object.assign(new Error(report.error), { errcode: report.errcode }))
    })
    const end = (why: string): void => {
      if (this.#worker === worker) this.#worker = undefined
      const left = [...this.#waiting.values()].flat()
      this.#waiting.clear()
      for (const { reject } of left) reject(new Error(why))
    }
    worker.on('error', error => end(error instanceof Error ? error.message : String(error)))
    worker.on('exit', () => end('The background thread has ended.'))
    this.#worker = worker
    return worker
  }
}
