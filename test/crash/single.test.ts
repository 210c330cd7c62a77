import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifies } from '#verifies'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'
import { describePostgres } from '../postgres/fresh-database.ts'
import type { DatabaseConfig } from '../postgres/server.ts'
import { Crew } from './crew.ts'
import { readDiary, toldBy } from './diary.ts'
import { type Place, postgresPlace, sqlitePlace } from './place.ts'
import { openStage, timeOf } from './stage.ts'
import { tenant } from './deeds.ts'

/** Kills a writer at each probe of one full append. Says what they were called, and at which the append was there afterwards. */
function appending(makePlace: () => Promise<Place> | Place): { trace(): Promise<readonly (readonly [string, boolean])[]> } {
  let place: Place
  const crew = new Crew()
  const folder = mkdtempSync(join(tmpdir(), 'skein-diaries-'))
  beforeAll(async () => void (place = await makePlace()))
  afterAll(async () => {
    await crew.close()
    await place.remove()
    rmSync(folder, { recursive: true, force: true })
  })
  let count = 0
  const append = async (killAt?: number): Promise<{ there: boolean; names: readonly string[] }> => {
    const name = `s${++count}`
    const diary = join(folder, name)
    const now = timeOf(place.address, count)
    const writer = await crew.next()
    const orders = { name, inherited: [], common: undefined }
    writer.begin({
      address: place.address,
      diary,
      now,
      seed: 1,
      orders,
      mode: 'single',
      ...(killAt === undefined ? {} : { killAt }),
    })
    expect(await writer.ended).toBe(killAt === undefined ? 0 : 'SIGKILL')
    await place.settled()
    const lines = readDiary(diary)
    const note = toldBy(lines).find(({ deed }) => deed.verb === 'note')
    const stage = await openStage(place.address, now)
    try {
      const { deed } = note ?? {}
      const entries = deed?.verb === 'note' ? await stage.store.in(tenant).entries(deed.session) : []
      expect((await stage.store.check({ deep: true })).findings).toEqual([])
      return {
        there: entries.some(entry => entry.traceId === deed?.mark),
        names: lines.find(line => line.t === 'done')?.names ?? [],
      }
    } finally {
      await stage.close()
    }
  }
  return {
    async trace() {
      const whole = await append()
      expect(whole.there).toBe(true)
      const found: [string, boolean][] = []
      for (const [index, name] of whole.names.entries()) found.push([name, (await append(index + 1)).there])
      return found
    },
  }
}

describe('one append to SQLite', () => {
  const { trace } = appending(sqlitePlace)

  verifies('J20 J21', 'is one transaction: killed before its commit it is not there, after it it is', async () => {
    expect(await trace()).toEqual([
      ['begin:before', false],
      ['begin:after', false],
      ['putSession:before', false],
      ['putSession:after', false],
      ['addEntry:before', false],
      ['addEntry:after', false],
      ['commit:before', false],
      ['commit:after', true],
      ['published', true],
    ])
  })
})

describePostgres('one append to Postgres', () => {
  const { trace } = appending(() => postgresPlace(inject('postgres') as DatabaseConfig))

  verifies('J20 J21', 'is one round trip: killed before it it is not there, after it it is', async () => {
    const found = await trace()
    expect(found.map(([name, there]) => [name.split(' ')[0], there])).toEqual([
      ['before', false],
      ['after', true],
    ])
  })
})
