import { createInterface } from 'node:readline'
import { manualClock } from '#kernel'
import { openSkein } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { tightContext } from './compaction-story.ts'

/** What a child is told on its line of input. */
export interface CompactorTask {
  readonly file: string
  readonly session: string
  readonly now: number
  /** At this probe, counted from 1 once the session is open, the process kills itself. */
  readonly killAt?: number
}

/** The child process: compacts, records a turn, asks for the context, and dies in the midst of it. Tells how many probes it met. */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
process.stdout.write('warm\n')
const told = await lines.next()
if (told.done === true) process.exit(0)
const task = JSON.parse(told.value) as CompactorTask

let armed = false
let probes = 0
const probe = (): void => {
  if (armed && ++probes === task.killAt) process.kill(process.pid, 'SIGKILL')
}
const clock = manualClock(task.now)
const store = await sqliteStore(task.file, { clock, probe })
const skein = await openSkein({ store, clock, worker: false, context: tightContext() })
const session = await skein.sessions.open(task.session)
armed = true
const compacting = session.compact()
await session.record({ user: 'and meanwhile?', assistant: 'that, too' })
await compacting
await session.record({ user: 'one more', assistant: 'and its answer', idempotencyKey: 'last' })
await session.context()
armed = false
process.stdout.write(`${probes}\n`)
await skein.close()
await store.close()
process.exit(0)
