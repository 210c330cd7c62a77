import { createIds } from '#kernel'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { Bell, type Entry, memoryStore, watchEntries } from '#journal'
import { Writer } from './contract/writer.ts'

async function begun(): Promise<Writer> {
  return Writer.begin({ t: memoryStore().in('default'), ids: createIds() })
}

describe('a watch', () => {
  verifies('J43', 'yields each entry once however often the bell rings', async () => {
    const writer = await begun()
    const bell = new Bell()
    const controller = new AbortController()
    const seen: number[] = []
    const watching = (async () => {
      for await (const entry of watchEntries(writer.t, bell, writer.session, 0, controller.signal)) {
        seen.push(entry.seq)
        bell.ringAll()
        if (entry.seq === 30) controller.abort()
      }
    })()
    for (let n = 2; n <= 30; n++) {
      await writer.say(`${n}`)
      bell.ring('default', writer.session)
      bell.ring('default', writer.session)
    }
    await watching
    expect(seen).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
  })

  verifies('J43', 'needs no ring to be heard but one after the last entry', async () => {
    const writer = await begun()
    const bell = new Bell()
    const watch = watchEntries(writer.t, bell, writer.session, 1)
    const first = watch.next()
    await expect.poll(() => bell.listeners).toBe(1)
    await writer.say('a')
    await writer.say('b')
    bell.ring('other', writer.session)
    bell.ringAll()
    expect([(await first).value, (await watch.next()).value].map(entry => (entry as Entry).seq)).toEqual([2, 3])
    await watch.return()
  })

  verifies('J43', 'frees its place at the bell when aborted, left or closed', async () => {
    const writer = await begun()
    const bell = new Bell()
    const controller = new AbortController()
    const aborted = watchEntries(writer.t, bell, writer.session, 1, controller.signal).next()
    await expect.poll(() => bell.listeners).toBe(1)
    controller.abort()
    expect(await aborted).toEqual({ value: undefined, done: true })
    expect(bell.listeners).toBe(0)
    for await (const entry of watchEntries(writer.t, bell, writer.session, 0)) {
      expect([entry.seq, bell.listeners]).toEqual([1, 1])
      break
    }
    expect(bell.listeners).toBe(0)
    const closed = watchEntries(writer.t, bell, writer.session, 1).next()
    await expect.poll(() => bell.listeners).toBe(1)
    bell.close()
    expect(await closed).toEqual({ value: undefined, done: true })
    expect(bell.listeners).toBe(0)
  })

  it('reads in pages, small ones while the bell rings within them', async () => {
    const writer = await begun()
    await writer.commit(...Array.from({ length: 1_199 }, (_, n) => writer.side('custom', { name: 'n', data: n })))
    const bell = new Bell()
    const limits: number[] = []
    const store: typeof writer.t = {
      ...writer.t,
      entries: async (session, query = {}) => (limits.push(query.limit ?? 0), writer.t.entries(session, query)),
    }
    const controller = new AbortController()
    let count = 0
    for await (const entry of watchEntries(store, bell, writer.session, 0, controller.signal)) {
      count++
      if (entry.seq === 100) bell.ringAll()
      if (entry.seq === 1_200) controller.abort()
    }
    expect(count).toBe(1_200)
    expect(limits).toEqual([500, 50, 500, 500, 500])
  })

  it('ends quietly when the store closes under a read', async () => {
    const writer = await begun()
    const bell = new Bell()
    const store: typeof writer.t = {
      ...writer.t,
      entries: async () => {
        bell.close()
        throw new Error('closed')
      },
    }
    expect(await watchEntries(store, bell, writer.session, 0).next()).toEqual({ value: undefined, done: true })
  })
})
