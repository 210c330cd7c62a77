import { expect } from 'vitest'
import { manualClock, newId } from '#kernel'
import { jobLifeMs, keyLifeMs } from '#journal'
import { postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
import { enqueueOf } from '../laws/job-room.ts'
import { describePostgres, freshDatabase, sql } from './fresh-database.ts'

describePostgres('sweeping', () => {
  verifies('J25', 'removes keys after seven days and records that have expired, and nothing else', async () => {
    const database = await freshDatabase()
    const databaseClock = manualClock()
    const store = await postgresStore(database, { databaseClock, sweepMs: 20, listen: false })
    try {
      const t = store.in('a')
      const put = (key: string, expiresAt?: number) =>
        ({ type: 'put_record', collection: 'c', key, value: 1, ...(expiresAt === undefined ? {} : { expiresAt }) }) as const
      await t.commit([put('kept'), put('later', databaseClock.now() + 2 * keyLifeMs), put('soon', databaseClock.now() + 1_000)], {
        key: 'old',
      })
      databaseClock.advance(keyLifeMs - 1)
      await t.commit([put('kept')], { key: 'new' })
      expect(await t.replay('old')).toBeDefined()
      databaseClock.advance(1)
      expect(await t.replay('old')).toBeUndefined()
      const left = (): Promise<unknown> =>
        sql(
          database,
          'SELECT (SELECT array_agg(key ORDER BY key) FROM skein.keys) AS keys, (SELECT array_agg(key ORDER BY key) FROM skein.records) AS records',
        )
      await expect.poll(left).toEqual([{ keys: ['new'], records: ['kept', 'later'] }])
    } finally {
      await store.close()
    }
  })

  verifies('Q16', 'removes jobs that ended seven days ago, and no other', async () => {
    const database = await freshDatabase()
    const databaseClock = manualClock()
    const store = await postgresStore(database, { databaseClock, sweepMs: 20, listen: false })
    try {
      const t = store.in('a')
      const [old, parked, recent] = [enqueueOf(), enqueueOf(), enqueueOf()]
      const end = async (job: ReturnType<typeof enqueueOf>, type: 'complete' | 'park'): Promise<void> => {
        await t.commit([job])
        const { id, fence } = (await store.claim({ work: 1 }, 'own_a', 1_000)) ?? { id: job.job.id, fence: 0 }
        await t.commit([{ type, job: id, fence, error: { code: 'x' } }])
      }
      await end(old, 'complete')
      await end(parked, 'park')
      await t.commit([{ type: 'put_memory', id: newId('mem'), version: 1, owner: 'ada', text: 'x', evidence: [], data: {} }])
      databaseClock.advance(jobLifeMs - 1)
      await end(recent, 'complete')
      const left = async (): Promise<unknown[]> => (await t.jobs()).map(({ id }) => id).sort()
      expect(await left()).toEqual([old, parked, recent].map(({ job }) => job.id).sort())
      databaseClock.advance(1)
      await expect.poll(left).toEqual([parked, recent].map(({ job }) => job.id).sort())
      expect(await t.memories()).toHaveLength(1)
    } finally {
      await store.close()
    }
  })
})
