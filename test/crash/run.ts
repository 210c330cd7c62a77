import { parseArgs } from 'node:util'
import { postgresBinaries } from '../postgres/binaries.ts'
import { startPostgres } from '../postgres/server.ts'
import { Campaign, tell } from './campaign.ts'
import { type Place, postgresPlace, sqlitePlace } from './place.ts'

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'all' },
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    points: { type: 'string', default: 'all' },
  },
})
const seed = Number(values.seed)
const kills = Number(values.kills)
const points = values.points === 'all' ? 'all' : Number(values.points)
const stores = values.store === 'all' ? ['sqlite', 'postgres'] : [values.store]
if (![seed, kills].every(Number.isSafeInteger) || !stores.every(store => ['sqlite', 'postgres'].includes(store))) {
  console.error('usage: npm run crash -- [--store sqlite|postgres|all] [--kills N] [--points all|N] [--seed N]')
  process.exit(2)
}

/** Random kills between two lines that say how far it is, so that one that is stopped has said something, too. */
const stretch = 100
const seconds = (began: number): number => Math.round((performance.now() - began) / 1_000)

/** Kills writers of one store at every point, then `kills` times at random. True if nothing was broken. */
async function ordeal(store: string, makePlace: () => Promise<Place> | Place): Promise<boolean> {
  const campaign = new Campaign(makePlace, seed)
  const began = performance.now()
  try {
    await campaign.systematically(points)
    console.error(`${store}: points done, ${tell(campaign.summary)}`)
    for (let done = 0; done < kills; done += stretch) {
      await campaign.randomly(Math.min(stretch, kills - done))
      console.error(`${store}: so far ${tell(campaign.summary)}, ${seconds(began)} s`)
    }
  } finally {
    await campaign.finish()
  }
  const { summary } = campaign
  console.log(`${store}: ${tell(summary)}, seed ${seed}, ${seconds(began)} s`)
  for (const { breach, message, where } of summary.violations.slice(0, 50)) console.log(`  ${breach}: ${message} (${where})`)
  if (summary.violations.length === 0) return true
  console.log(`  again: npm run crash -- --store ${store} --kills ${kills} --points ${points} --seed ${seed}`)
  return false
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
