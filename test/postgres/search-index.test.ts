import { afterEach, expect, it } from 'vitest'
import { memoryStore, type SearchQuery, type Store } from '#journal'
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
  const store = await postgresStore(database, { listen: false, ...options })
  opened.push(store)
  return store
}

/** Waits until the index has read everything; a hang is the test's timeout. */
async function indexed(database: DatabaseConfig): Promise<void> {
  for (;;) {
    const [row] = await sql(database, 'SELECT count(*)::int AS behind FROM skein.sessions WHERE unindexed')
    if (row?.['behind'] === 0) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const texts = [
  'the quick brown fox jumps over the lazy dog',
  'a lazy afternoon, quick thinking',
  '私は東京に住む',
  '東の京都',
  'foo-bar baz_qux',
  'ＦＯＯ bar',
  `${'long'.repeat(200)} tail`,
  `${'long'.repeat(200)}er tail`,
  'quotes "and" \\ back : & | ! ( ) * slashes',
  'naïve café',
]
const queries: readonly SearchQuery[] = [
  { query: 'quick' },
  { query: 'quick lazy' },
  { query: 'quick afternoon', match: 'any' },
  { query: '"lazy dog"' },
  { query: '"dog lazy"' },
  { query: 'qui*' },
  { query: 'quick -fox' },
  { query: 'lazy -"lazy dog"' },
  { query: '東京' },
  { query: '京' },
  { query: 'foo-bar' },
  { query: 'long'.repeat(200) },
  { query: `${'long'.repeat(200)}*` },
  { query: `tail -${'long'.repeat(200)}` },
  { query: 'slashes quotes' },
  { query: "'" },
  { query: '-' },
  { query: 'CAFÉ' },
  { query: 'lazy', roles: ['assistant'] },
]

describePostgres('the search index', () => {
  verifies('J45', 'finds what a scan finds, whether it has read the entries or not', async () => {
    const database = await freshDatabase()
    const stopped = await node(database, { indexes: false })
    const memory = memoryStore()
    const found = async (store: Store, query: SearchQuery): Promise<string[]> =>
      (await store.in('a').search({ ...query, limit: 100 })).hits.map(hit => hit.entry).sort()
    const journal = await beginJournal(stopped.in('a'))
    const copy = await beginJournal(memory.in('a'))
    for (const text of texts) {
      const append = journal.say(text)
      await stopped.in('a').commit([append])
      await memory.in('a').commit([{ ...append, session: copy.session, fence: copy.fence }])
    }
    for (const query of queries) expect([query, await found(stopped, query)]).toEqual([query, await found(memory, query)])
    expect(await found(stopped, { query: 'quick' })).toHaveLength(2)
    await node(database)
    await indexed(database)
    expect(await sql(database, 'SELECT count(*)::int AS rows FROM skein.search')).toEqual([{ rows: texts.length }])
    for (const query of queries) expect([query, await found(stopped, query)]).toEqual([query, await found(memory, query)])
  })

  verifies('J46', 'may stop: what was acknowledged is found, a long lag is said, and a node that starts catches up', async () => {
    const database = await freshDatabase()
    const stopped = await node(database, { indexes: false })
    const t = stopped.in('a')
    const journal = await beginJournal(t)
    await t.commit([journal.say('needle one')])
    expect((await t.search({ query: 'needle' })).hits).toHaveLength(1)
    expect((await t.search({ query: 'needle' })).behind).toBeUndefined()
    await t.commit([journal.say(...Array.from({ length: 600 }, (_, n) => `straw ${n}`))])
    expect((await t.search({ query: 'straw' })).behind).toMatchObject({ entries: 602 })

    await node(database)
    await indexed(database)
    const found = await t.search({ query: 'needle' })
    expect([found.hits.length, found.behind]).toEqual([1, undefined])
    expect((await t.search({ query: '"straw 599"' })).hits).toHaveLength(1)
  })

  verifies('J46', 'that is cut off in the middle is taken up again, each entry once', async () => {
    const database = await freshDatabase()
    const first = await node(database)
    const t = first.in('a')
    const journal = await beginJournal(t)
    for (let n = 0; n < 5; n++) await t.commit([journal.say(...Array.from({ length: 90 }, (_, m) => `word ${n * 90 + m}`))])
    // Closing waits for the batch under way and leaves the rest, as a kill would.
    await first.close()
    const others = [await node(database), await node(database)]
    await indexed(database)
    expect(await sql(database, 'SELECT count(*)::int AS rows, max(seq)::int AS last FROM skein.search')).toEqual([
      { rows: 450, last: 451 },
    ])
    for (const other of others) expect((await other.in('a').search({ query: '"word 449"' })).hits).toHaveLength(1)
  })

  verifies('J47', 'keeps nothing of what was erased, also when it was reading it', async () => {
    const database = await freshDatabase()
    const store = await node(database)
    const t = store.in('a')
    const [kept, gone] = [await beginJournal(t), await beginJournal(t)]
    for (let n = 0; n < 20; n++) {
      await t.commit([kept.say(`secret ${n}`)])
      await t.commit([gone.say(`secret gone ${n}`)])
      await t.commit([{ type: 'erase_entries', session: kept.session, seqs: [n + 2] }])
      expect((await t.search({ query: 'secret -gone' })).hits).toEqual([])
    }
    await t.commit([{ type: 'erase_session', session: gone.session }])
    expect((await t.search({ query: 'secret' })).hits).toEqual([])
    await indexed(database)
    expect(await sql(database, 'SELECT session, seq FROM skein.search')).toEqual([])
    expect((await store.check({ deep: true })).findings).toEqual([])
  })

  it('passes over an entry with more words than a row holds, and finds it all the same', async () => {
    const database = await freshDatabase()
    const store = await node(database)
    const t = store.in('a')
    const journal = await beginJournal(t)
    const append = journal.say('start')
    const parts = Array.from({ length: 8 }, (_, n) => ({
      type: 'text',
      text: Array.from({ length: 9_000 }, (_x, m) => `w${n}x${m}`).join(' '),
    }))
    const entries = append.entries.map(entry => ({ ...entry, data: { role: 'user', parts } }))
    await t.commit([{ ...append, entries }])
    await indexed(database)
    expect(await sql(database, 'SELECT words IS NULL AS unsplit FROM skein.search')).toEqual([{ unsplit: true }])
    expect((await t.search({ query: 'w3x77' })).hits).toHaveLength(1)
    expect((await t.search({ query: 'w9x77' })).hits).toHaveLength(0)
  })
})
