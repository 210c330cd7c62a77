import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Append, Store } from '#journal'
import { postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
import { type CuttingProxy, cuttingProxy } from './cutting-proxy.ts'
import { describePostgres, freshDatabase } from './fresh-database.ts'
import { beginJournal } from './journal.ts'
import { postgresBinaries } from './binaries.ts'
import { startPostgres } from './server.ts'

describePostgres('a connection that breaks', () => {
  let proxy: CuttingProxy
  let store: Store
  beforeAll(async () => {
    proxy = await cuttingProxy(await freshDatabase())
    store = await postgresStore(proxy.config, { indexes: false, listen: false })
  })
  afterAll(async () => {
    await store.close()
    await proxy.close()
  })
  const textsOf = async (append: Append): Promise<string[]> =>
    (await store.in('a').entries(append.session, { after: 1 })).map(entry => JSON.stringify(entry.data))

  verifies('J35', 'after the statement and before its answer leaves one effect, which is told', async () => {
    const t = store.in('a')
    const journal = await beginJournal(t)
    const append = journal.say('once')
    const before = proxy.cuts
    proxy.loseAnswerTo('append_e')
    const { results, replayed } = await t.commit([append])
    expect(proxy.cuts).toBe(before + 1)
    expect(replayed).toBe(false)
    expect(results[0]).toMatchObject({ first: 2, last: 2, leafId: append.head?.setsLeaf, token: 1 })
    expect(await textsOf(append)).toHaveLength(1)
    await t.commit([journal.say('twice')])
    expect(await textsOf(append)).toHaveLength(2)
  })

  verifies('J35', 'before the statement arrives it is carried out on another connection, once', async () => {
    const t = store.in('a')
    const append = (await beginJournal(t)).say('once')
    const before = proxy.cuts
    proxy.loseRequest('append_e')
    expect((await t.commit([append])).results[0]).toMatchObject({ first: 2, last: 2 })
    expect(proxy.cuts).toBe(before + 1)
    expect(await textsOf(append)).toHaveLength(1)
  })

  verifies('J35', 'with a key the answer is found by it, and a retry replays it', async () => {
    const t = store.in('a')
    const journal = await beginJournal(t)
    const [first, second] = [journal.say('first', 'more'), journal.say('second')]
    proxy.loseAnswerTo('append_ek')
    const committed = await t.commit([first], { key: 'k1', digest: 'd', memo: { n: 1 } })
    await t.commit([second])
    expect(committed).toMatchObject({
      replayed: false,
      memo: { n: 1 },
      results: [{ first: 2, last: 3, leafId: first.head?.setsLeaf }],
    })
    expect(await t.commit([first], { key: 'k1', digest: 'd' })).toEqual({ ...committed, replayed: true })
    expect(await textsOf(first)).toHaveLength(3)
  })

  verifies('J35', 'between COMMIT and its answer the transaction is asked for by its id', async () => {
    const t = store.in('a')
    const before = proxy.cuts
    proxy.loseAnswerTo('COMMIT')
    const { results } = await t.commit([{ type: 'put_record', collection: 'c', key: 'k', value: 1, expectVersion: 0 }])
    expect(proxy.cuts).toBe(before + 1)
    expect(results).toEqual([{ version: 1 }])
    expect(await t.record('c', 'k')).toMatchObject({ version: 1 })
  })

  verifies('J35', 'before COMMIT arrives nothing was done, and it is done again', async () => {
    const t = store.in('a')
    const before = proxy.cuts
    proxy.loseRequest('COMMIT')
    expect((await t.commit([{ type: 'put_record', collection: 'c', key: 'l', value: 1, expectVersion: 0 }])).results).toEqual([
      { version: 1 },
    ])
    expect(proxy.cuts).toBe(before + 1)
    expect(await t.record('c', 'l')).toMatchObject({ version: 1 })
  })

  verifies('J35', 'for good is store.uncertain, and a retry by key gives one effect', async () => {
    const hasty = await postgresStore(proxy.config, { indexes: false, listen: false, uncertainMs: 500 })
    const t = hasty.in('a')
    const append = (await beginJournal(t)).say('once')
    proxy.loseAnswerTo('append_ek')
    const committing = t.commit([append], { key: 'k2' })
    const lost = committing.catch((error: unknown) => error)
    const cut = proxy.cuts
    while (proxy.cuts === cut) await new Promise(resolve => setImmediate(resolve))
    proxy.shut()
    expect(await lost).toMatchObject({ code: 'store.uncertain', retryable: true })
    await expect(t.commit([append], { key: 'k2' })).rejects.toMatchObject({ code: 'store.unavailable', retryable: true })
    proxy.open()
    expect(await t.commit([append], { key: 'k2' })).toMatchObject({ replayed: true, results: [{ first: 2, last: 2 }] })
    expect(await textsOf(append)).toHaveLength(1)
    await hasty.close()
  })

  verifies('J35', 'again and again, under many commits at once, leaves one effect of each', async () => {
    const t = store.in('a')
    const journals = await Promise.all([1, 2, 3, 4].map(() => beginJournal(t)))
    let cutting = true
    const cutter = (async () => {
      for (let cut = 0; cut < 40 && cutting; cut++) {
        proxy.shut()
        proxy.open()
        await new Promise(resolve => setTimeout(resolve, 40))
      }
    })()
    const insist = async (append: Append, key: string): Promise<void> => {
      for (;;) {
        const outcome = await t.commit([append], { key }).catch((error: unknown) => error)
        if (!(outcome instanceof Error)) return
        expect(outcome).toMatchObject({ category: 'unavailable' })
      }
    }
    await Promise.all(
      journals.map(async (journal, place) => {
        for (let n = 0; n < 25; n++) {
          // Every third one goes by a transaction of several statements.
          const append = journal.label(`${n}`)
          await insist(
            n % 3 === 0 ? { ...append, head: { ...append.head, set: { title: `${n}` } } } : append,
            `storm ${place} ${n}`,
          )
        }
      }),
    )
    cutting = false
    await cutter
    for (const { session } of journals) {
      const entries = await t.entries(session, { after: 1, limit: 1000 })
      expect(entries.map(entry => (entry.data as { text: string }).text)).toEqual(Array.from({ length: 25 }, (_, n) => `${n}`))
    }
  })

  it.skipIf(postgresBinaries() === undefined)(
    'to a server that is gone is store.unavailable, and the store recovers with it',
    async () => {
      const server = await startPostgres()
      const other = await postgresStore(server.config, { uncertainMs: 200 })
      try {
        const t = other.in('a')
        const journal = await beginJournal(t)
        const told = await Promise.all(Array.from({ length: 50 }, (_, n) => t.commit([journal.label(`${n}`)])))
        await server.kill()
        await expect(t.commit([journal.say('lost')])).rejects.toMatchObject({ category: 'unavailable', retryable: true })
        await expect(t.session(journal.session)).rejects.toMatchObject({ code: 'store.unavailable', retryable: true })
        await expect(other.ping()).rejects.toMatchObject({ code: 'store.unavailable' })
        await server.restart()
        const again = await t.acquire(journal.session, 'writer', 60_000)
        expect(again.token).toBe(1)
        await t.commit([journal.label('back')])
        expect(await t.entries(journal.session)).toHaveLength(2 + told.length)
      } finally {
        await other.close()
        await server.stop()
      }
    },
  )
})
