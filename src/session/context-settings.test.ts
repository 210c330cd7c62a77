import { loadCounter } from '#context'
import { memoryStore } from '#journal'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  opened.push(skein)
  return skein
}

const refusal = (key: string): object => ({ code: 'config.invalid', details: { key } })

describe('settings of a session’s context', () => {
  verifies('C10', 'are refused by create when they are out of range or contradict, and nothing is stored', async () => {
    const { sessions } = await open()
    const wrong: readonly (readonly [object, string])[] = [
      [{ fanout: 1 }, 'context.fanout'],
      [{ softFraction: 0.5, targetFraction: 0.5 }, 'context.targetFraction'],
      [{ prune: { minTokens: 10, protectTokens: 10 } }, 'context.prune.minTokens'],
      [{ counter: await loadCounter({ id: 'mine', count: () => 1 }) }, 'context.counter'],
      [{ nothing: 1 }, 'context.nothing'],
    ]
    for (const [context, key] of wrong) {
      await expect(sessions.create({ id: 'mine', context })).rejects.toMatchObject(refusal(key))
      await expect(sessions.open('mine', { orCreate: { context } })).rejects.toHaveProperty('code', 'config.invalid')
    }
    expect((await sessions.list()).items).toEqual([])
  })

  verifies('C10', 'are refused by openSkein, and by create when they contradict those of openSkein', async () => {
    await expect(openSkein({ store: 'memory:', context: { largeTokens: 99 } })).rejects.toMatchObject(
      refusal('context.largeTokens'),
    )
    const { sessions } = await open({ context: { targetFraction: 0.5 } })
    await expect(sessions.create({ context: { softFraction: 0.4 } })).rejects.toMatchObject(refusal('context.targetFraction'))
  })

  it('are kept with the session, and through an export, a fork and a move', async () => {
    const store = memoryStore()
    const { sessions } = await open({ store })
    const context = { largeTokens: 100, prune: { protectedTools: ['plan'] } }
    const session = await sessions.create({ context })
    const [root] = await session.entries()
    expect(root?.data).toMatchObject({ context })
    await session.append([{ role: 'user', content: 'x' }])
    await session.moveTo(root?.id ?? 'ent_')
    const fork = await session.fork()
    const { id } = await sessions.import('skein', await session.export('skein'), { as: 'new' })
    for (const one of [session.id, fork.id, id])
      expect((await store.in('default').session(one))?.data['context']).toEqual(context)
  })

  it('that cannot be followed here give way to the defaults, and say so', async () => {
    const store = memoryStore()
    const told: unknown[] = []
    const session = await (await open({ store })).sessions.create({ context: { softFraction: 0.4 } })
    const later = await open({ store, context: { targetFraction: 0.5 }, onNotice: notice => told.push(notice) })
    const again = await later.sessions.open(session.id)
    await again.append([{ role: 'user', content: 'x' }])
    expect(told).toMatchObject([{ code: 'config.invalid', session: session.id, tenant: 'default' }])
  })
})
