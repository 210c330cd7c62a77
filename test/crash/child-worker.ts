import { appendFileSync } from 'node:fs'
import { delegateTool, type Tool } from '#agent'
import { manualClock } from '#kernel'
import { type ScriptedModel, scriptedModel } from '#models'
import { openSkein } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { doTask } from './do-task.ts'
import type { RunTask } from './run-worker.ts'

export const parentAlias = 'parent'

/** Parent and child say what they do by what they are shown: the parent hands two tasks on, each child makes one call. */
export const planner = (): ScriptedModel =>
  scriptedModel(
    Array.from({ length: 40 }, (_, at) => ({ messages }) => {
      const [first] = messages.flatMap(({ parts }) => parts.flatMap(part => (part.type === 'text' ? [part.text] : [])))
      const isAnswered = messages.some(({ role }) => role === 'tool')
      const usage = { inputTokens: 10, outputTokens: 1 }
      if (isAnswered) return { text: `Done: ${first}`, usage }
      if (first === 'go')
        return {
          calls: [{ tool: 'delegate', callId: `hand_${at}`, input: { tasks: [{ task: 'one' }, { task: 'two' }] } }],
          usage,
        }
      return { calls: [{ tool: 'once', callId: `once_${at}_${first}`, input: { of: first ?? '' } }], usage }
    }),
  )

/** One that may be entered once only for each child. */
export const tools = (entered: (call: string) => void): Tool[] => [
  {
    name: 'once',
    description: 'Does it once.',
    input: { type: 'object' },
    run: input => {
      entered(`once ${(input as { of: string }).of}`)
      return 'did it'
    },
  },
  delegateTool(),
]

async function work(task: RunTask): Promise<void> {
  const clock = manualClock(task.now)
  let steps = -Infinity
  const probe = (): void => {
    if (++steps === task.killAt) process.kill(process.pid, 'SIGKILL')
  }
  const store = await sqliteStore(task.file, { clock, search: 'off', probe })
  const skein = await openSkein({ store, clock, worker: false })
  const log = (line: string): void => appendFileSync(task.log, `${line}\n`)
  const session = await skein.sessions.create({ id: parentAlias, modelOverride: planner(), tools: tools(log) })
  steps = 0
  const run = session.send('go')
  log(`admitted ${(await run.receipt).inputId}`)
  await run.result()
  log(`steps ${steps}`)
  await skein.close()
  await store.close()
}

await doTask(import.meta.filename, work)
