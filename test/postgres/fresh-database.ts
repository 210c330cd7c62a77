import { afterAll, describe, inject } from 'vitest'
import { clientOf, type DatabaseConfig } from './server.ts'
import './global-setup.ts'

const shared = inject('postgres')
const made: string[] = []

afterAll(async () => {
  if (shared === null) return
  for (const database of made.splice(0)) await clientOf(shared).query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)
})

/** A describe block that needs the run's server; skipped, and the run says so, where there is none. */
export const describePostgres: typeof describe.skip = describe.skipIf(shared === null)

/** An empty database on the run's server, dropped when the test file is done. */
export async function freshDatabase(): Promise<DatabaseConfig> {
  if (shared === null) throw new Error('There is no Postgres in this run.')
  const database = await clientOf(shared).freshDatabase()
  made.push(database.database)
  return database
}

/** Runs SQL as an onlooker, past the store. */
export function sql(database: DatabaseConfig, text: string): Promise<readonly Record<string, unknown>[]> {
  return clientOf(database).query(text)
}
