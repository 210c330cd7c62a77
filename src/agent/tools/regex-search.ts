import { Worker } from 'node:worker_threads'
import type { Timers } from '#kernel'
import type { RegexAnswer, RegexOrder } from './regex-thread.ts'

export const regexMs = 5_000

/** The thread's file beside this one, as source or built. */
const file = new URL(`./regex-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)

/**
 * A regular expression that is stopped: it runs in a thread of its own, which is ended once it has worked for 5 s in all, since
 * nothing else ends a pattern that backtracks. Dispose of it.
 */
export class RegexSearch implements AsyncDisposable {
  readonly #worker: Worker
  readonly #timers: Timers
  readonly #source: string
  readonly #flags: string
  readonly #now: () => number
  readonly #online: Promise<unknown>
  /** What it may still work, beginning once the thread does. */
  #left = regexMs

  constructor(source: string, flags: string, timers: Timers, now: () => number) {
    this.#source = source
    this.#flags = flags
    this.#timers = timers
    this.#now = now
    this.#worker = new Worker(file, { resourceLimits: { maxOldGenerationSizeMb: 256 } })
    this.#online = new Promise(resolve => this.#worker.once('online', resolve).once('exit', resolve))
  }

  /** The matching lines of each text. Throws when the time is up, and when the signal is aborted. */
  async search(texts: readonly string[], max: number, signal: AbortSignal): Promise<RegexAnswer> {
    await this.#online
    signal.throwIfAborted()
    const began = this.#now()
    const stop: (() => void)[] = []
    try {
      return await new Promise<RegexAnswer>((resolve, reject) => {
        const fail = (error: unknown): void => {
          void this.#worker.terminate()
          reject(error instanceof Error ? error : new Error(String(error)))
        }
        stop.push(this.#timers.after(this.#left, () => fail(new Error(`The pattern took longer than ${regexMs / 1_000} s.`))))
        const aborted = (): void => fail(signal.reason)
        signal.addEventListener('abort', aborted)
        this.#worker.once('message', resolve).once('error', fail)
        stop.push(() => {
          signal.removeEventListener('abort', aborted)
          this.#worker.removeAllListeners('message').removeAllListeners('error')
          this.#worker.on('error', () => undefined)
        })
        const order: RegexOrder = { source: this.#source, flags: this.#flags, texts, max }
        this.#worker.postMessage(order)
      })
    } finally {
      for (const end of stop) end()
      this.#left = Math.max(1, this.#left - (this.#now() - began))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}
