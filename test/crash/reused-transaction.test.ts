import type { Change, CommitOptions, Committed, Store } from '#journal'
import { createIds } from '#kernel'
import { postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { postgresBinaries } from '../postgres/binaries.ts'
import { type CuttingProxy, cuttingProxy } from '../postgres/cutting-proxy.ts'
import { type DatabaseConfig, type PostgresServer, startPostgres } from '../postgres/server.ts'
import { beginJournal } from '../postgres/journal.ts'

// A server that crashes gives the ids of transactions that had not reached its disk to others. Their fate was once taken
// for that of the lost one, which was then acknowledged although it was gone.
describe.skipIf(postgresBinaries() === undefined)('a COMMIT that a crashing server never got', () => {
  let server: PostgresServer
  let database: DatabaseConfig
  let proxy: CuttingProxy
  let store: Store
  let rounds = 0
  beforeAll(async () => {
    server = await startPostgres({ settings: { wal_writer_delay: '10s', autovacuum: 'off' } })
    database = await server.freshDatabase()
    proxy = await cuttingProxy(database)
    store = await postgresStore(proxy.config, { indexes: false, listen: false, uncertainMs: 120_000 })
    await store.in('a').commit([{ type: 'put_record', collection: 'c', key: 'first', value: 1 }])
  })
  afterAll(async () => {
    await store.close()
    await proxy.close()
    await server.stop()
  })

  /** Commits; the COMMIT is cut off, the server crashes, and others use up the next ids before anybody asks again. */
  async function commitIntoCrash(
    changes: readonly Change[],
    options: CommitOptions = {},
  ): Promise<Committed | { code?: string }> {
    const cuts = proxy.cuts
    proxy.loseRequest('COMMIT')
    const answer = store.in('a').commit(changes, options)
    const settled = answer.catch((error: unknown) => error as { code?: string })
    while (proxy.cuts === cuts) await new Promise(resolve => setImmediate(resolve))
    proxy.shut()
    await server.kill()
    await server.restart()
    for (let n = 0; n < 8; n++) await server.query(`CREATE TABLE others_${++rounds} (a int)`, database)
    proxy.open()
    return await settled
  }

  verifies('J35', 'is store.uncertain where nothing tells whose the id is now, and nothing is there', async () => {
    const answer = await commitIntoCrash([{ type: 'put_record', collection: 'c', key: 'k', value: 'mine' }])
    const record = await store.in('a').record('c', 'k')
    // Should the id have reached the disk after all, it is known to have come to nothing, and the commit is carried out again.
    if ('code' in answer) expect([answer, record]).toMatchObject([{ code: 'store.uncertain', retryable: true }, undefined])
    else expect([answer, record]).toMatchObject([{ results: [{ version: 1 }] }, { version: 1 }])
  })

  verifies('J35', 'with a key, or an entry, is carried out again, once', async () => {
    const t = store.in('a')
    const record = { type: 'put_record', collection: 'c', key: 'keyed', value: 'mine', expectVersion: 0 } as const
    expect(await commitIntoCrash([record], { key: 'k1' })).toMatchObject({ replayed: false, results: [{ version: 1 }] })
    expect(await t.record('c', 'keyed')).toMatchObject({ version: 1 })
    expect(await t.commit([record], { key: 'k1' })).toMatchObject({ replayed: true })

    const journal = await beginJournal(t)
    const job = { id: createIds()('job'), kind: 'k', key: 'k', payload: null, maxAttempts: 1 }
    expect(await commitIntoCrash([journal.label('noted'), { type: 'enqueue', job }])).toMatchObject({ replayed: false })
    expect(await t.entries(journal.session)).toHaveLength(2)
    expect(await t.job(job.id)).toMatchObject({ state: 'queued' })
  })
})
