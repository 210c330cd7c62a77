import { memoryStore, type Change, type Store, type TenantStore } from '#journal'
import { manualClock } from '#kernel'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'

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
