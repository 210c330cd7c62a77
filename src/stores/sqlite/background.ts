import { closeSync, fsyncSync, openSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { Connection } from './connection.ts'
import { indexBatch } from './index-entries.ts'
import { SearchFile } from './search-file.ts'
import { isBusy } from './sqlite-errors.ts'

/** What the writer's thread asks for, and what it is answered. `close` lets the batch at hand be finished, `die` does not. */
export type Order = 'index' | 'checkpoint' | 'purge' | 'close' | 'die' | { readonly copyTo: string }
export type Report =
  | { readonly done: 'index' | 'checkpoint' | 'purge' | 'copy'; readonly error?: undefined }
  | { readonly done: 'index' | 'checkpoint' | 'purge' | 'copy'; readonly error: string; readonly errcode: number }

const { file } = workerData as { readonly file: string }
const port = parentPort
if (port === null) throw new Error('background.ts runs as a worker thread.')

let main: Connection | undefined
/** What is being done; nothing is begun any more once the thread is closing. */
const underWay = new Set<Promise<void>>()
let closing = false
const search = new SearchFile(file, true)
// Where a checkpoint waits for readers it holds back writers of every process, so it gives up soon and is asked again.
const connect = (): Connection => (main ??= new Connection(file, { timeoutMs: 15 }))

async function index(): Promise<void> {
  while (!closing && (await indexBatch(connect(), search))) await new Promise(resolve => setImmediate(resolve))
}

/**
 * Most is copied and synced while writers go on; only the rest, and the way back to the log's beginning, needs their lock.
 * PASSIVE alone lets the log grow without end under steady writing.
 */
function checkpoint(): void {
  const connection = connect()
  connection.exec('PRAGMA wal_checkpoint(PASSIVE)')
  connection.exec('PRAGMA wal_checkpoint(RESTART)')
}

/**
 * Writes both files anew without what was freed in them, and empties their logs. Words of erased entries stand in the index by
 * themselves, so that is made anew. Writers wait meanwhile; a reader that stays in an old snapshot is waited for, 10 s.
 */
function purge(): void {
  search.remove()
  const own = new Connection(file, { timeoutMs: 10_000 })
  try {
    own.exec('VACUUM')
    const [isBusy] = (own.text('PRAGMA wal_checkpoint(TRUNCATE)').get() ?? []) as unknown as number[]
    if (isBusy !== 0) throw new Error('Somebody still reads what was erased.')
  } finally {
    own.close()
  }
}

/** A snapshot of the whole store in a new file, read back before it counts. */
function copy(to: string): void {
  connect().text('VACUUM INTO ?').run(to)
  const made = new Connection(to, { readOnly: true })
  try {
    const verdict = made.pragma('integrity_check(1)')
    if (verdict !== 'ok') throw new Error(`The copy is damaged: ${String(verdict)}.`)
  } finally {
    made.close()
  }
  const descriptor = openSync(to, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

async function obey(done: Report['done'], work: () => Promise<void> | void): Promise<void> {
  try {
    if (closing) throw new Error('The background thread is closing.')
    await work()
    port?.postMessage({ done } satisfies Report)
  } catch (error) {
    // Somebody else is at it; the next order finds what is left.
    if (isBusy(error) && done !== 'purge') return void port?.postMessage({ done } satisfies Report)
    const { errcode = 0 } = error as { errcode?: number }
    port?.postMessage({ done, error: error instanceof Error ? error.message : String(error), errcode } satisfies Report)
  }
}

/** A thread never ends with a file open: who tears it down has no part in SQLite's locks and memory. */
function closeFiles(): void {
  search.close()
  main?.close()
}

port.on('message', (order: Order) => {
  if (order === 'close' || order === 'die') closing = true
  if (order === 'die') {
    closeFiles()
    process.exit()
  }
  if (order === 'close') {
    void Promise.all(underWay).then(() => {
      closeFiles()
      port.close()
    })
    return
  }
  const done =
    order === 'index'
      ? obey('index', index)
      : order === 'checkpoint'
        ? obey('checkpoint', checkpoint)
        : order === 'purge'
          ? obey('purge', purge)
          : obey('copy', () => copy(order.copyTo))
  underWay.add(done)
  void done.finally(() => underWay.delete(done))
})
