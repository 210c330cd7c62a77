import { openEnvironment } from './tools/file-tools.ts'
import { runShell } from './tools/shell.ts'

/** What a command of a gate came to. */
export interface CommandEnd {
  readonly exitCode: number | null
  readonly timedOut: boolean
  /** Its first and last 32 KiB. */
  readonly output: string
}

const shownBytes = 32 * 1_024
const graceMs = 2_000

/** Runs `/bin/sh -c` in a process group of its own, of which nothing is left when this resolves. Rejects if it cannot begin. Law A46. */
export async function runCommand(
  command: string,
  { cwd, timeoutMs, signal }: { readonly cwd: string | null; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<CommandEnd> {
  const first: Buffer[] = []
  let last: Buffer = Buffer.alloc(0)
  let firstBytes = 0
  let dropped = 0
  const onOutput = (chunk: Buffer): void => {
    const head = chunk.subarray(0, Math.max(0, shownBytes - firstBytes))
    if (head.length > 0) first.push(head)
    firstBytes += head.length
    const all = Buffer.concat([last, chunk.subarray(head.length)])
    dropped += Math.max(0, all.length - shownBytes)
    last = all.subarray(Math.max(0, all.length - shownBytes))
  }
  const env = openEnvironment()
  const { code, timedOut } = await runShell({ command, shell: '/bin/sh', cwd, env, timeoutMs, graceMs, signal, onOutput })
  const between = dropped === 0 ? '' : `\n[${dropped} bytes left out]\n`
  const output = `${Buffer.concat(first).toString('utf8')}${between}${last.toString('utf8')}`
  return { exitCode: code, timedOut, output }
}
