import { verifies } from '#verifies'
import { describe, expect, inject } from 'vitest'
import { describePostgres } from '../postgres/fresh-database.ts'
import type { DatabaseConfig } from '../postgres/server.ts'
import { ArchivesCampaign } from './archives-campaign.ts'
import { type Place, postgresPlace, sqlitePlace } from './place.ts'

const patienceMs = 1_800_000
const kills = Number(process.env['SKEIN_ARCHIVE_KILLS'] ?? 200)

async function ordeal(makePlace: () => Promise<Place> | Place, seed: number): Promise<void> {
  const campaign = new ArchivesCampaign(makePlace, seed)
  const summary = await campaign
    .kill(kills)
    .finally(() => campaign.finish())
    .then(() => campaign.summary)
  expect(summary.violations).toEqual([])
  expect(summary.kills).toBeGreaterThanOrEqual(kills)
  expect(summary.messages).toBeGreaterThan(kills)
  expect(summary.archives).toBeGreaterThan(kills / 2)
}

describe('processes that die while they seal, summarize and merge, on SQLite', () => {
  verifies(
    'M10 M11 M15 M31',
    'lose no message, seal none twice, and leave sources or the parent',
    () => ordeal(sqlitePlace, 11),
    patienceMs,
  )
})

describePostgres('processes that die while they seal, summarize and merge, on Postgres', () => {
  verifies(
    'M10 M11 M15 M31',
    'lose no message, seal none twice, and leave sources or the parent',
    () => ordeal(() => postgresPlace(inject('postgres') as DatabaseConfig), 12),
    patienceMs,
  )
})
