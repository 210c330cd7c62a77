import { describe, it } from 'vitest'
import { manualClock } from '#kernel'
import { postgresStore } from '#stores/postgres'
import { storeContract } from '#testing'
import { describePostgres, freshDatabase } from './fresh-database.ts'

describePostgres('Postgres', async () => {
  const database = await freshDatabase()
  const databaseClock = manualClock()
  storeContract(
    'postgres',
    async () => {
      const store = await postgresStore(database, { databaseClock })
      return {
        store,
        advance: ms => void databaseClock.advance(ms),
        another: () => postgresStore(database, { databaseClock }),
        close: () => store.close(),
      }
    },
    { describe, it },
  )
})
