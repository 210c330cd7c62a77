import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { childEntry } from '../bundle/child-entry.ts'
import type { Task } from './writer.ts'

/** A child process that is loaded and waits for its task. */
export interface Writer<T = Task> {
  begin(task: T): void
  /** Asks an endless one to come to an orderly end. */
  stop(): void
  kill(): void
  /** What it says when its store is open; nothing if it ended before. */
  readonly opened: Promise<string | undefined>
  /** Its signal, or its exit code; rejects if it ended by itself in disorder. */
  readonly ended: Promise<string | number>
}

/** Children, loaded ahead: one always warms up while another works. */
export class Crew<T = Task> {
  readonly #entry: string
  readonly #cache = mkdtempSync(join(tmpdir(), 'skein-crew-'))
  readonly #spare: Promise<Writer<T>>[] = []
  readonly #alive = new Set<ChildProcess>()
  #closed = false

  constructor(entry: string = 'writer.ts') {
    this.#entry = childEntry(fileURLToPath(new URL(entry, import.meta.url)))
  }

  async next(): Promise<Writer<T>> {
    const writer = this.#spare.shift() ?? this.#hire()
    while (this.#spare.length < 2) this.#spare.push(this.#hire())
    return await writer
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#spare)
    for (const child of this.#alive) child.kill('SIGKILL')
    await Promise.all([...this.#alive].map(child => once(child, 'exit')))
    rmSync(this.#cache, { recursive: true, force: true })
  }

  async #hire(): Promise<Writer<T>> {
    const child = spawn(process.execPath, ['--conditions=skein-source', '--no-warnings', this.#entry], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { NODE_COMPILE_CACHE: this.#cache, ...process.env },
    })
    this.#alive.add(child)
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.stdin.on('error', () => undefined)
    const ended = new Promise<string | number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        this.#alive.delete(child)
        if (code !== null && code !== 0) reject(new Error(`A writer ended with ${code}:\n${errors}`))
        else resolve(signal ?? code ?? 0)
      })
    })
    ended.catch(() => undefined)
    const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    await said.next()
    if (this.#closed) child.kill('SIGKILL')
    return {
      begin: task => void child.stdin.write(`${JSON.stringify(task)}\n`),
      stop: () => void child.stdin.write('stop\n'),
      kill: () => void child.kill('SIGKILL'),
      opened: said.next().then(line => (line.done === true ? undefined : line.value)),
      ended,
    }
  }
}
