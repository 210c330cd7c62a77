import { createInterface } from 'node:readline/promises'
import { SkeinError } from '#kernel'
import type { Io } from './io.ts'

/**
 * Asks before something is lost. Without a terminal and without `--yes` it rejects `input.invalid` (exit 2) and nothing is
 * done; a no rejects, too. Law H17.
 */
export async function confirm(io: Io, yes: boolean, what: string): Promise<void> {
  if (yes) return
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) {
    throw new SkeinError('input.invalid', `${what} Say --yes to do it; nothing was done.`, { details: { path: '--yes' } })
  }
  const asked = createInterface({ input: io.stdin, output: io.stderr })
  try {
    const said = await asked.question(`${what} [y/N] `)
    if (/^y(es)?$/i.test(said.trim())) return
  } finally {
    asked.close()
  }
  throw new SkeinError('input.invalid', 'Not confirmed; nothing was done.', { details: { path: '--yes' } })
}
