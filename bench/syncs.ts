import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * How many times the writing thread syncs per durable append, by tracing its system calls; what opening and closing take is
 * measured apart and taken off. Undefined where there is no strace, or none may be used.
 */
export async function countSyncs(): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-syncs-'))
  try {
    const few = await syncsOf(join(folder, 'few.db'), 20)
    const many = await syncsOf(join(folder, 'many.db'), 120)
    return (many - few) / 100
  } catch {
    return undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function syncsOf(file: string, appends: number): Promise<number> {
  const trace = `${file}.trace`
  const script = new URL('./children/append.ts', import.meta.url).pathname
  const command = [process.execPath, '--conditions=skein-source', script, file, String(appends)]
  const { stdout } = await run('strace', ['-f', '-e', 'trace=fsync,fdatasync', '-o', trace, ...command])
  const writer = stdout.trim()
  return readFileSync(trace, 'utf8')
    .split('\n')
    .filter(line => line.startsWith(`${writer} `) && /f(data)?sync\(/.test(line)).length
}
