import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import type { Store } from '#journal'
import { type SqliteOptions, type SqliteStore, sqliteStore } from '#stores/sqlite'
import { afterEach } from 'vitest'

export { begin } from './journal.ts'

const folders: string[] = []
const stores: Store[] = []
const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  for (const store of stores.splice(0)) await store.close().catch(() => undefined)
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** An empty folder of this test's own, removed after it. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skein-'))
  folders.push(folder)
  return folder
}

export const freshFile = (): string => join(freshFolder(), 'store.db')

/** A store that is closed after the test. */
export async function openStore(file: string, options: SqliteOptions = {}): Promise<SqliteStore> {
  const store = await sqliteStore(file, options)
  stores.push(store)
  return store
}

/** Looks into a file past the store, while nobody has it open. */
export function sql(file: string, text: string): Record<string, unknown>[] {
  const database = new DatabaseSync(file)
  try {
    return database.prepare(text).all() as Record<string, unknown>[]
  } finally {
    database.close()
  }
}

/** Every file of a folder with its content, to see that nothing was touched. */
export function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map(name => [name, readFileSync(join(folder, name)).toString('base64')]))
}

export interface Child {
  readonly process: ChildProcess
  /** The next line that it prints; undefined when it has ended. */
  line(): Promise<string | undefined>
  /** Exit code or signal. */
  readonly ended: Promise<number | string>
  readonly stderr: () => string
}

const prelude = `
import { begin, ids } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)}
import { processOwner, sqliteStore } from '#stores/sqlite'
const [file, ...rest] = process.argv.slice(1)
const print = value => process.stdout.write(JSON.stringify(value) + '\\n')
`

/** Runs a module in a process of its own, with \`file\`, \`rest\`, \`print\`, \`begin\`, \`ids\`, \`sqliteStore\` and \`processOwner\` at hand. */
export function runChild(script: string, args: readonly string[]): Child {
  const child = spawn(process.execPath, ['--conditions=skein-source', '--input-type=module', '-e', prelude + script, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  children.push(child)
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    process: child,
    line: async () => {
      const next = await lines.next()
      return next.done === true ? undefined : next.value
    },
    ended: once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string),
    stderr: () => stderr,
  }
}
