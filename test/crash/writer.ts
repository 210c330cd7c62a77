import { createInterface } from 'node:readline'
import { seededRandom } from '#kernel'
import { beginDiary } from './diary.ts'
import type { Address } from './place.ts'
import { openStage } from './stage.ts'
import { Author, endless, type Orders, script } from './workload.ts'

/** What a child is told on its first line of input. */
export interface Task {
  readonly address: Address
  readonly diary: string
  readonly now: number
  readonly seed: number
  readonly orders: Orders
  /** `script`: every scene once, then an orderly end. `endless`: until killed, or until another line of input. */
  readonly mode: 'script' | 'endless'
  /** At this probe, counted from 1, the process kills itself. */
  readonly killAt?: number
}

/** The child process: says `warm` when it is loaded, `opened` when its store is, does its task, and dies in the midst of it. */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
process.stdout.write('warm\n')
const told = await lines.next()
if (told.done === true) process.exit(0)
const task = JSON.parse(told.value) as Task

const names: string[] = []
const probe = (name: string): void => {
  if (names.push(name) === task.killAt) process.kill(process.pid, 'SIGKILL')
}
let stopped = false
void lines.next().then(() => (stopped = true))

const diary = beginDiary(task.diary)
const stage = await openStage(task.address, task.now, probe)
diary.write({ t: 'opened', probes: names.length })
process.stdout.write('opened\n')
const random = seededRandom(task.seed)
const count = { next: 0 }
const authors = ['a', 'b', 'c'].map(
  name => new Author(name, { stage, orders: task.orders, random, write: line => diary.write(line), count }),
)
try {
  await (task.mode === 'script' ? script(authors) : endless(authors, () => stopped))
  await stage.close()
} catch (error) {
  diary.write({ t: 'fault', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}
diary.write({ t: 'done', probes: names.length, names })
diary.close()
process.exit(0)
