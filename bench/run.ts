import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machine } from './machine.ts'
import { missingPeers } from './peers.ts'
import type { RowResult, Setting } from './row.ts'
import { rows } from './rows/index.ts'
import { consoleTable, document, type Report } from './table.ts'

const { values } = parseArgs({
  options: { rows: { type: 'string' }, quick: { type: 'boolean', default: false }, rounds: { type: 'string' } },
})
const names = values.rows?.split(',') ?? Object.keys(rows)
for (const name of names)
  if (!(name in rows)) throw new Error(`There is no row ${name}; there are ${Object.keys(rows).join(', ')}.`)

const folder = mkdtempSync(join(tmpdir(), 'skein-bench-'))
const shared: Setting['shared'] = new Map()
const cleanups: Setting['cleanups'] = []
const results: Record<string, RowResult> = {}
try {
  for (const name of names) {
    const row = rows[name as keyof typeof rows]
    const within = join(folder, name)
    mkdirSync(within)
    const began = performance.now()
    const rounds = Number(values.rounds ?? (values.quick ? 3 : 7))
    const setting: Setting = { folder: within, rounds, quick: values.quick, shared, cleanups }
    results[name] = await row(setting).catch((error: unknown): RowResult => {
      console.error(error)
      return { title: name, lines: [], notes: [`Not measured: ${error instanceof Error ? error.name : typeof error}.`] }
    })
    console.log(`\n${consoleTable(results[name])}\n${name}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
  }
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup()
  rmSync(folder, { recursive: true, force: true })
}

const date = new Date().toISOString().slice(0, 10)
const report: Report = { date, quick: values.quick, machine: machine(tmpdir()), missingPeers: missingPeers(), rows: results }
if (values.rows === undefined && !values.quick) {
  const out = new URL('./results/', import.meta.url)
  mkdirSync(out, { recursive: true })
  writeFileSync(new URL(`${date}.json`, out), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(new URL('../docs/benchmarks.md', import.meta.url), document(report))
}
// Pools and threads of peers may have no end of their own.
process.exit(0)
