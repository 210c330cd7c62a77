import { expect } from 'vitest'
import { manualClock } from '#kernel'
import { keyLifeMs } from '#journal'
import { postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
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
      await expect.poll(left, { timeout: 10_000 }).toEqual([{ keys: ['new'], records: ['kept', 'later'] }])
    } finally {
      await store.close()
    }
  })
})
