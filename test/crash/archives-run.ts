import { parseArgs } from 'node:util'
import { postgresBinaries } from '../postgres/binaries.ts'
import { startPostgres } from '../postgres/server.ts'
import { ArchivesCampaign } from './archives-campaign.ts'
import { type Place, postgresPlace, sqlitePlace } from './place.ts'

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'all' },
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const seed = Number(values.seed)
const kills = Number(values.kills)
const stores = values.store === 'all' ? ['sqlite', 'postgres'] : [values.store]
if (![seed, kills].every(Number.isSafeInteger) || !stores.every(store => ['sqlite', 'postgres'].includes(store))) {
  console.error(
    'usage: node --conditions=skein-source test/crash/archives-run.ts [--store sqlite|postgres|all] [--kills N] [--seed N]',
  )
  process.exit(2)
}

/** Kills processes of one store while they seal, summarize and merge. True if nothing was broken. */
async function ordeal(store: string, makePlace: () => Promise<Place> | Place): Promise<boolean> {
  const campaign = new ArchivesCampaign(makePlace, seed)
  try {
    for (let done = 0; done < kills; done += 100) {
      await campaign.kill(Math.min(100, kills - done))
      console.error(`${store}: so far ${campaign.summary.kills} kills`)
    }
  } finally {
    await campaign.finish()
  }
  const { violations, messages, archives } = campaign.summary
  console.log(
    `${store}: ${campaign.summary.kills} kills, ${messages} messages and ${archives} archives acknowledged, seed ${seed}`,
  )
  for (const violation of violations.slice(0, 50)) console.log(`  ${violation}`)
  return violations.length === 0
}

let whole = true
if (stores.includes('sqlite')) whole = (await ordeal('sqlite', sqlitePlace)) && whole
if (stores.includes('postgres')) {
  if (postgresBinaries() === undefined) {
    console.error('There is no Postgres here: npm install, or put one on the PATH.')
    process.exit(1)
  }
  const server = await startPostgres()
  try {
    whole = (await ordeal('postgres', () => postgresPlace(server.config))) && whole
  } finally {
    await server.stop()
  }
}
process.exit(whole ? 0 : 1)
