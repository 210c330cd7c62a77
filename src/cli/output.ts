import { styleText } from 'node:util'
import { SkeinError, stringify, terminalSafe } from '#kernel'
import type { Io } from './io.ts'

/** The reader of stdout went away. Not an error: the command ends with 0. Law H16. */
export class ClosedPipe extends Error {
  override readonly name = 'ClosedPipe'
}

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
}

type Style = Parameters<typeof styleText>[0]

/** Data goes to stdout, talk to stderr. Stored text that a terminal shows has nothing in it that a terminal obeys. */
export class Output {
  readonly json: boolean
  readonly quiet: boolean
  /** stdout is a terminal. */
  readonly terminal: boolean
  readonly #io: Io
  readonly #told = new Set<string>()
  #closed = false

  constructor(io: Io, { json, quiet }: OutputOptions) {
    this.#io = io
    this.json = json
    this.quiet = quiet
    this.terminal = io.stdout.isTTY === true
    io.stdout.on('error', () => (this.#closed = true))
    io.stderr.on('error', () => undefined)
  }

  /** Writes bytes or text as they are and waits until they are taken. Rejects `ClosedPipe`. */
  async raw(piece: string | Uint8Array): Promise<void> {
    if (this.#closed) throw new ClosedPipe()
    await new Promise<void>((resolve, reject) => {
      this.#io.stdout.write(piece, (error?: Error | null) => {
        if (error === undefined || error === null) return resolve()
        const { code } = error as NodeJS.ErrnoException
        this.#closed = true
        if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') reject(new ClosedPipe())
        else if (code === 'ENOSPC') reject(new SkeinError('store.full', 'There is no space for the output.', { cause: error }))
        else reject(error)
      })
    })
  }

  /** Text of the store: as it is for a program, safe for a terminal. */
  async text(text: string): Promise<void> {
    await this.raw(this.terminal ? terminalSafe(text) : text)
  }

  async line(text = ''): Promise<void> {
    await this.raw(`${this.terminal ? terminalSafe(text) : text}\n`)
  }

  /** Exactly what HTTP would answer. Law H14. */
  async body(value: unknown): Promise<void> {
    await this.raw(`${stringify(value as never)}\n`)
  }

  /** To whoever sits there; nothing under `--quiet`. */
  talk(text: string): void {
    if (!this.quiet) this.#io.stderr.write(`${this.#io.stderr.isTTY === true ? terminalSafe(text) : text}\n`)
  }

  /** Says it the first time only. */
  talkOnce(text: string): void {
    if (!this.#told.has(text)) this.talk(text)
    this.#told.add(text)
  }

  /** What must be said. */
  say(text: string): void {
    this.#io.stderr.write(`${this.#io.stderr.isTTY === true ? terminalSafe(text) : text}\n`)
  }

  /** Coloured on a terminal, but not under `NO_COLOR`. To be written by `painted`. */
  paint(style: Style, text: string): string {
    const safe = this.safe(text)
    return this.terminal && (this.#io.env['NO_COLOR'] ?? '') === '' ? styleText(style, safe, { validateStream: false }) : safe
  }

  /** A line of pieces that `paint` or `safe` made. */
  async painted(text: string): Promise<void> {
    await this.raw(`${text}\n`)
  }

  /** For a piece of a line that `painted` writes. */
  safe(text: string): string {
    return this.terminal ? terminalSafe(text) : text
  }
}
