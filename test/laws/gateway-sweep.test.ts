import { manualTimers, SkeinError } from '#kernel'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { memoryPlace, onEveryStore, type Place } from './stores.ts'

const minute = 60_000
const dm = { platform: 'telegram', chatId: '99', userId: '42' }
const key = 'k1:main:telegram:dm:c=99'
type Hooks = NonNullable<SkeinOptions['hooks']>

const idle: NonNullable<SkeinOptions['gateway']> = { reset: { default: { mode: 'idle', idleMinutes: 60 } } }

/** Asks for a round of maintenance, as the clock of the house does, and waits until it was made. */
async function sweep(skein: Skein): Promise<void> {
  const store = skein.store.in('default')
  const id = `job_${String(Math.random()).slice(2).padEnd(26, '0').slice(0, 26)}` as const
  await store.commit([
    {
      type: 'enqueue',
      job: { id, kind: 'gateway.sweep', key: 'default', payload: null, maxAttempts: 3, parkedBlocks: false },
      uniqueKey: 'default',
    },
  ])
  await skein.jobs.idle({ kind: 'gateway.sweep' })
  await skein.jobs.idle({ kind: 'session.commit' })
}

const commits = async (skein: Skein): Promise<number> => (await skein.jobs.list({ kind: 'session.commit' })).length

onEveryStore('routes that fell silent', place => {
  const begin = async (hooks: Hooks = []): Promise<{ at: Place; skein: Skein }> => {
    const at = await place()
    return { at, skein: await at.open({ worker: true, gateway: idle, hooks }) }
  }

  verifies('G84', 'are sealed once, when their policy is due, and again only after another message', async () => {
    const { at, skein } = await begin()
    const { session } = await skein.gateway.resolve(dm)
    await session.record({ user: 'Hello', assistant: 'Hi' })
    at.clock.advance(60 * minute)
    await sweep(skein)
    expect([await commits(skein), (await skein.gateway.get(key))?.expiryFinalized]).toEqual([0, false])
    at.clock.advance(1)
    await sweep(skein)
    expect([await commits(skein), (await skein.gateway.get(key))?.expiryFinalized]).toEqual([1, true])
    // The session is the same until somebody writes.
    expect((await skein.gateway.get(key))?.sessionId).toBe(session.id)
    await sweep(skein)
    const other = await at.open({ worker: true, gateway: idle })
    await sweep(other)
    expect(await commits(skein)).toBe(1)
    const next = await skein.gateway.resolve(dm)
    expect([next.reset?.reason, next.route.expiryFinalized]).toEqual(['idle', false])
    at.clock.advance(60 * minute + 1)
    await sweep(skein)
    expect((await skein.gateway.get(key))?.expiryFinalized).toBe(true)
    expect((await skein.jobs.list({ kind: 'session.commit', session: next.session.id })).length).toBe(1)
  })

  verifies('G90', 'call the hook once for each time, over nodes; one that throws is a notice', async () => {
    const called: string[] = []
    const hook = (name: string): Hooks => [
      {
        on: 'session_finalized',
        run: ({ session }) => {
          called.push(`${name} ${session}`)
          throw new Error('no')
        },
      },
      { on: 'session_finalized', run: ({ session }) => void called.push(`second ${session}`) },
    ]
    const at = await place()
    const notices: string[] = []
    const open = (name: string): Promise<Skein> =>
      at.open({ worker: true, gateway: idle, hooks: hook(name), onNotice: ({ code }) => void notices.push(code) })
    const [one, two] = [await open('hook'), await open('hook')]
    const { session } = await one.gateway.resolve(dm)
    at.clock.advance(60 * minute + 1)
    await Promise.all([sweep(one), sweep(two)])
    await expect.poll(() => called).toEqual([`hook ${session.id}`, `second ${session.id}`])
    expect(notices.filter(code => code === 'hook.failed').length).toBe(1)
    await sweep(one)
    await sweep(await open('third'))
    expect(called.length).toBe(2)
    const next = await one.gateway.resolve(dm)
    at.clock.advance(60 * minute + 1)
    await sweep(two)
    await expect.poll(() => called.length).toBe(4)
    expect(called.slice(2)).toEqual([`hook ${next.session.id}`, `second ${next.session.id}`])
  })
})

describe('maintenance', () => {
  verifies('G84', 'leaves what works, waits or never ends, and comes by itself after a minute', async () => {
    const at = await memoryPlace()
    const timers = manualTimers()
    let works = true
    const gateway: NonNullable<SkeinOptions['gateway']> = { ...idle, hasActiveWork: () => works }
    const skein = await at.open({ worker: true, gateway })
    await skein.gateway.resolve(dm)
    at.clock.advance(61 * minute)
    await sweep(skein)
    expect((await skein.gateway.get(key))?.expiryFinalized).toBe(false)
    await skein.gateway.markResumePending(key)
    works = false
    await sweep(skein)
    expect((await skein.gateway.get(key))?.expiryFinalized).toBe(false)
    await skein.gateway.clearResumePending(key)
    const watching = await at.open({ worker: true, gateway, timers })
    const sweeps = async (): Promise<number> => (await watching.jobs.list({ kind: 'gateway.sweep' })).length
    const before = await sweeps()
    timers.ring(60_000)
    await expect.poll(sweeps).toBe(before + 1)
    await expect.poll(async () => (await skein.gateway.get(key))?.expiryFinalized).toBe(true)
  })

  verifies('G47', 'prunes where it was told to, hourly', async () => {
    const at = await memoryPlace()
    const skein = await at.open({ worker: true, gateway: { pruneDays: 2 } })
    await skein.gateway.resolve(dm)
    at.clock.advance(3 * 24 * 60 * minute)
    await sweep(skein)
    expect(await skein.gateway.get(key)).toBeNull()
    await skein.gateway.resolve(dm)
    const plain = await at.open({ worker: true })
    at.clock.advance(30 * 24 * 60 * minute)
    await skein.close()
    await sweep(plain)
    expect(await plain.gateway.get(key)).not.toBeNull()
  })
})

describe('upkeep that fails', () => {
  verifies('G84 G39', 'is a notice, and is tried again', async () => {
    const at = await memoryPlace()
    const plain = await at.store()
    const away = { now: false }
    const broken = new SkeinError('store.unavailable', 'It is away.')
    const store = new Proxy(plain, {
      get: (target, name) => {
        if (name === 'tenants' && away.now) return () => Promise.reject(broken)
        const member: unknown = Reflect.get(target, name, target)
        if (name !== 'in') return member
        return (tenant: string) =>
          new Proxy(target.in(tenant), {
            get: (own, verb) =>
              verb === 'records' && away.now ? () => Promise.reject(broken) : (Reflect.get(own, verb, own) as unknown),
          })
      },
    })
    const timers = manualTimers()
    const told: string[] = []
    const skein = await openSkein({
      store,
      clock: at.clock,
      timers,
      worker: true,
      gateway: idle,
      onNotice: ({ code, message }) => void told.push(`${code}: ${message.split(':')[0]}`),
    })
    await skein.gateway.start({ adapters: [] })
    away.now = true
    timers.ring(60_000)
    await expect
      .poll(() => told.toSorted())
      .toEqual(
        expect.arrayContaining([
          "store.unavailable: The gateway's upkeep could not be done; it is tried again in five minutes",
          'store.unavailable: Turns that were cut short could not be looked for; it is tried again in a minute',
        ]),
      )
    away.now = false
    await skein.close()
  })
})
