import pg from 'pg'
import { afterAll, beforeAll, expect } from 'vitest'
import { newId } from '#kernel'
import type { Store } from '#journal'
import { postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
import { describePostgres, freshDatabase, sql } from './fresh-database.ts'
import { beginJournal, beginning } from './journal.ts'
import type { DatabaseConfig } from './server.ts'

/** The directory of tenants and what is known of the schema itself: rows of no tenant's session. */
const shared = new Set(['tenants', 'meta'])
const tables =
  /(FROM|JOIN|UPDATE|INTO)\s+skein\.(\w+)(?:\s+(?:AS\s+)?(?!SET\b|WHERE\b|SELECT\b|ORDER\b|ON\b|LEFT\b|JOIN\b|LIMIT\b)([a-z]))?/g

/** What of a statement could reach another tenant's rows: tables that are not bound to the one tenant. */
function unbound(text: string): string[] {
  const faults: string[] = []
  for (const [, verb, table = '', alias] of text.matchAll(tables)) {
    if (shared.has(table)) continue
    const bound =
      verb === 'INTO'
        ? /\(tenant,/.test(text) && /(SELECT (DISTINCT (ON \(n\.id\) )?)?|VALUES \()\$1/.test(text)
        : alias === undefined
          ? /\btenant = \$1/.test(text)
          : new RegExp(`\\b${alias}\\.tenant = (\\$1|\\w\\.tenant)|\\w\\.tenant = ${alias}\\.tenant`).test(text)
    if (!bound) faults.push(`${table}: ${text}`)
  }
  return faults
}

describePostgres('the tables', () => {
  let database: DatabaseConfig
  let store: Store
  const texts = new Set<string>()
  const { query } = pg.Client.prototype
  beforeAll(async () => {
    database = await freshDatabase()
    store = await postgresStore(database)
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      const [first] = args
      if (typeof first === 'object' && first !== null && 'text' in first) texts.add(String(first.text))
      return (query as (...given: unknown[]) => unknown).apply(this, args)
    } as typeof query
  })
  afterAll(async () => {
    pg.Client.prototype.query = query
    await store.close()
  })

  verifies('J38', 'have keys that start with the tenant, and no sequence, foreign key or trigger', async () => {
    const keys = await sql(
      database,
      `SELECT c.relname AS table, i.indisprimary AS primary, a.attname AS first FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
       WHERE c.relnamespace = 'skein'::regnamespace AND i.indisunique ORDER BY 1, 2`,
    )
    expect(keys.filter(key => key['first'] !== 'tenant')).toEqual([])
    const names = await sql(
      database,
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'skein'::regnamespace AND relkind = 'r' ORDER BY 1`,
    )
    expect(keys.filter(key => key['primary'] === true).map(key => key['table'])).toEqual(names.map(({ name }) => name))
    const sessions = ['entries', 'blob_refs', 'views', 'watermarks', 'search']
    const seconds = await sql(
      database,
      `SELECT table_name AS table, column_name AS second FROM information_schema.key_column_usage
       WHERE table_schema = 'skein' AND ordinal_position = 2 AND constraint_name LIKE '%_pkey'`,
    )
    for (const table of sessions) expect(seconds).toContainEqual({ table, second: 'session' })
    expect(
      await sql(database, `SELECT relname FROM pg_class WHERE relnamespace = 'skein'::regnamespace AND relkind = 'S'`),
    ).toEqual([])
    expect(
      await sql(
        database,
        `SELECT 1 FROM information_schema.table_constraints WHERE table_schema = 'skein' AND constraint_type = 'FOREIGN KEY'`,
      ),
    ).toEqual([])
  })

  verifies('J38', 'are read and written by statements of one tenant each', async () => {
    const t = store.in('a')
    const journal = await beginJournal(t)
    const { session } = journal
    const alias = { ...beginning().changes[0], alias: 'home' } as Parameters<typeof t.commit>[0][number]
    await Promise.all([t.commit([journal.say('hello there')]), store.in('b').commit(beginning().changes), t.commit([alias])])
    const to = newId('ses')
    const [create] = beginning(to).changes
    const job = newId('job')
    const bytes = Buffer.from('blob')
    const blob = { id: 'blb_0123456789abcdef0123456789abcdef', hash: '0', bytes } as const
    await t.commit([{ ...journal.say('keyed'), blobs: [blob], blobRefs: [blob.id] }], { key: 'k' })
    await t.commit(
      [
        ...(create === undefined ? [] : [create]),
        { type: 'copy_session', from: session, to, toSeq: 2 },
        { type: 'put_view', session, name: 'v', format: 1, seq: 1, data: 1 },
        { type: 'put_watermark', session, reader: 'r', seq: 1, expect: 0 },
        { type: 'put_archive', id: newId('arc'), session, fromSeq: 1, toSeq: 2, data: {}, expectVersion: 0 },
        { type: 'put_blob', blob: { ...blob, id: 'blb_1123456789abcdef0123456789abcdef' } },
        { type: 'put_route', key: 'r', value: 1, expectVersion: 0 },
        { type: 'put_record', collection: 'c', key: 'k', value: 1 },
        { type: 'put_memory', id: newId('mem'), version: 1, owner: 'o', text: 't', evidence: [], data: {} },
        { type: 'enqueue', job: { id: job, kind: 'k', key: 'k', payload: 1, maxAttempts: 1 }, uniqueKey: 'u' },
      ],
      { key: 'k2' },
    )
    const claimed = await store.claim({ k: 1 }, 'me', 1_000)
    await store.heartbeat({ id: job, tenant: 'a', fence: claimed?.fence ?? 0 }, 1_000)
    await t.commit([
      { type: 'complete', job, fence: claimed?.fence ?? 0 },
      { type: 'delete_record', collection: 'c', key: 'k' },
    ])
    await t.renew(await t.acquire(session, 'writer', 1_000), 1_000)
    await Promise.all([
      t.sessions({ query: 'x', sort: 'title' }),
      t.sessions(),
      t.entries(session),
      t.branch(session),
      t.branch(session, { types: ['x'] }),
      t.entry(session, newId('ent')),
      t.blobs([blob.id]),
      t.hasBlob(session, blob.id),
      t.view(session, 'v'),
      t.archives(session),
      t.archive('x'),
      t.route('r'),
      t.routes(),
      t.record('c', 'k'),
      t.records('c', { tag: 't' }),
      t.memory('m'),
      t.memories(),
      t.job(job),
      t.jobs(),
      t.watermark(session, 'r'),
      t.lagging('r'),
      t.search({ query: 'hello' }),
      t.search({ query: '"hello there"', session, roles: ['user'] }),
      t.replay('k'),
      t.session({ alias: 'home' }),
      store.tenants(),
      store.check(),
    ])
    await t.commit([{ type: 'erase_entries', session, seqs: [2] }])
    await t.commit([
      { type: 'erase_session', session },
      { type: 'erase_memory', id: 'm' },
    ])
    expect(texts.size).toBeGreaterThan(60)
    expect([...texts].flatMap(unbound)).toEqual([])
    const tenants = await sql(database, 'SELECT DISTINCT tenant FROM skein.sessions ORDER BY 1')
    expect(tenants).toEqual([{ tenant: 'a' }, { tenant: 'b' }])
  })
})
