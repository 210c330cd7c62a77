import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os'
import { DatabaseSync } from 'node:sqlite'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly filesystem: string
  readonly node: string
  readonly sqlite: string
}

/** What the figures depend on; no names, no paths. */
export function machine(folder: string): Machine {
  const database = new DatabaseSync(':memory:')
  const sqlite = String(database.prepare('SELECT sqlite_version() AS version').get()?.['version'])
  database.close()
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release().split('-')[0] ?? ''} ${arch()}`,
    filesystem: filesystemOf(folder),
    node: process.version,
    sqlite,
  }
}

/** The kind of file system that a folder is on; the longest mount point that holds it. */
function filesystemOf(folder: string): string {
  try {
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map(line => line.split(' '))
      .filter(([, point]) => point !== undefined && `${folder}/`.startsWith(point === '/' ? '/' : `${point}/`))
      .sort(([, a = ''], [, b = '']) => b.length - a.length)
    return mounts[0]?.[2] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}

/** Bytes that this process has handed to the system to write; undefined where that isn't counted. */
export function bytesWritten(): number | undefined {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
  } catch {
    return undefined
  }
}
