import type { Io, SignalName } from './io.ts'

export type InterruptCode = 130 | 143

/**
 * What a signal does: without a taker the process ends at once, which a durable store survives. A taker gets the first one to
 * end well; the next one, until `again` is called, ends the process at once.
 */
export class Interrupts {
  readonly #io: Io
  readonly #off: () => void
  #taker: ((code: InterruptCode) => void) | undefined
  #heard = 0

  constructor(io: Io) {
    this.#io = io
    this.#off = io.onSignal(name => this.#hear(name))
  }

  /** From now on this command ends by itself when it is interrupted. */
  take(taker: (code: InterruptCode) => void): void {
    this.#taker = taker
    this.#heard = 0
  }

  /** Takes the first signal and makes it an abort. */
  abort(): AbortSignal {
    const controller = new AbortController()
    this.take(code => controller.abort(new Interrupted(code)))
    return controller.signal
  }

  /** As if the terminal had sent one: line editing swallows Ctrl-C. */
  hear(name: SignalName): void {
    this.#hear(name)
  }

  again(): void {
    this.#heard = 0
  }

  stop(): void {
    this.#off()
  }

  #hear(name: SignalName): void {
    const code = name === 'SIGINT' ? 130 : 143
    this.#heard++
    if (this.#taker === undefined || this.#heard > 1) this.#io.exit(code)
    else this.#taker(code)
  }
}

/** A person or another program stopped the command. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly code: InterruptCode

  constructor(code: InterruptCode) {
    super(code === 130 ? 'SIGINT' : 'SIGTERM')
    this.code = code
  }
}
