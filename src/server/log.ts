/** One thing that happened. Ids and codes may stand here; text of messages, secrets and query strings never do. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly at: number
  readonly event: string
  readonly [more: string]: string | number | boolean | null | readonly string[] | undefined
}

/** Where the server's log goes. Must not throw. */
export interface Logger {
  log(line: LogLine): void
}

/** Writes each line as one JSON text that ends with LF. */
export function jsonLines(write: (text: string) => void): Logger {
  return { log: line => write(`${JSON.stringify(line)}\n`) }
}

/** Where in the code an error arose, without its message, which may hold what a person wrote. */
export function placesOf(error: unknown): string[] {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n') : []
  return frames
    .filter(line => /^\s+at /.test(line))
    .slice(0, 8)
    .map(line => line.trim())
}
