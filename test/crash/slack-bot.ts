import { createInterface } from 'node:readline'
import { createSlackAdapter } from '@chat-adapter/slack'
import { ConsoleLogger } from 'chat'
import { chatSdkAdapter } from '#gateway'
import { manualClock } from '#kernel'
import { scriptedModel } from '#models'
import { serve } from '#server'
import { openSkein } from '#skein'
import { slackSecret } from '../laws/chat-platforms.ts'
import { type Address, openAt } from './place.ts'

/** What a child is told on its first line of input. Its second line of output is where it listens. */
export interface SlackTask {
  readonly address: Address
  readonly now: number
  /** Slack's. */
  readonly api: string
  /** Where it stays until it is killed: before it answers a request, or in the middle of a turn. */
  readonly hangs?: 'answer' | 'model'
}

const forEver = new Promise<never>(() => setInterval(() => undefined, 60_000))

async function work({ address, now, api, hangs }: SlackTask): Promise<void> {
  const clock = manualClock(now)
  const store = await openAt(address, clock)
  const skein = await openSkein({
    store,
    clock,
    worker: false,
    env: { HOUSE_API_KEY: 'k' },
    model: 'house/script',
    gateway: { allowAll: true, busy: 'next', resumeWindowMinutes: 0 },
  })
  const answer = async ({ messages }: { messages: readonly { role: string; parts: readonly { type: string }[] }[] }) => {
    if (hangs === 'model') await forEver
    const parts = messages.findLast(({ role }) => role === 'user')?.parts ?? []
    return `re ${parts.flatMap(part => (part.type === 'text' ? [(part as { text?: string }).text ?? ''] : [])).at(-1)}`
  }
  skein.models.register({ provider: 'house', connect: () => scriptedModel(Array.from({ length: 100 }, () => answer)) })
  const logger = new ConsoleLogger('silent')
  const slack = createSlackAdapter({ botToken: 'xoxb-1', signingSecret: slackSecret, apiUrl: `${api}/`, logger })
  const adapter = chatSdkAdapter({ platform: 'slack', adapter: slack })
  const receive = adapter.receive.bind(adapter)
  if (hangs === 'answer')
    adapter.receive = async (name, request) => {
      await receive(name, request)
      process.stdout.write('stored\n')
      return await forEver
    }
  await skein.gateway.start({ adapters: [adapter] })
  const { url } = await serve(skein, { port: 0 })
  process.stdout.write(`${url}\n`)
  await forEver
}

if (process.argv[1] === import.meta.filename) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  // Said so, it is started from its source: the HTTP server reads the package's own file, which a bundle is far from.
  process.stdout.write(`warm\n`)
  const told = await lines.next()
  if (told.done !== true) await work(JSON.parse(told.value) as SlackTask)
}
