import { appendFileSync } from 'node:fs'
import { manualClock } from '#kernel'
import { openSkein, type Skein } from '#skein'
import { doTask } from './do-task.ts'
import { type Address, openAt } from './place.ts'

/** What a child is told on its first line of input. */
export interface RouterTask {
  readonly address: Address
  /** A line for each answer that it got: what it did, and how its routes stand then. */
  readonly log: string
  readonly now: number
  readonly what: 'script' | 'crowd'
  /** At this probe, counted from 1 once the store is open, the process kills itself. */
  readonly killAt?: number
}

export const chat = { platform: 'telegram', chatId: '99', userId: '42' } as const
export const other = { ...chat, chatId: '7' } as const
export const routerGateway = { reset: { default: { mode: 'idle', idleMinutes: 5 } } } as const

/** The steps of a route's life, each with what it answers. `advance` moves the clock between them. */
export const script: readonly [name: string, step: (skein: Skein, advance: (ms: number) => void) => Promise<string>][] = [
  ['create', async ({ gateway }) => (await gateway.resolve(chat)).session.id],
  ['touch', async ({ gateway }) => (await gateway.resolve(chat)).session.id],
  ['force', async ({ gateway }) => (await gateway.resolve(chat, { forceNew: true })).session.id],
  [
    'idle',
    async ({ gateway }, advance) => {
      advance(6 * 60_000)
      return (await gateway.resolve(chat)).session.id
    },
  ],
  ['reset', async ({ gateway }) => (await gateway.reset('k1:main:telegram:dm:c=99'))?.sessionId ?? ''],
  [
    'switch',
    async ({ gateway, sessions }) => {
      const { items } = await sessions.list({ state: 'ended', sort: 'createdAt' })
      return (await gateway.switch('k1:main:telegram:dm:c=99', items[0]?.id ?? ''))?.sessionId ?? ''
    },
  ],
  ['second', async ({ gateway }) => (await gateway.resolve(other)).session.id],
  [
    'take',
    async ({ gateway }) => {
      const taken = (await gateway.get('k1:main:telegram:dm:c=7'))?.sessionId ?? ''
      return (await gateway.switch('k1:main:telegram:dm:c=99', taken, { take: true }))?.sessionId ?? ''
    },
  ],
  ['learn', async ({ gateway }) => (await gateway.identities.learn('whatsapp', '111', '2222')).canonical],
  ['lid', async ({ gateway }) => (await gateway.resolve({ platform: 'signal', userId: '+1' })).session.id],
  ['uuid', async ({ gateway }) => (await gateway.resolve({ platform: 'signal', userId: 'uuid' })).session.id],
  ['merge', async ({ gateway }) => (await gateway.resolve({ platform: 'signal', userId: '+1', userIdAlt: 'uuid' })).session.id],
  ['prune', async ({ gateway }, advance) => (advance(3 * 86_400_000), String(await gateway.prune(2)))],
]

/** All routes, each with its generation. */
export async function shapeOf({ gateway }: Skein): Promise<string> {
  const { items } = await gateway.list()
  return items
    .map(({ key, generation }) => `${key} ${generation}`)
    .sort()
    .join(', ')
}

async function work(task: RouterTask): Promise<void> {
  const clock = manualClock(task.now)
  let probes = Number.NEGATIVE_INFINITY
  const store = await openAt(task.address, clock, () => {
    if (++probes === task.killAt) process.kill(process.pid, 'SIGKILL')
  })
  const skein = await openSkein({ store, clock, worker: false, gateway: routerGateway })
  const tell = (line: string): void => appendFileSync(task.log, `${line}\n`)
  probes = 0
  if (task.what === 'crowd') {
    const all = await Promise.all(Array.from({ length: 50 }, () => skein.gateway.resolve(chat)))
    for (const { session, created } of all) tell(`${session.id} ${created}`)
  } else {
    for (const [name, step] of script) {
      await step(skein, ms => void clock.advance(ms))
      const counted = probes
      probes = Number.NEGATIVE_INFINITY
      tell(`${name}: ${await shapeOf(skein)}`)
      probes = counted
    }
    tell(`probes: ${probes}`)
  }
  await skein.close()
  await store.close()
}

await doTask(import.meta.filename, work)
