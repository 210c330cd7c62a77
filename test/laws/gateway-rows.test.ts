import { memoryStore, type Change, type Store, type TenantStore } from '#journal'
import { manualClock } from '#kernel'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { gate } from './agent-talk.ts'
import { allowed, answering, dm, dmKey, fakeAdapter } from './gateway-talk.ts'

/** A store that counts the rows that it gives and the changes that it takes. */
function counted(store: Store): { readonly store: Store; take(): Record<string, number> } {
  let counts: Record<string, number> = {}
  const count = (name: string, rows: number): void => void (counts[name] = (counts[name] ?? 0) + rows)
  const rowsOf = (answer: unknown): number => {
    if (Array.isArray(answer)) return answer.length
    const items = (answer as { items?: unknown[] } | undefined)?.items
    return items === undefined ? 1 : items.length
  }
  const wrap = (tenant: TenantStore): TenantStore =>
    new Proxy(tenant, {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver)
        if (typeof member !== 'function') return member
        return async (...given: unknown[]): Promise<unknown> => {
          const answer: unknown = await (member as (...all: unknown[]) => unknown).apply(target, given)
          if (name === 'commit') count('changes', (given[0] as Change[]).length)
          else count(String(name), rowsOf(answer))
          return answer
        }
      },
    })
  const proxy = new Proxy(store, {
    get: (target, name) =>
      name === 'in' ? (tenant: string) => wrap(target.in(tenant)) : (Reflect.get(target, name, target) as unknown),
  })
  return {
    store: proxy,
    take: () => {
      const taken = counts
      counts = {}
      return taken
    },
  }
}

describe('the rows that a resolve touches', () => {
  verifies('G25', 'are as many among 20,000 routes as among ten', async () => {
    const touched: unknown[] = []
    for (const count of [10, 20_000]) {
      const clock = manualClock(1_795_000_000_000)
      const plain = memoryStore({ clock })
      const { store, take } = counted(plain)
      const skein = await openSkein({
        store,
        clock,
        worker: false,
        gateway: { reset: { default: { mode: 'idle', idleMinutes: 5 } } },
      })
      const { gateway } = skein
      const model = await gateway.resolve({ platform: 'signal', userId: '+0', userIdAlt: 'uuid-0' })
      const tenant = plain.in('default')
      for (let done = 0; done < count; done += 1_000) {
        const routes = Array.from({ length: Math.min(1_000, count - done) }, (_, n): Change => {
          const key = `k1:main:signal:dm:u=uuid-${done + n + 1}`
          const { version: _version, ...route } = model.route
          return { type: 'put_route', key, value: { ...route, key } as never, sort: -done, expectVersion: 0 }
        })
        await tenant.commit(routes)
      }
      take()
      const phases: unknown[] = []
      const resolve = async (source: object): Promise<void> => {
        await gateway.resolve({ platform: 'signal', ...source })
        phases.push(take())
      }
      await resolve({ userId: '+x', userIdAlt: 'uuid-x' })
      await resolve({ userId: '+x', userIdAlt: 'uuid-x' })
      await resolve({ chatType: 'group', chatId: 'g', scopeId: 's', userId: 'u' })
      clock.advance(6 * 60_000)
      await resolve({ userId: '+x', userIdAlt: 'uuid-x' })
      await gateway.explain({ platform: 'signal', userId: '+x' })
      await gateway.switch(model.route.key, model.session.id)
      phases.push(take())
      touched.push(phases)
      await skein.close()
    }
    expect(touched[0]).toEqual(touched[1])
    const [, again] = touched[0] as Record<string, number>[]
    expect(again?.['changes']).toBe(1)
  })
})

/** What is counted where a message comes, its turn begins and ends, and its answer goes out, while so many others wait. */
async function rowsWhileWaiting(count: number): Promise<Record<string, number>[]> {
  const clock = manualClock(1_795_000_000_000)
  const plain = memoryStore({ clock })
  const { store, take } = counted(plain)
  const steps = [gate(), gate(), gate()]
  const asked = [gate(), gate(), gate()]
  let turn = 0
  const model = answering(async () => {
    const mine = turn++
    asked[mine]?.open()
    await steps[mine]?.promise
    return `answer ${mine}`
  })
  const skein = await openSkein({
    store,
    clock,
    worker: false,
    env: { HOUSE_API_KEY: 'k' },
    model: 'house/script',
    gateway: { ...allowed, busy: 'next', queueMax: 10_000 },
  })
  skein.models.register({ provider: 'house', connect: () => model })
  const adapter = fakeAdapter()
  await skein.gateway.start({ adapters: [adapter] })
  const say = async (text: string, chatId = dm.chatId): Promise<void> => {
    await skein.gateway.handle({ source: { ...dm, chatId }, text })
  }
  await say('first')
  await asked[0]?.promise
  for (let n = 0; n < count; n++) await say(`waits ${n}`)
  const phases: Record<string, number>[] = []
  take()
  await say('one more')
  phases.push(take())
  steps[0]?.open()
  await asked[1]?.promise
  await expect
    .poll(async () => (await plain.in('default').records('gateway.outbox', { tag: 'state delivered' })).items)
    .toHaveLength(1)
  phases.push(take())
  await skein.gateway.handle({ source: dm, text: '/status' })
  phases.push(take())
  expect((await skein.gateway.get(dmKey))?.openTurn).toBeDefined()
  expect(adapter.sent[0]).toMatchObject({ text: 'answer 0' })
  for (const step of steps) step.open()
  await skein.gateway.handle({ source: dm, text: '/stop' })
  await skein.close()
  return phases
}

describe('the rows that a message touches', () => {
  verifies('G55 G63', 'are as many while a thousand wait as while ten do', async () => {
    const few = await rowsWhileWaiting(10)
    const many = await rowsWhileWaiting(1_000)
    // A look at the clock may come in between; a look at all that waits would be hundreds.
    for (const [phase, counts] of many.entries())
      for (const [name, rows] of Object.entries(counts))
        expect([phase, name, rows <= (few[phase]?.[name] ?? 0) + 20]).toEqual([phase, name, true])
    expect(many[0]?.['commit'] ?? many[0]?.['changes']).toBe(few[0]?.['commit'] ?? few[0]?.['changes'])
  })
})
