import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Store } from '#journal'
import type { Clock } from '#kernel'
import { postgresStore } from '#stores/postgres'
import { sqliteStore } from '#stores/sqlite'
import { clientOf, type DatabaseConfig } from '../postgres/server.ts'

/** Where a store's rows lie, as plain data that a child can be told. */
export type Address =
  { readonly adapter: 'sqlite'; readonly file: string } | { readonly adapter: 'postgres'; readonly database: DatabaseConfig }

/** `clock` is the store's whole idea of time, also on Postgres: only what tells the time moves a lease. */
export async function openAt(address: Address, clock: Clock, probe?: (name: string) => void): Promise<Store> {
  const probed = probe === undefined ? {} : { probe }
  return address.adapter === 'sqlite'
    ? await sqliteStore(address.file, { clock, ...probed })
    : await postgresStore(address.database, { databaseClock: clock, maxConnections: 4, listen: false, ...probed })
}

/** A place for one history. */
export interface Place {
  readonly address: Address
  /** Settles when nothing that a dead writer sent can still take effect. */
  settled(): Promise<void>
  remove(): Promise<void>
}

/** A fresh file in a folder of its own. */
export function sqlitePlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'skein-crash-'))
  return {
    address: { adapter: 'sqlite', file: join(folder, 'store.db') },
    settled: async () => undefined,
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A fresh database. A server goes on with the statement of a client that died, so its end is waited for. */
export async function postgresPlace(server: DatabaseConfig): Promise<Place> {
  const client = clientOf(server)
  const database = await client.freshDatabase()
  let onlooker: pg.Client | undefined
  const others = async (): Promise<number> => {
    if (onlooker === undefined) {
      onlooker = new pg.Client({ ...server })
      onlooker.on('error', () => (onlooker = undefined))
      await onlooker.connect()
    }
    const { rows } = await onlooker.query<{ n: number }>('SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = $1', [
      database.database,
    ])
    return rows[0]?.n ?? 0
  }
  return {
    address: { adapter: 'postgres', database },
    async settled() {
      while ((await others()) > 0) await new Promise(resolve => setTimeout(resolve, 2))
    },
    async remove() {
      await onlooker?.end()
      await client.query(`DROP DATABASE IF EXISTS ${database.database} WITH (FORCE)`)
    },
  }
}
