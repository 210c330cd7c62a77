import type { TestProject } from 'vitest/node'
import { postgresBinaries } from './binaries.ts'
import { type DatabaseConfig, type PostgresServer, startPostgres, usePostgres } from './server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The run's shared server; `null` where there is none. */
    readonly postgres: DatabaseConfig | null
  }
}

/** One server for the whole run. Without one its tests are skipped aloud; on CI that is a failure. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await findServer()
  project.provide('postgres', server === undefined ? null : server.config)
  return async () => {
    await server?.stop()
  }
}

async function findServer(): Promise<PostgresServer | undefined> {
  const url = process.env['SKEIN_TEST_POSTGRES']
  if (url !== undefined && url !== '') return usePostgres(url)
  if (postgresBinaries() !== undefined) return await startPostgres()
  if (process.env['CI'] !== undefined) throw new Error('No Postgres to test against, and CI may not skip it.')
  console.warn('SKIPPED: every Postgres test. Run npm install, or set SKEIN_TEST_POSTGRES to the url of a server.')
  return undefined
}
