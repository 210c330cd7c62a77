import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { newId } from '#kernel'
import { type Append, type SessionRow, stowParts, type Store } from '#journal'
import { postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
import { describePostgres, freshDatabase } from './fresh-database.ts'
import { beginJournal } from './journal.ts'

describePostgres('an append', () => {
  let store: Store
  beforeAll(async () => {
    store = await postgresStore(await freshDatabase())
  })
  afterAll(() => store.close())

  const cost = async (work: () => Promise<unknown>): Promise<{ roundTrips: number; transactions: number; full: number }> => {
    const before = store.stats()
    await work()
    const after = store.stats()
    return {
      roundTrips: after.roundTrips - before.roundTrips,
      transactions: after.transactions - before.transactions,
      full: after.fullTransactions - before.fullTransactions,
    }
  }
  const once = { roundTrips: 1, transactions: 1, full: 1 }

  verifies('J20', 'is one transaction and one round trip: plain, keyed, taking its lease, with blobs', async () => {
    const t = store.in('a')
    const journal = await beginJournal(t)
    const { session } = journal
    expect(await cost(() => t.commit([journal.say('one')]))).toEqual(once)
    expect(await cost(() => t.commit([journal.say('two', 'three')], { key: 'key', digest: 'd', memo: 1 }))).toEqual(once)
    expect(await cost(() => t.commit([journal.label('aside')]))).toEqual(once)
    const { fence: _fence, ...append } = journal.say('four')
    expect(
      await cost(() =>
        t.commit([
          { type: 'acquire', session, owner: 'writer', leaseMs: 1_000 },
          { ...append, fence: { of: 0 } },
        ]),
      ),
    ).toEqual(once)
    const { blobs } = stowParts([{ type: 'text', text: randomBytes(8_192).toString('hex') }])
    const large: Append = { ...journal.say('five'), blobs, blobRefs: blobs.map(blob => blob.id) }
    expect(await cost(() => t.commit([large]))).toEqual(once)
    expect(await t.entries(session)).toHaveLength(7)
    expect(await t.hasBlob(session, blobs[0]?.id ?? 'blb_')).toBe(true)
  })

  it('that many begin at once reads all their sessions in one statement, whoever reads', async () => {
    const journals = await Promise.all(Array.from({ length: 20 }, () => beginJournal(store.in('a'))))
    const unknown = newId('ses')
    const ids = [...journals.map(({ session }) => session), unknown, journals[0]?.session ?? unknown]
    let rows: (SessionRow | undefined)[] = []
    const spent = await cost(async () => (rows = await Promise.all(ids.map(id => store.in('a').session(id)))))
    expect(spent.roundTrips).toBe(1)
    expect(rows.map(row => row?.id)).toEqual(ids.map(id => (id === unknown ? undefined : id)))
    expect(rows.at(-1)).not.toBe(rows[0])
    expect(await Promise.all(ids.map(id => store.in('b').session(id)))).toEqual(ids.map(() => undefined))
  })

  it('that waits for one to its session stands after it, however many are under way', async () => {
    const t = store.in('a')
    const journals = await Promise.all(Array.from({ length: 8 }, () => beginJournal(t)))
    const marks = Array.from({ length: 12 }, (_, n) => `${n}`)
    const commits: Promise<unknown>[] = []
    for (const mark of marks) {
      for (const journal of journals) commits.push(t.commit([journal.say(mark)]))
      // Some of them begin while earlier ones are on their way.
      await new Promise(resolve => setImmediate(resolve))
    }
    await Promise.all(commits)
    for (const { session } of journals) {
      const said = (await t.entries(session)).slice(1).map(entry => JSON.stringify(entry.data))
      expect(said).toHaveLength(marks.length)
      for (const [n, text] of said.entries()) expect(text).toContain(`"${marks[n]}"`)
    }
  })

  verifies('J22', 'that is relaxed takes one round trip, too, and waits for no disk', async () => {
    const t = store.in('a')
    const journal = await beginJournal(t)
    expect(await cost(() => t.commit([journal.say('soon')], { durability: 'relaxed' }))).toEqual({ ...once, full: 0 })
    expect(await t.commit([journal.say('soon')], { durability: 'relaxed' })).toMatchObject({ durability: 'relaxed' })
    const both = [t.commit([journal.say('soon')], { durability: 'relaxed' }), t.commit([journal.label('now')])]
    expect((await Promise.all(both)).map(({ durability }) => durability)).toEqual(['full', 'full'])
  })

  it('that waits with others is one statement for all, and a refused one fails alone', async () => {
    const t = store.in('a')
    const journals = await Promise.all(Array.from({ length: 20 }, () => beginJournal(t)))
    let commits: Promise<unknown>[] = []
    expect(
      await cost(() =>
        Promise.all((commits = journals.flatMap(journal => [t.commit([journal.say('x')]), t.commit([journal.say('y', 'z')])]))),
      ),
    ).toEqual(once)
    expect(await Promise.all(commits)).toMatchObject(
      journals.flatMap(() => [{ results: [{ first: 2, last: 2 }] }, { results: [{ first: 3, last: 4 }] }]),
    )
    const wrong = journals.map((journal, n) =>
      t.commit([{ ...journal.say('late'), ...(n === 7 ? { expectLeaf: newId('ent') } : {}) }]),
    )
    const outcomes = await Promise.allSettled(wrong)
    expect(outcomes.flatMap((outcome, n) => (outcome.status === 'rejected' ? [n] : []))).toEqual([7])
    expect(outcomes[7]).toMatchObject({ reason: { code: 'store.conflict', details: { change: 0 } } })
    expect((await store.check()).findings).toEqual([])
  })

  it('in one group with others to its session answers as if it had come alone', async () => {
    const t = store.in('a')
    const journal = await beginJournal(t)
    const add = (requests: number): Append => {
      const append = journal.say(`${requests}`)
      return { ...append, head: { ...append.head, add: { requests } } }
    }
    const appends = [add(1), add(2), add(4)]
    const committed = await Promise.all(appends.map((append, n) => t.commit([append], { key: `group ${n}` })))
    expect(committed).toMatchObject(
      [1, 3, 7].map((requests, n) => ({
        results: [{ first: n + 2, leafId: appends[n]?.head?.setsLeaf, counters: { requests } }],
      })),
    )
    for (const [n, append] of appends.entries())
      expect(await t.commit([append], { key: `group ${n}` })).toEqual({ ...committed[n], replayed: true })
  })
})
