import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { takeTurns, type Sample, countOf } from '../measure.ts'
import { folderIn, openSqlite } from '../opening.ts'
import { atLeast, atMost, type Row, versus } from '../row.ts'

const run = promisify(execFile)

/** Two processes, each with sessions of its own, writing one file at the same time. */
export const processes: Row = async setting => {
  const times = setting.quick ? 100 : 600
  const file = join(folderIn(setting), 'skein.db')
  await (await openSqlite(file)).close()
  const rounds = await takeTurns(
    [
      { name: 'one', round: () => writers(file, 1, times) },
      { name: 'skein', round: () => writers(file, 2, times) },
    ],
    setting,
  )
  return {
    title: 'Two processes, one file',
    rounds: countOf(rounds),
    lines: [
      versus(rounds, 'perSecond', {
        measure: 'appends per second of both, against one alone',
        unit: 'per s',
        to: 'one',
        target: atLeast(0.7),
      }),
      { measure: 'busy errors', unit: 'count', skein: rounds.spreads['skein']?.['errors']?.max, target: atMost(0, 'skein') },
      {
        measure: 'longest stall of an event loop, worst of both',
        unit: 'ms',
        skein: rounds.spreads['skein']?.['stall'],
        base: rounds.spreads['one']?.['stall'],
        comparison: 'one',
        target: atMost(50, 'skein'),
      },
    ],
    notes: ['A stall is how late a timer of 5 ms came; with one process alone it shows what the machine itself does.'],
  }
}

async function writers(file: string, count: number, times: number): Promise<Sample> {
  const script = new URL('../children/writer.ts', import.meta.url).pathname
  // All begin together, once everybody has loaded.
  const startAt = String(Date.now() + 1_500)
  const children = await Promise.all(
    Array.from({ length: count }, () =>
      run(process.execPath, ['--conditions=skein-source', script, file, String(times), startAt]),
    ),
  )
  const reports = children.map(({ stdout }) => JSON.parse(stdout) as { ms: number; stall: number; errors: number })
  return {
    perSecond: reports.reduce((sum, { ms }) => sum + times / (ms / 1_000), 0),
    stall: Math.max(...reports.map(report => report.stall)),
    errors: reports.reduce((sum, report) => sum + report.errors, 0),
  }
}
