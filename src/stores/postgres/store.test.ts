import { describe, it } from 'vitest'
import { manualClock } from '#kernel'
import { storeContract } from '../../journal/store.contract.ts'
import { describePostgres, freshDatabase } from '../../../test/postgres/fresh-database.ts'
import { postgresStore } from './index.ts'

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
