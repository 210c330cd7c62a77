import { type Clock, systemClock } from '#kernel'
import { openSkein, type Skein } from '#skein'
import { verifies } from '#verifies'
import { afterAll, describe, expect, inject } from 'vitest'
import { describePostgres } from '../postgres/fresh-database.ts'
import type { DatabaseConfig } from '../postgres/server.ts'
import { Crew, type Writer } from './crew.ts'
import type { Hanging, HangingTask } from './hanging-worker.ts'
import { openAt, type Place, postgresPlace, sqlitePlace } from './place.ts'

const crew = new Crew<HangingTask>('hanging-worker.ts')
afterAll(() => crew.close())

interface Open {
  readonly skein: Skein
  readonly place: Place
  close(): Promise<void>
}

async function opened(place: Place, clock: Clock): Promise<Open> {
  const store = await openAt(place.address, clock)
  const skein = await openSkein({ store, clock, worker: false })
  return {
    skein,
    place,
    close: async () => {
      await skein.close()
      await store.close()
    },
  }
}

/** A process of its own, in the midst of an answer. */
async function hanging({ address }: Place, session: string | null = null): Promise<Hanging & { readonly writer: Writer }> {
  const writer = (await crew.next()) as unknown as Writer<HangingTask>
  writer.begin({ address, session })
  return { ...(JSON.parse((await writer.opened) ?? '') as Hanging), writer: writer as unknown as Writer }
}

async function endingOf({ sessions }: Skein, id: string): Promise<unknown> {
  const [ended] = await (await sessions.open(id)).entries({ types: ['run_ended'] })
  return ended?.data
}

function tests(makePlace: () => Place | Promise<Place>): void {
  verifies('A19 A56', 'of a process that lives ends there, and so does its child in a third one', async () => {
    const place = await makePlace()
    const here = await opened(place, systemClock)
    try {
      const parent = await hanging(place)
      const child = await hanging(place, parent.child)
      expect(await (await here.skein.sessions.open(parent.session)).cancel()).toEqual({ cancelled: true })
      expect(await parent.writer.ended).toBe(0)
      expect(await child.writer.ended).toBe(0)
      expect(await endingOf(here.skein, parent.session)).toMatchObject({ status: 'cancelled', reason: 'user_cancelled' })
      expect(await endingOf(here.skein, child.session)).toMatchObject({ status: 'cancelled', reason: 'parent_cancelled' })
    } finally {
      await here.close()
      await place.remove()
    }
  })

  verifies('A33 A37', 'of a process that was killed is ended as it was asked by whoever recovers it', async () => {
    const place = await makePlace()
    const here = await opened(place, systemClock)
    const { session, writer } = await hanging(place)
    writer.kill()
    await writer.ended
    // A lease of the dead is not over yet, so this waits, as a command would that is given up.
    const asked = (await here.skein.sessions.open(session)).abort()
    const store = await openAt(place.address, systemClock)
    try {
      const row = async () => JSON.stringify((await store.in('default').record('run', session))?.value)
      await expect.poll(row).toContain('abort')
      const late = await opened(place, { now: () => systemClock.now() + 60_000 })
      try {
        expect(await late.skein.sessions.recover()).toMatchObject([{ session, recovery: { plan: null, run: null } }])
        expect(await endingOf(late.skein, session)).toMatchObject({ status: 'cancelled', reason: 'aborted' })
      } finally {
        await late.close()
      }
      expect(await asked).toEqual({ cancelled: true })
    } finally {
      await store.close()
      await here.close()
      await place.remove()
    }
  })
}

describe('a run that another process ends (sqlite)', () => tests(sqlitePlace))
describePostgres('a run that another process ends (postgres)', () =>
  tests(() => postgresPlace(inject('postgres') as DatabaseConfig)),
)
