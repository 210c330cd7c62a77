import { statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { seededRandom } from '#kernel'
import { beginDiary, type Line } from './diary.ts'
import type { Address } from './place.ts'
import { openStage } from './stage.ts'
import { Author, endless, type Orders, script, single } from './workload.ts'

/** What a child is told on its first line of input. */
export interface Task {
  readonly address: Address
  readonly diary: string
  readonly now: number
  readonly seed: number
  readonly orders: Orders
  /** `script`: every scene once, then an orderly end. `endless`: until killed, or until another line of input. `single`: one append. */
  readonly mode: 'script' | 'endless' | 'single'
  /** At this probe, counted from 1 (in `single` from its one append on), the process kills itself. */
  readonly killAt?: number
}

/** The child process: says `warm` when it is loaded, `opened` when its store is, does its task, and dies in the midst of it. */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
process.stdout.write('warm\n')
const told = await lines.next()
if (told.done === true) process.exit(0)
const task = JSON.parse(told.value) as Task

const names: string[] = []
let armed = task.mode !== 'single'
/** What a store on a server does beside its commits, whenever it comes to it; a single append is counted without. */
const beside = /^(before|after) (publish|.*index)/
const probe = (name: string): void => {
  if (task.mode === 'single' && beside.test(name)) return
  if (names.push(name) === task.killAt && armed) process.kill(process.pid, 'SIGKILL')
}
const arm = (): void => {
  names.length = 0
  armed = true
}
let stopped = false
void lines.next().then(() => (stopped = true))

const diary = beginDiary(task.diary)
const fault = (error: unknown): void => {
  const { cause, stack } = error instanceof Error ? error : new Error(String(error))
  diary.write({ t: 'fault', message: `${stack}${cause instanceof Error ? `\ncaused by ${cause.stack}` : ''}` })
}
const stage = await openStage(task.address, task.now, probe).catch((error: unknown) => {
  fault(error)
  return process.exit(0)
})
diary.write({ t: 'opened', probes: names.length })
process.stdout.write('opened\n')
/** An acknowledgement says how long the log was when it came. */
const write = (line: Line): void => {
  const wal = line.t === 'ack' && task.address.adapter === 'sqlite' ? statSync(`${task.address.file}-wal`).size : undefined
  diary.write(wal === undefined ? line : ({ ...line, wal } as Line))
}
const random = seededRandom(task.seed)
const count = { next: 0 }
const authors = ['a', 'b', 'c'].map(name => new Author(name, { stage, orders: task.orders, random, write, count }))
try {
  if (task.mode === 'script') await script(authors)
  else if (task.mode === 'single') await single(authors[0] as Author, arm)
  else await endless(authors, () => stopped)
  const told = [...names]
  await stage.close()
  diary.write({ t: 'done', probes: told.length, names: told })
} catch (error) {
  fault(error)
}
diary.close()
process.exit(0)
