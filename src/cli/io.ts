import { type Clock, type NewId, newId, systemClock } from '#kernel'

export type SignalName = 'SIGINT' | 'SIGTERM'

/** A stream that may be a terminal. */
type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined }
type Sink = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined }

/** Everything outside that the command line touches, beside files and the store; handed in, so that tests can be the outside. */
export interface Io {
  readonly stdin: Input
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly clock: Clock
  readonly newId: NewId
  readonly fetch: typeof fetch
  /** Calls back for each signal until taken back; meanwhile the process does not die of one. */
  onSignal(heard: (signal: SignalName) => void): () => void
  /** Ends the process at once: for the second signal. */
  exit(code: number): void
}

/** This process. */
export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    newId,
    fetch,
    onSignal(heard) {
      const int = (): void => heard('SIGINT')
      const term = (): void => heard('SIGTERM')
      process.on('SIGINT', int)
      process.on('SIGTERM', term)
      return () => {
        process.off('SIGINT', int)
        process.off('SIGTERM', term)
      }
    },
    exit: code => process.exit(code),
  }
}
