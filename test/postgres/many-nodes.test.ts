import { afterEach, expect, it } from 'vitest'
import { newId } from '#kernel'
import type { Entry, Store } from '#journal'
import { type PostgresOptions, postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
import { describePostgres, freshDatabase, sql } from './fresh-database.ts'
import { beginJournal } from './journal.ts'
import type { DatabaseConfig } from './server.ts'

const opened: Store[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

async function node(database: DatabaseConfig, options: PostgresOptions = {}): Promise<Store> {
  const store = await postgresStore(database, { maxConnections: 4, ...options })
  opened.push(store)
  return store
}

describePostgres('several nodes on one database', () => {
  verifies('J39', 'five of them, starting at once on an empty one, make the schema once and all open', async () => {
    const database = await freshDatabase()
    const stores = await Promise.all([1, 2, 3, 4, 5].map(() => node(database)))
    const meta = await sql(database, 'SELECT tenant, name, value FROM skein.meta ORDER BY name')
    expect(meta).toEqual([
      { tenant: '_', name: 'application', value: 'skein' },
      { tenant: '_', name: 'format', value: '1' },
    ])
    const journal = await beginJournal((stores[0] as Store).in('a'))
    for (const store of stores) expect(await store.in('a').session(journal.session)).toMatchObject({ seq: 1 })
  })

  it('refuses a newer schema and one that is not ours, and changes neither', async () => {
    const newer = await freshDatabase()
    await (await postgresStore(newer)).close()
    await sql(newer, `UPDATE skein.meta SET value = '999' WHERE name = 'format'`)
    await expect(postgresStore(newer)).rejects.toMatchObject({ code: 'store.version', details: { format: 999 } })
    expect(await sql(newer, `SELECT value FROM skein.meta WHERE name = 'format'`)).toEqual([{ value: '999' }])

    const foreign = await freshDatabase()
    await sql(foreign, 'CREATE SCHEMA skein; CREATE TABLE skein.yarn (id int)')
    await expect(postgresStore(foreign)).rejects.toMatchObject({ code: 'store.foreign' })
    await sql(foreign, 'DROP TABLE skein.yarn; CREATE TABLE skein.meta (color text)')
    await expect(postgresStore(foreign)).rejects.toMatchObject({ code: 'store.foreign' })
    expect(await sql(foreign, `SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'skein'`)).toEqual([{ n: 1 }])
  })

  verifies('J36', 'no caller sees a deadlock or a serialization failure in 1,000 contended commits', async () => {
    const database = await freshDatabase()
    await sql(database, `ALTER DATABASE ${database.database} SET deadlock_timeout = '20ms'`)
    const nodes = await Promise.all([node(database), node(database)])
    const t = (nodes[0] as Store).in('a')
    const journals = await Promise.all([1, 2, 3, 4, 5].map(() => beginJournal(t)))
    const keys = ['r1', 'r2', 'r3']
    const commits = Array.from({ length: 1000 }, (_, n) => {
      const store = (nodes[n % 2] as Store).in('a')
      const pick = <T>(list: readonly T[], step: number): T => list[(n * 7 + step * 3) % list.length] as T
      const record = (step: number) => ({ type: 'put_record', collection: 'c', key: pick(keys, step), value: n }) as const
      if (n % 3 === 0) return store.commit([pick(journals, 0).label(`one ${n}`)])
      if (n % 3 === 1)
        return store.commit([record(1), pick(journals, 1).label(`many ${n}`), record(0), pick(journals, 0).label(`more ${n}`)])
      return store.commit([
        {
          type: 'enqueue',
          job: { id: newId('job'), kind: 'work', key: pick(keys, 0), payload: n, maxAttempts: 1 },
          uniqueKey: pick(keys, 1),
        },
        pick(journals, 2).label(`job ${n}`),
        record(2),
      ])
    })
    const outcomes = await Promise.allSettled(commits)
    expect(outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [String(outcome.reason)] : []))).toEqual([])
    const rows = await Promise.all(journals.map(({ session }) => t.session(session)))
    expect(rows.reduce((sum, row) => sum + (row?.seq ?? 0) - 1, 0)).toBe(1000 + 333)
    expect((await (nodes[1] as Store).check()).findings).toEqual([])
  })

  verifies('J37', 'watchers get what another node wrote, notified or not', async () => {
    const database = await freshDatabase()
    const writer = await node(database, { listen: false })
    const t = writer.in('a')
    const journal = await beginJournal(t)
    const reader = await node(database, { listen: false })
    const seen: Entry[] = []
    const watching = (async () => {
      for await (const entry of reader.in('a').watch(journal.session, 0)) {
        seen.push(entry)
        if (entry.seq === 11) return
      }
    })()
    for (let n = 0; n < 10; n++) await t.commit([journal.say(`entry ${n}`)])
    let over = false
    void watching.then(() => (over = true))
    // Two seconds of a machine that is busy, too: so many looks at the database, each 50 ms behind the one before.
    for (let look = 0; !over && look < 40; look++) {
      await new Promise(resolve => setTimeout(resolve, 50))
      await sql(database, 'SELECT 1')
    }
    expect(over).toBe(true)
    expect(seen.map(entry => entry.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('tells the other nodes by one notification for many commits', async () => {
    const database = await freshDatabase()
    const [writer, reader] = [await node(database), await node(database)]
    const t = writer.in('a')
    const journals = await Promise.all([1, 2, 3].map(() => beginJournal(t)))
    const ends = journals.map(async ({ session }) => {
      for await (const entry of reader.in('a').watch(session, 1)) if (entry.seq === 21) return entry.seq
      return 0
    })
    for (let n = 0; n < 20; n++) await Promise.all(journals.map(journal => t.commit([journal.label(`entry ${n}`)])))
    expect(await Promise.all(ends)).toEqual([21, 21, 21])
  })
})
