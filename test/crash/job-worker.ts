import { setTimeout as sleep } from 'node:timers/promises'
import { type JobWork, startWorker } from '#jobs'
import { type Clock, createIds, isObject, seededRandom, type Timers } from '#kernel'
import type { Enqueue, JobRow, Store } from '#journal'
import { processOwner } from '#stores/sqlite'
import { doTask } from './do-task.ts'
import { type Address, openAt } from './place.ts'

/** Time that goes `speed` times as fast as the machine's, alike in every process. */
export interface Pace {
  readonly begin: number
  readonly speed: number
}

/** What a child is told on its first line of input: to do jobs, or to enqueue them one by one, until it is killed. */
export interface JobTask {
  readonly act: 'work' | 'enqueue'
  readonly address: Address
  readonly pace: Pace
  readonly seed: number
  /** Of so many jobs one blocks its process for longer than its lease lasts. */
  readonly stallEvery: number
}

export const tenant = 'default'
const kind = 'work'
const stallMs = 22_000

export function pacedClock({ begin, speed }: Pace): Clock {
  return { now: () => begin + Math.floor((Date.now() - begin) * speed) }
}

function pacedTimers({ speed }: Pace): Timers {
  return {
    after(ms, run) {
      const timer = setTimeout(run, ms / speed)
      return () => clearTimeout(timer)
    },
  }
}

export function jobOf(id: JobRow['id'], n: number, keys: number): Enqueue {
  return { type: 'enqueue', job: { id, kind, key: `k${n % keys}`, payload: { n }, maxAttempts: 100 } }
}

export const numberOf = ({ payload }: JobRow): number => Number(isObject(payload) ? payload['n'] : undefined)

/** Adds its number to the line of its key; whether that was so before is not looked at, so that doing it twice shows. */
function lineWork(store: Store, task: JobTask): JobWork {
  const random = seededRandom(task.seed)
  const block = new Int32Array(new SharedArrayBuffer(4))
  return {
    schema: 1,
    timeoutMs: 10 * stallMs,
    async run(job) {
      const t = store.in(tenant)
      const line = await t.record('line', job.key)
      await sleep(20 + random.number() * 40)
      // Nothing of this process goes on meanwhile, its heartbeats neither.
      if (random.number() * task.stallEvery < 1) Atomics.wait(block, 0, 0, stallMs / task.pace.speed)
      const before = Array.isArray(line?.value) ? line.value : []
      return {
        effects: [
          { type: 'put_record', collection: 'effect', key: String(numberOf(job)), value: job.attempts },
          { type: 'put_record', collection: 'line', key: job.key, value: [...before, numberOf(job)] },
        ],
      }
    },
  }
}

async function enqueueForEver(store: Store, seed: number): Promise<never> {
  const ids = createIds()
  for (let n = 0; ; n++) {
    const cause = `${seed}-${n}`
    const job = { id: ids('job'), kind, key: cause, payload: { cause }, maxAttempts: 1 }
    await store.in(tenant).commit([
      { type: 'put_record', collection: 'cause', key: cause, value: job.id },
      { type: 'enqueue', job },
    ])
  }
}

async function perform(task: JobTask): Promise<void> {
  const clock = pacedClock(task.pace)
  const store = await openAt(task.address, clock)
  process.stdout.write('open\n')
  if (task.act === 'enqueue') return await enqueueForEver(store, task.seed)
  startWorker({
    store,
    clock,
    random: seededRandom(task.seed),
    owner: processOwner(),
    timers: pacedTimers(task.pace),
    works: { [kind]: lineWork(store, task) },
    concurrency: 2,
  })
  await new Promise(() => undefined)
}

await doTask(import.meta.filename, perform)
