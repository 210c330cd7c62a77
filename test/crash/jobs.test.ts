import { setTimeout as sleep } from 'node:timers/promises'
import { createIds, seededRandom } from '#kernel'
import type { JobRow, Store } from '#journal'
import { verifies } from '#verifies'
import { afterAll, afterEach, describe, expect, inject } from 'vitest'
import { describePostgres } from '../postgres/fresh-database.ts'
import { Crew, type Writer } from './crew.ts'
import { jobOf, type JobTask, numberOf, pacedClock, tenant } from './job-worker.ts'
import { openAt, type Place, postgresPlace, sqlitePlace } from './place.ts'

const crew = new Crew<JobTask>('job-worker.ts')
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})
afterAll(() => crew.close())

const jobs = 400
const keys = 40
const workers = 4
const kills = 10

/** A place, a handle on it, and children that work there. */
async function open(makePlace: () => Promise<Place> | Place) {
  const place = await makePlace()
  closers.push(() => place.remove())
  // A lease of 15 s lasts three quarters of one.
  const pace = { begin: Date.now(), speed: 20 }
  const store = await openAt(place.address, pacedClock(pace))
  closers.push(() => store.close())
  let seed = 0
  const send = async (act: JobTask['act']): Promise<Writer<JobTask>> => {
    const child = await crew.next()
    child.begin({ act, address: place.address, pace, seed: ++seed, stallEvery: 33 })
    await child.opened
    return child
  }
  return { store, send }
}

async function every(store: Store, states?: readonly JobRow['state'][]): Promise<JobRow[]> {
  const found: JobRow[] = []
  for (let before: JobRow['id'] | undefined; ;) {
    const page = await store.in(tenant).jobs({ limit: 200, ...(states && { states }), ...(before && { before }) })
    found.push(...page)
    if (page.length < 200) return found
    before = page.at(-1)?.id
  }
}

async function causesIn(store: Store): Promise<Map<string, unknown>> {
  const causes = new Map<string, unknown>()
  for (let cursor: string | undefined; ;) {
    const page = await store.in(tenant).records('cause', { limit: 1_000, ...(cursor === undefined ? {} : { cursor }) })
    for (const { key, value } of page.items) causes.set(key, value)
    if (page.next === undefined) return causes
    cursor = page.next
  }
}

function ordeals(makePlace: () => Promise<Place> | Place): void {
  verifies(
    'Q5',
    '400 jobs on 40 keys, workers that are killed and that stall: each is done once, in the order of its key',
    async () => {
      const { store, send } = await open(makePlace)
      const t = store.in(tenant)
      const ids = createIds()
      for (let from = 0; from < jobs; from += 100)
        await t.commit(Array.from({ length: 100 }, (_, n) => jobOf(ids('job'), from + n, keys)))
      const random = seededRandom(7)
      const going = await Promise.all(Array.from({ length: workers }, () => send('work')))
      for (let killed = 0; killed < kills; killed++) {
        const goal = Math.floor(((killed + 1) * jobs) / (kills + 2))
        while ((await every(store, ['done'])).length < goal) await sleep(10)
        const [victim] = going.splice(Math.floor(random.number() * going.length), 1)
        victim?.kill()
        expect(await victim?.ended).toBe('SIGKILL')
        going.push(await send('work'))
      }
      while ((await every(store, ['queued', 'running'])).length > 0) await sleep(20)
      for (const child of going) child.kill()
      await Promise.all(going.map(({ ended }) => ended))

      const all = await every(store)
      expect(all.map(({ state }) => state)).toEqual(all.map(() => 'done'))
      expect(all).toHaveLength(jobs)
      const { items: effects } = await t.records('effect', { limit: 1_000 })
      expect(effects.map(({ version }) => version)).toEqual(Array.from({ length: jobs }, () => 1))
      const { items: lines } = await t.records('line', { limit: 100 })
      const wanted = Array.from({ length: keys }, (_, key) => [
        `k${key}`,
        Array.from({ length: jobs / keys }, (_, n) => n * keys + key),
      ])
      expect(new Map(lines.map(({ key, value }) => [key, value]))).toEqual(new Map(wanted as [string, number[]][]))
      // The kills and stalls were felt: attempts were lost, and what they did meanwhile was refused.
      const lost = all.reduce((sum, { attempts }) => sum + attempts - 1, 0)
      expect(lost).toBeGreaterThanOrEqual(kills)
      expect(new Set(all.map(numberOf)).size).toBe(jobs)
    },
  )

  verifies('Q1', 'a job and its cause are both there or neither, whenever the process is killed', async () => {
    const { store, send } = await open(makePlace)
    let before = 0
    for (let generation = 0; generation < 8; generation++) {
      const child = await send('enqueue')
      await expect.poll(async () => (await every(store)).length).toBeGreaterThan(before + 2)
      await sleep(generation)
      child.kill()
      expect(await child.ended).toBe('SIGKILL')
      before = (await every(store)).length
    }
    // A server may still be at what a dead child had sent.
    const differing = async (): Promise<unknown[]> => {
      const causes = await causesIn(store)
      const enqueued = new Map((await every(store)).map(({ key, id }) => [key, id]))
      return [...causes, ...enqueued].filter(([cause, id]) => causes.get(cause) !== id || enqueued.get(cause) !== id)
    }
    await expect.poll(differing).toEqual([])
    expect((await causesIn(store)).size).toBeGreaterThan(16)
  })
}

describe('background work whose processes are killed (sqlite)', () => ordeals(sqlitePlace))
describePostgres('background work whose processes are killed (postgres)', () =>
  ordeals(() => postgresPlace(inject('postgres') as never)),
)
