import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isType, type Store } from '#journal'
import { isObject, manualClock } from '#kernel'
import { openSkein, type Skein } from '#skein'
import { verifies } from '#verifies'
import { afterAll, describe, expect, inject } from 'vitest'
import { describePostgres } from '../postgres/fresh-database.ts'
import type { DatabaseConfig } from '../postgres/server.ts'
import { Crew } from './crew.ts'
import { openAt, type Place, postgresPlace, sqlitePlace } from './place.ts'
import { chat, routerGateway, type RouterTask, script, shapeOf } from './router.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-router-'))
const crew = new Crew<RouterTask>('router.ts')
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

const now = 1_795_000_000_000
const linesOf = (log: string): string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [])

/** What must hold of routes and sessions at any time. */
async function proveRoutes(skein: Skein, store: Store): Promise<void> {
  expect((await store.check({ deep: true })).findings).toEqual([])
  const { items: routes } = await skein.gateway.list({ limit: 200 })
  expect(new Set(routes.map(({ sessionId }) => sessionId)).size).toBe(routes.length)
  const current = new Map(routes.map(route => [route.sessionId as string, route]))
  const tenant = store.in('default')
  const { items: sessions } = await tenant.sessions({ states: ['active', 'ended'], limit: 200 })
  for (const row of sessions) {
    const bonds = await tenant.entries(row.id, { types: ['route_bound', 'route_unbound'], order: 'desc', limit: 1 })
    const [last] = bonds
    const route = current.get(row.id)
    if (route !== undefined) {
      expect(row.state).toBe('active')
      expect(last !== undefined && isType(last, 'route_bound') && last.data).toMatchObject({
        key: route.key,
        generation: route.generation,
      })
      expect(isObject(row.data['route']) && row.data['route']['key']).toBe(route.key)
    } else {
      // It was left: told so, ended, and to be sealed.
      expect([last?.type, row.state, row.data['route']]).toEqual(['route_unbound', 'ended', undefined])
      expect((await tenant.jobs({ session: row.id, kind: 'session.commit' })).length).toBeGreaterThan(0)
    }
  }
  for (const route of routes) {
    expect(sessions.map(({ id }) => id)).toContain(route.sessionId)
    const { value } = (await tenant.record('gateway.legacy', route.legacyKey)) ?? {}
    expect(isObject(value) && value['keys']).toContain(route.key)
  }
}

function campaign(makePlace: () => Promise<Place> | Place, most: number): void {
  verifies('G20', 'leaves the old routes or the new at every write, and goes on from there', async () => {
    const run = async (place: Place, log: string, killAt?: number): Promise<string | number> => {
      const child = await crew.next()
      child.begin({ address: place.address, log, now, what: 'script', ...(killAt === undefined ? {} : { killAt }) })
      return await child.ended
    }
    const name = Math.random().toString(36).slice(2)
    const rehearsed = join(folder, `${name}-0`)
    const first = await makePlace()
    expect(await run(first, rehearsed)).toBe(0)
    await first.remove()
    const shapes = linesOf(rehearsed)
    const probes = Number(shapes.pop()?.split(': ')[1])
    expect(shapes).toHaveLength(script.length)
    expect(probes).toBeGreaterThan(40)
    const wanted = Math.min(probes, Number(process.env['SKEIN_CRASH_POINTS'] ?? most))
    const between = new Set<number>()
    let kills = 0
    for (let point = 1; point <= wanted; point++) {
      const killAt = Math.ceil((point * probes) / wanted)
      const place = await makePlace()
      const log = join(folder, `${name}-${killAt}`)
      // Its course varies a little: one that was to die at its very end may get there.
      if ((await run(place, log, killAt)) === 'SIGKILL') kills++
      await place.settled()
      const told = linesOf(log).filter(line => !line.startsWith('probes'))
      const done = told.length
      between.add(done)
      // Time has passed as far as the writer's last steps let it.
      const clock = manualClock(now + (done > 3 ? 6 * 60_000 : 0) + (done >= script.length - 1 ? 3 * 86_400_000 : 0))
      const store = await openAt(place.address, clock)
      const skein = await openSkein({ store, clock, worker: false, gateway: routerGateway })
      try {
        const shape = await shapeOf(skein)
        const stands = (at: number): string => shapes[at]?.replace(/^\w+: /, '') ?? ''
        const steps = [stands(done - 1), stands(done)]
        // A prune takes one route after the other.
        const isPruning = script[done]?.[0] === 'prune' && shape.split(', ').every(route => steps[0]?.includes(route))
        if (!isPruning) expect(steps, `killed at ${killAt}, after ${told.at(-1)}`).toContain(shape)
        await proveRoutes(skein, store)
        const { session } = await skein.gateway.resolve(chat)
        await session.record({ user: 'still', assistant: 'here' })
        await skein.gateway.resolve({ platform: 'signal', userId: '+1', userIdAlt: 'uuid' })
        await proveRoutes(skein, store)
      } finally {
        await skein.close()
        await store.close()
        await place.remove()
      }
    }
    // It died in many steps.
    expect(kills).toBeGreaterThan(wanted * 0.8)
    expect(between.size).toBeGreaterThan(Math.min(6, wanted / 3))
  })

  verifies('G19', 'gives one session and one route to a hundred messages of two processes', async () => {
    const place = await makePlace()
    const logs = ['a', 'b'].map(name => join(folder, `crowd-${name}-${Math.random()}`))
    const store = await openAt(place.address, manualClock(now))
    await store.close()
    const children = await Promise.all(logs.map(() => crew.next()))
    children.forEach((child, index) => child.begin({ address: place.address, log: logs[index] ?? '', now, what: 'crowd' }))
    expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([0, 0])
    const lines = logs.flatMap(linesOf)
    expect(lines).toHaveLength(100)
    expect(new Set(lines.map(line => line.split(' ')[0])).size).toBe(1)
    expect(lines.filter(line => line.endsWith(' true'))).toHaveLength(1)
    const clock = manualClock(now)
    const opened = await openAt(place.address, clock)
    const skein = await openSkein({ store: opened, clock, worker: false })
    expect((await skein.gateway.list()).items).toHaveLength(1)
    expect((await skein.sessions.list()).items).toHaveLength(1)
    await proveRoutes(skein, opened)
    await skein.close()
    await opened.close()
    await place.remove()
  })
}

describe('a gateway whose process is killed (sqlite)', () => campaign(sqlitePlace, 40))
describePostgres('a gateway whose process is killed (postgres)', () =>
  campaign(() => postgresPlace(inject('postgres') as DatabaseConfig), 15),
)
