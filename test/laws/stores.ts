import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, manualClock } from '#kernel'
import { memoryStore, type Store } from '#journal'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { afterEach, describe } from 'vitest'
import { describePostgres, freshDatabase } from '../postgres/fresh-database.ts'

/** A store of one kind that can be opened again, as another process would. */
export interface Place {
  /** Another handle on the same data. */
  store(): Promise<Store>
  /** The face over a handle of its own; closed after the test. */
  open(options?: Omit<SkeinOptions, 'store'>): Promise<Skein>
  /** Whether data outlives the last handle. */
  readonly durable: boolean
  readonly clock: Clock & { set(at: number): void; advance(ms: number): number }
}

const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Runs a block of tests on the memory store, a fresh SQLite file and a fresh Postgres database. */
export function onEveryStore(name: string, tests: (place: () => Promise<Place>) => void): void {
  describe(`${name} (memory)`, () => tests(memoryPlace))
  describe(`${name} (sqlite)`, () => tests(sqlitePlace))
  describePostgres(`${name} (postgres)`, () => tests(postgresPlace))
}

function placeOf(durable: boolean, store: (clock: Clock) => Promise<Store>): Place {
  const clock = manualClock(1_795_000_000_000)
  const opened = async (): Promise<Store> => {
    const handle = await store(clock)
    closers.push(() => handle.close())
    return handle
  }
  return {
    durable,
    clock,
    store: opened,
    open: async options => {
      const skein = await openSkein({ clock, worker: false, ...options, store: await opened() })
      closers.push(() => skein.close())
      return skein
    },
  }
}

export async function memoryPlace(): Promise<Place> {
  const shared = new Map<Clock, Store>()
  return placeOf(false, async clock => {
    const store = shared.get(clock) ?? memoryStore({ clock })
    shared.set(clock, store)
    // One store for all handles; closing a handle of it is left to the last.
    return { ...store, close: async () => undefined }
  })
}

/** A fresh folder, gone after the test. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skein-test-'))
  closers.unshift(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export async function sqlitePlace(): Promise<Place> {
  const file = join(freshFolder(), `${randomBytes(4).toString('hex')}.db`)
  return placeOf(true, clock => sqliteStore(file, { clock }))
}

export async function postgresPlace(): Promise<Place> {
  const database = await freshDatabase()
  const { postgresStore } = await import('#stores/postgres')
  return placeOf(true, clock => postgresStore(database, { databaseClock: clock }))
}
