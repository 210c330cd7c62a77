import { Interrupts } from './interrupts.ts'
import { type Io, processIo } from './io.ts'
import { createProgram } from './program.ts'
import { reportError } from './report-error.ts'

/**
 * Runs one command and resolves to its exit code: 0, or what spec/foundation.md 1.2 gives an error, 130 for SIGINT. Never
 * rejects, and doesn't end the process but for a second signal.
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const end = argv.indexOf('--')
  const json = (end < 0 ? argv : argv.slice(0, end)).includes('--json')
  const interrupts = new Interrupts(io)
  io.stdout.on('error', ignored)
  try {
    await createProgram(io, interrupts, json).parseAsync([...argv], { from: 'user' })
    return 0
  } catch (thrown) {
    return reportError(io, json, thrown)
  } finally {
    interrupts.stop()
  }
}

/** A closed pipe is seen by the write that meets it. */
const ignored = (): void => undefined
