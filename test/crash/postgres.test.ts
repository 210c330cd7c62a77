import pg from 'pg'
import { verifies } from '#verifies'
import { describe, expect, inject } from 'vitest'
import { postgresBinaries } from '../postgres/binaries.ts'
import { describePostgres } from '../postgres/fresh-database.ts'
import { type DatabaseConfig, startPostgres } from '../postgres/server.ts'
import { Campaign } from './campaign.ts'
import { expectWhole } from './expect-whole.ts'
import { type Place, postgresPlace } from './place.ts'

const shared = (): Promise<Place> => postgresPlace(inject('postgres') as DatabaseConfig)

describePostgres('a Postgres store whose writers are killed', () => {
  verifies(
    'J5 J8 J13 J18 J28 J41 S1',
    'at every kind of write point keeps what was acknowledged, whole, once and in order',
    async () => {
      const campaign = new Campaign(shared, 1)
      await campaign.systematically(110).finally(() => campaign.finish())
      expectWhole(campaign.summary, 105)
    },
  )

  verifies(
    'J21 J25 J40 J46 S1',
    'at random moments, alone or beside another, keeps what was acknowledged, whole, once and in order',
    async () => {
      const campaign = new Campaign(shared, 2)
      await campaign.randomly(100).finally(() => campaign.finish())
      expectWhole(campaign.summary, 100)
    },
  )

  verifies('J35', 'loses and doubles nothing when its backends are terminated in the midst of commits', async () => {
    const campaign = new Campaign(shared, 3)
    let ended = 0
    await campaign
      .disturbed('terminated backends', async heard => {
        const { address } = campaign.place
        if (address.adapter !== 'postgres') return
        const onlooker = new pg.Client({ ...address.database, database: 'postgres' })
        await onlooker.connect()
        for (let round = 1; ended < 40; round++) {
          await heard(round * 2)
          const { rowCount } = await onlooker.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 ORDER BY state = 'idle', random() LIMIT 2`,
            [address.database.database],
          )
          ended += rowCount ?? 0
        }
        await onlooker.end()
      })
      .finally(() => campaign.finish())
    expect(campaign.summary.violations).toEqual([])
    expect(ended).toBeGreaterThanOrEqual(40)
  })
})

describe.skipIf(postgresBinaries() === undefined)('a Postgres server of its own', () => {
  verifies('J21 J35', 'loses and doubles nothing that was full when the server is stopped at once', async () => {
    const server = await startPostgres()
    const campaign = new Campaign(() => postgresPlace(server.config), 4)
    try {
      await campaign.disturbed(
        'server stopped at once',
        async heard => {
          for (let round = 1; round <= 6; round++) {
            await heard(round * 8)
            await server.kill()
            await server.restart()
          }
          await heard(60)
        },
        { power: true },
      )
    } finally {
      await campaign.finish()
      await server.stop()
    }
    expect(campaign.summary.violations).toEqual([])
  })
})
