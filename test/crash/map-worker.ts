import { doTask } from './do-task.ts'
import { appendFileSync } from 'node:fs'
import { manualClock } from '#kernel'
import { scriptedModel } from '#models'
import { openSkein } from '#skein'
import { sqliteStore } from '#stores/sqlite'

/** What a child is told on its first line of input. */
export interface MapTask {
  readonly file: string
  /** A line for each request: the item that was asked for. */
  readonly log: string
  readonly now: number
  readonly count: number
  /** Absent: it begins one. */
  readonly map?: string
  /** At this step of the store's writing, counted from the first request on, the process kills itself. */
  readonly killAt: number
}

export const mapConcurrency = 4
export const mapOptions = {
  prompt: '{{item.n}}',
  schema: { type: 'object', properties: { square: { type: 'integer' } }, required: ['square'] },
} as const

/** Answers with the square of the number that it was asked for, and tells which that was before it does. */
export const squaring = (asked: (n: number) => void): ReturnType<typeof scriptedModel> =>
  scriptedModel(
    Array.from({ length: 1_000 }, () => request => {
      const [part] = request.messages[0]?.parts ?? []
      const n = Number(part?.type === 'text' ? part.text : undefined)
      asked(n)
      return JSON.stringify({ square: n * n })
    }),
  )

async function work(task: MapTask): Promise<void> {
  const clock = manualClock(task.now)
  let steps = -Infinity
  const probe = (): void => {
    if (++steps === task.killAt) process.kill(process.pid, 'SIGKILL')
  }
  const store = await sqliteStore(task.file, { clock, search: 'off', probe })
  const skein = await openSkein({ store, clock, worker: false })
  const model = squaring(n => {
    steps = Math.max(steps, 0)
    appendFileSync(task.log, `${n}\n`)
  })
  const inputs = Array.from({ length: task.count }, (_, n) => ({ n }))
  const { operators } = skein
  const map =
    task.map === undefined
      ? operators.llmMap({ ...mapOptions, inputs, model, concurrency: mapConcurrency })
      : operators.resume(task.map, { model })
  await map.result()
  await skein.close()
  await store.close()
}

await doTask(import.meta.filename, work)
