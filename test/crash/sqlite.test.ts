import { verifies } from '#verifies'
import { describe } from 'vitest'
import { Campaign } from './campaign.ts'
import { expectWhole } from './expect-whole.ts'
import { sqlitePlace } from './place.ts'

describe('a SQLite store whose writers are killed', () => {
  verifies(
    'J5 J8 J13 J18 J28 J41 S1 S21',
    'at every kind of write point keeps what was acknowledged, whole, once and in order',
    async () => {
      const campaign = new Campaign(sqlitePlace, 1)
      await campaign.systematically(110).finally(() => campaign.finish())
      expectWhole(campaign.summary, 105)
    },
  )

  verifies(
    'J21 J25 J40 J46 S1 S21',
    'at random moments, alone or beside another, keeps what was acknowledged, whole, once and in order',
    async () => {
      const campaign = new Campaign(sqlitePlace, 2)
      await campaign.randomly(100).finally(() => campaign.finish())
      expectWhole(campaign.summary, 100)
    },
  )
})
