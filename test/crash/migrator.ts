import { createInterface } from 'node:readline'
import { sqliteStore } from '#stores/sqlite'
import { migrationFrom0 } from './old-format.ts'

/** What a child that migrates is told. */
export interface MigrationTask {
  readonly file: string
  readonly killAt?: number
}

/** The child process: opens an older file, and dies on the way. Exits with how many points there were, if it was let. */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
process.stdout.write('warm\n')
const told = await lines.next()
if (told.done === true) process.exit(0)
const { file, killAt } = JSON.parse(told.value) as MigrationTask

const points: string[] = []
const point = (name: string): void => {
  if (points.push(name) === killAt) process.kill(process.pid, 'SIGKILL')
}
const store = await sqliteStore(file, { search: 'off', probe: point, migrations: [migrationFrom0(point)] })
await store.close()
process.stdout.write(`${JSON.stringify(points)}\n`)
process.exit(0)
