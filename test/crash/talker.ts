import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { GatewayAdapter } from '#gateway'
import { manualClock } from '#kernel'
import { scriptedModel } from '#models'
import { openSkein } from '#skein'
import { doTask } from './do-task.ts'
import { type Address, openAt } from './place.ts'

/** What a child is told on its first line of input. */
export interface TalkTask {
  readonly address: Address
  /** A line for each message that was taken, and one for each that was sent. */
  readonly log: string
  readonly now: number
  readonly chats: number
  readonly messages: number
  /** How many messages of each chat were taken by the processes before. */
  readonly told: readonly number[]
  /** At this probe, counted from 1 once the gateway is started, the process kills itself; 0: never. */
  readonly killAt: number
}

const answers = () =>
  scriptedModel(
    Array.from({ length: 100_000 }, () => ({ messages }) => {
      const parts = messages.findLast(({ role }) => role === 'user')?.parts ?? []
      return `re ${parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).at(-1)}`
    }),
  )

async function work(task: TalkTask): Promise<void> {
  const clock = manualClock(task.now)
  let probes = Number.NEGATIVE_INFINITY
  const store = await openAt(task.address, clock, () => {
    if (++probes === task.killAt) process.kill(process.pid, 'SIGKILL')
  })
  const skein = await openSkein({
    store,
    clock,
    worker: false,
    env: { HOUSE_API_KEY: 'k' },
    model: 'house/script',
    gateway: { allowAll: true, busy: 'next', resumeWindowMinutes: 0, queueMax: 10_000 },
  })
  skein.models.register({ provider: 'house', connect: answers })
  const log = (line: string): void => appendFileSync(task.log, `${line}\n`)
  const adapter: GatewayAdapter = {
    platform: 'telegram',
    capabilities: {
      maxTextChars: 4_000,
      edits: false,
      typing: false,
      threads: true,
      media: false,
      idempotentSend: false,
      piiSafe: false,
    },
    start: async () => undefined,
    send: async (to, { text }, { id }) => (log(`sent ${JSON.stringify([to.chatId, id, text])}`), {}),
    stop: async () => undefined,
  }
  await skein.gateway.start({ adapters: [adapter] })
  probes = 0
  const talk = async (chat: number): Promise<void> => {
    for (let n = task.told[chat] ?? 0; n < task.messages; n++) {
      const source = { platform: 'telegram', chatId: `c${chat}`, userId: `u${chat}` }
      await skein.gateway.handle({ source, text: `c${chat} m${n}`, eventId: n + 1 })
      log(`told ${chat}`)
    }
  }
  await Promise.all(Array.from({ length: task.chats }, (_, chat) => talk(chat)))
  const isOpen = async (): Promise<boolean> => {
    for (const state of ['received', 'queued', 'running', 'interrupted'] as const)
      if ((await skein.gateway.inbox.list({ state, limit: 1 })).items.length > 0) return true
    for (const state of ['pending', 'sending'] as const)
      if ((await skein.gateway.outbox.list({ state, limit: 1 })).items.length > 0) return true
    return false
  }
  while (await isOpen()) await pause(20)
  log(`probes ${probes}`)
  await skein.close()
  await store.close()
}

await doTask(import.meta.filename, work)
