import type { Change } from '#journal'
import type { Skein } from '#skein'
import { verifies } from '#verifies'
import { expect } from 'vitest'
import { onEveryStore } from './stores.ts'

const dm = (chatId: string): { platform: string; chatId: string; userId: string } => ({
  platform: 'telegram',
  chatId,
  userId: '42',
})
const keyOf = (chatId: string): string => `k1:main:telegram:dm:c=${chatId}`

onEveryStore('the doctor', place => {
  const kinds = async (skein: Skein): Promise<string[]> => (await skein.gateway.check()).map(({ kind }) => kind).sort()

  verifies('G85', 'finds nothing where all is well', async () => {
    const at = await place()
    const skein = await at.open({ worker: true, gateway: { platforms: { telegram: { allow: 'all' } } } })
    for (const chat of ['1', '2']) await skein.gateway.resolve(dm(chat))
    await skein.gateway.handle({ source: dm('1'), text: 'Hello' })
    await expect.poll(async () => (await skein.gateway.inbox.list()).items[0]?.state).toBe('done')
    await skein.gateway.reset(keyOf('1'))
    await skein.gateway.suspend(keyOf('2'))
    await skein.gateway.schedules.add({ prompt: 'x', everyMs: 60_000 })
    expect(await skein.gateway.check()).toEqual([])
    expect(await skein.in('other').gateway.check()).toEqual([])
  })

  verifies('G85', 'finds each kind of trouble, and repairs none of it', async () => {
    const at = await place()
    const skein = await at.open({ gateway: { privacy: { pseudonyms: 'seed' } } })
    const store = skein.store.in('default')
    for (const chat of ['gone', 'one', 'two', 'dead', 'future']) await skein.gateway.resolve(dm(chat))
    const group = { platform: 'telegram', chatId: '-100', chatType: 'group' }
    await skein.gateway.resolve({ ...group, threadId: '42', userId: 'alice' })
    await skein.gateway.resolve({ ...group, userId: '42' })
    const change = async (chat: string, more: object): Promise<void> => {
      const row = await store.route(keyOf(chat))
      if (row === undefined) throw new Error('No route.')
      await store.commit([
        { type: 'put_route', ...row, value: { ...(row.value as object), ...more }, expectVersion: row.version },
      ])
    }
    const gone = (await skein.gateway.get(keyOf('gone')))?.sessionId ?? ''
    await skein.sessions.delete(gone)
    const one = (await skein.gateway.get(keyOf('one')))?.sessionId
    await change('two', { sessionId: one })
    await change('dead', { openTurn: { turnId: 'trn_1', inboxId: 'inb_1', at: 1, fence: 9 } })
    await change('future', { lastUserAt: at.clock.now() + 3_600_000 })
    const out = { id: 'out_1', state: 'sending', to: { platform: 'slack', chatId: 'C' }, text: 'x', kind: 'answer', attempts: 1, at: at.clock.now() - 16 * 60_000 } // prettier-ignore
    const sending: Change = { type: 'put_record', collection: 'gateway.outbox', key: 'out_1', value: out, tags: ['state sending'], sort: out.at } // prettier-ignore
    await store.commit([sending])
    await store.commit([
      { type: 'enqueue', job: { id: 'job_01HF7YAT000000000000000000', kind: 'x.y', key: 'k', payload: null, maxAttempts: 1 } },
    ])
    const job = await skein.store.claim({ 'x.y': 1 }, 'test', 15_000)
    if (job === undefined) throw new Error('No job.')
    await store.commit([{ type: 'park', job: job.id, fence: job.fence, error: { code: 'x', message: 'y' } }])
    const expected = [
      'dead_turn',
      'future_clock',
      'legacy_collision',
      'parked_job',
      'route_without_session',
      'seed_pseudonyms',
      'session_on_two_routes',
      'stuck_delivery',
    ]
    expect(await kinds(skein)).toEqual(expected)
    expect(await kinds(skein)).toEqual(expected)
    expect(await skein.in('other').gateway.check()).toMatchObject([{ kind: 'seed_pseudonyms' }])
  })
})
