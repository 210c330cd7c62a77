import { doTask } from './do-task.ts'
import { appendFileSync } from 'node:fs'
import type { Tool } from '#agent'
import { manualClock } from '#kernel'
import { scriptedModel } from '#models'
import { openSkein } from '#skein'
import { sqliteStore } from '#stores/sqlite'

/** What a child is told on its first line of input. */
export interface RunTask {
  readonly file: string
  /** A line for each tool that is entered and each input that is admitted. */
  readonly log: string
  readonly now: number
  /** At this step of the store's writing, counted from the session on, the process kills itself; 0: never. */
  readonly killAt: number
}

export const runAlias = 'killed'

/** Says what is to be done by what it is shown: three calls, one more, then an answer to everything that is said. */
export const planner = (): ReturnType<typeof scriptedModel> =>
  scriptedModel(
    Array.from({ length: 20 }, (_, at) => request => {
      const call = (tool: string, n: number): object => ({ tool, input: { n }, callId: `${tool}_${n}_${at}` })
      const results = request.messages.filter(({ role }) => role === 'tool').length
      const usage = { inputTokens: 10, outputTokens: 1 }
      if (results === 0) return { text: 'First.', calls: [call('once', 1), call('look', 2), call('once', 3)] as never, usage }
      if (results === 1) return { calls: [call('once', 4)] as never, usage }
      return { text: 'Done.', usage }
    }),
  )

/** One that may be entered once only, and one that only looks. */
export const tools = (entered: (call: string) => void): Tool[] => {
  const make = (name: string, more: object): Tool => ({
    name,
    description: `Does it ${name}.`,
    input: { type: 'object' },
    run: input => {
      const { n } = input as { n: number }
      entered(`${name} ${n}`)
      return `did ${n}`
    },
    ...more,
  })
  return [make('once', {}), make('look', { readOnly: true })]
}

async function work(task: RunTask): Promise<void> {
  const clock = manualClock(task.now)
  let steps = -Infinity
  const probe = (): void => {
    if (++steps === task.killAt) process.kill(process.pid, 'SIGKILL')
  }
  const store = await sqliteStore(task.file, { clock, search: 'off', probe })
  const skein = await openSkein({ store, clock, worker: false })
  const log = (line: string): void => appendFileSync(task.log, `${line}\n`)
  const session = await skein.sessions.create({ id: runAlias, modelOverride: planner(), tools: tools(log) })
  steps = 0
  const run = session.send('go')
  log(`admitted ${(await run.receipt).inputId}`)
  const more = await run.followUp('and more').catch(() => undefined)
  if (more !== undefined) log(`admitted ${more.inputId}`)
  await run.result()
  log(`steps ${steps}`)
  await skein.close()
  await store.close()
}

await doTask(import.meta.filename, work)
