import type { Io } from './io.ts'
import type { Output } from './output.ts'

/** How far a transfer is, on a terminal, once it has taken a second; gone when it stops. */
export class Progress {
  readonly #io: Io
  readonly #shown: boolean
  readonly #what: string
  readonly #began: number
  #bytes = 0
  #last = 0

  constructor(io: Io, out: Output, what: string) {
    this.#io = io
    this.#what = what
    this.#shown = io.stderr.isTTY === true && !out.quiet && !out.json
    this.#began = io.clock.now()
  }

  async *count(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      this.#bytes += piece.length
      this.#show()
      yield piece
    }
  }

  stop(): void {
    if (this.#last > 0) this.#io.stderr.write('\r\u001b[K')
    this.#last = 0
  }

  #show(): void {
    const now = this.#io.clock.now()
    if (!this.#shown || now - this.#began < 1_000 || now - this.#last < 100) return
    this.#last = now
    this.#io.stderr.write(`\r\u001b[K${this.#what} … ${(this.#bytes / 2 ** 20).toFixed(1)} MiB`)
  }
}
