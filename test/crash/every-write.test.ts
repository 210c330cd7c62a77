import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '#journal'
import { manualClock, manualTimers } from '#kernel'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { afterAll, describe, expect, inject } from 'vitest'
import { describePostgres } from '../postgres/fresh-database.ts'
import type { DatabaseConfig } from '../postgres/server.ts'
import { type Death, deathAt, dyingStore } from './dying-store.ts'
import { openAt, type Place, postgresPlace, sqlitePlace } from './place.ts'
import { type Entered, expectCarriedOn, gearOf, sayYes, transcriptOf } from './run-story.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-every-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Stage {
  readonly store: Store
  readonly clock: ReturnType<typeof manualClock>
}

const alias = 'story'

/** The story until its process dies; the whole of it if it doesn't. Each has a tenant of its own. */
async function tell({ store, clock }: Stage, tenant: string, cwd: string, death: Death, entered: Entered[]): Promise<string[]> {
  // Of a process that is dead no timer rings, either.
  const skein = await openSkein({ store: dyingStore(store, death), clock, worker: false, timers: manualTimers() })
  const session = await skein.in(tenant).sessions.create({ id: alias, cwd, ...gearOf(cwd, one => void entered.push(one)) })
  death.armed = true
  const stop = sayYes(session)
  const run = session.send('go')
  const died = new Promise<undefined>(resolve => {
    const look = setInterval(() => {
      if (!death.dead) return
      clearInterval(look)
      // What it was about to do before it heard nothing more is done.
      setImmediate(() => resolve(undefined))
    }, 1)
  })
  const result = await Promise.race([died, run.result()])
  stop()
  if (result === undefined) return []
  expect(result).toMatchObject({ status: 'done', text: 'Done.' })
  const told = transcriptOf(await session.conversation())
  return told
}

async function everyWrite(place: Place, hows: readonly Death['how'][]): Promise<void> {
  const clock = manualClock(1_795_000_000_000)
  const store = await openAt(place.address, clock)
  try {
    const whole = deathAt(0, 'answered')
    const stage = { store, clock }
    const rehearsed = await tell(stage, 'rehearsal', mkdtempSync(join(folder, 'r-')), whole, [])
    expect(whole.commits).toBeGreaterThan(20)
    let interrupted = 0
    for (const how of hows)
      for (let at = 1; at <= whole.commits; at++) {
        const tenant = `${how}-${at}`
        const cwd = mkdtempSync(join(folder, 'w-'))
        const entered: Entered[] = []
        const told = await tell(stage, tenant, cwd, deathAt(at, how), entered)
        if (told.length > 0) continue
        clock.advance(60_000)
        const skein = await openSkein({ store, clock, worker: false })
        try {
          const tenants = skein.in(tenant)
          const session = await tenants.sessions.open(
            alias,
            gearOf(cwd, one => void entered.push(one)),
          )
          const stop = sayYes(session)
          const { run } = await session.recover({ apply: true, approvals: 'deny' })
          if (run !== null) expect([tenant, (await run.result()).status]).toEqual([tenant, 'done'])
          stop()
          await expectCarriedOn(tenants, session, rehearsed, entered, cwd)
          if (transcriptOf(await session.conversation()).some(line => line.endsWith('interrupted'))) interrupted++
        } catch (error) {
          throw new Error(`Died with commit ${at} of ${whole.commits}, ${how}.`, { cause: error })
        } finally {
          await skein.close()
        }
      }
    // Some died in the midst of what may be done once only.
    expect(interrupted).toBeGreaterThan(2)
    expect((await store.check({ deep: true })).findings).toEqual([])
  } finally {
    await store.close()
    await place.remove()
  }
}

describe('a run that dies with any of its writes (sqlite)', () => {
  verifies('A33 A34 A35 A43 A56', 'is carried on to the same end, and does nothing twice that may be done once', () =>
    everyWrite(sqlitePlace(), ['applied', 'answered']),
  )
})

describePostgres('a run that dies with any of its writes (postgres)', () => {
  verifies('A33 A34 A35 A43 A56', 'is carried on to the same end, and does nothing twice that may be done once', async () =>
    everyWrite(await postgresPlace(inject('postgres') as DatabaseConfig), ['answered']),
  )
})
