import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '#kernel'
import { openSkein } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { verifies } from '#verifies'
import { afterAll, describe, expect } from 'vitest'
import { Crew } from './crew.ts'
import { type MapTask, squaring } from './map-worker.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-map-'))
const crew = new Crew<MapTask>('map-worker.ts')
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const count = 40
const minute = 60_000

describe('a map whose process is killed', () => {
  verifies('C87', 'runs no done item again when it is resumed, and yields each index once', async () => {
    const file = join(folder, 'store.db')
    const logs: number[][] = []
    const doneBefore: number[][] = []
    let now = 1_700_000_000_000
    const look = async () => {
      const store = await sqliteStore(file, { clock: manualClock(now), search: 'off' })
      const { items } = await store.in('default').records('map', { limit: 1_000 })
      await store.close()
      const done = items.filter(({ value }) => (value as { state?: string }).state === 'done')
      return {
        map: items.find(({ key }) => !key.includes('/'))?.key,
        done: done.map(({ value }) => (value as { index: number }).index),
      }
    }
    for (const killAt of [80, 110]) {
      const log = join(folder, `asked-${killAt}`)
      const before = logs.length === 0 ? { map: undefined, done: [] } : await look()
      doneBefore.push(before.done)
      const child = await crew.next()
      child.begin({ file, log, now, count, killAt, ...(before.map === undefined ? {} : { map: before.map }) })
      expect(await child.ended).toBe('SIGKILL')
      logs.push(readFileSync(log, 'utf8').trim().split('\n').map(Number))
      // The dead one's leases have lapsed by then.
      now += minute
    }
    const { map, done } = await look()
    doneBefore.push(done)
    const clock = manualClock(now)
    const store = await sqliteStore(file, { clock, search: 'off' })
    const skein = await openSkein({ store, clock, worker: false })
    const asked: number[] = []
    const resumed = skein.operators.resume(map ?? '', { model: squaring(n => void asked.push(n)) })
    const results = await all(resumed)
    logs.push(asked)

    expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n))
    expect(results.map(({ output, index }) => (output as { square: number }).square === index ** 2)).not.toContain(false)
    expect(await resumed.result()).toEqual({ map, total: count, succeeded: count, failed: 0 })
    for (const [generation, log] of logs.entries()) {
      expect(log.filter(n => doneBefore[generation]?.includes(n))).toEqual([])
      expect(new Set(log).size).toBe(log.length)
    }
    // The kills were in the midst: some items were done, some were asked for in vain, some were left.
    expect(doneBefore[1]?.length).toBeGreaterThan(0)
    expect(done.length).toBeGreaterThan(doneBefore[1]?.length ?? 0)
    expect(asked.length).toBe(count - done.length)
    expect(asked.length).toBeGreaterThan(0)
    await skein.close()
    await store.close()
  })
})
