import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Entry, isType } from '#journal'
import { isSkeinError, manualClock } from '#kernel'
import { openSkein, type Session } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { verifies } from '#verifies'
import { afterAll, describe, expect } from 'vitest'
import { Crew } from './crew.ts'
import { planner, runAlias, type RunTask, tools } from './run-worker.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-run-'))
const crew = new Crew<RunTask>('run-worker.ts')
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

const now = 1_700_000_000_000
const kills = 16

const linesOf = (log: string): string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [])

/** Opens what a killed process left, carries it on, and gives the log with what was entered here, and all entries. */
async function carryOn(file: string, log: readonly string[]): Promise<{ entered: string[]; entries: readonly Entry[] }> {
  const clock = manualClock(now + 60_000)
  const store = await sqliteStore(file, { clock, search: 'off' })
  const skein = await openSkein({ store, clock, worker: false })
  const entered = log.filter(line => /^(once|look) /.test(line))
  const gear = { modelOverride: planner(), tools: tools(call => void entered.push(call)) }
  try {
    expect((await store.check({ deep: true })).findings).toEqual([])
    let session: Session
    try {
      session = await skein.sessions.open(runAlias, gear)
    } catch (error) {
      // Killed before the session was there.
      expect(isSkeinError(error) && error.code).toBe('session.not_found')
      return { entered, entries: [] }
    }
    const { run } = await session.recover({ apply: true, approvals: 'deny' })
    if (run !== null) expect((await run.result()).status).toBe('done')
    expect((await session.info()).running).toBeNull()
    return { entered, entries: await session.entries() }
  } finally {
    await skein.close()
    await store.close()
  }
}

function expectWhole(entries: readonly Entry[], entered: readonly string[], log: readonly string[]): void {
  // No tool that may be entered once was entered twice.
  const once = entered.filter(line => line.startsWith('once '))
  expect(new Set(once).size).toBe(once.length)
  // No input with a receipt is lost, and each has one fate.
  const admitted = entries.flatMap(entry => (isType(entry, 'input_admitted') ? [entry.data] : []))
  const told = log.flatMap(line => (line.startsWith('admitted ') ? [line.slice(9)] : []))
  expect(admitted.map(({ input }) => input)).toEqual(expect.arrayContaining(told))
  const fates = entries.flatMap(entry =>
    isType(entry, 'input_delivered') || isType(entry, 'input_dropped') ? [entry.data.input] : [],
  )
  expect([...fates].sort()).toEqual(admitted.flatMap(({ input, delivery }) => (delivery === 'start' ? [] : [input])).sort())
  // Each request counts once.
  const used = entries.flatMap(entry => (isType(entry, 'usage_recorded') ? [entry.data.requestId] : []))
  const sent = entries.flatMap(entry => (isType(entry, 'step_started') ? [entry.data.requestId] : []))
  expect([...used].sort()).toEqual([...sent].sort())
  expect(new Set(used).size).toBe(used.length)
  // Each call has one result, after it.
  const open = new Map<string, number>()
  for (const entry of entries) {
    if (!isType(entry, 'message_added') || entry.data.finishReason === 'error') continue
    for (const part of entry.data.parts) {
      if (part.type === 'tool_call') open.set(part.callId, 0)
      if (part.type === 'tool_result') open.set(part.callId, (open.get(part.callId) ?? Number.NaN) + 1)
    }
  }
  expect([...open.values()].filter(results => results !== 1)).toEqual([])
  expect(entries.filter(({ type }) => type === 'run_ended')).toHaveLength(
    entries.filter(({ type }) => type === 'run_started').length,
  )
}

describe('a run whose process is killed', () => {
  verifies(
    'A33 A4 A35',
    'reopens and goes on: no input lost, no call entered twice that may not be, no usage counted twice',
    async () => {
      const rehearsal = join(folder, 'rehearsal')
      const child = await crew.next()
      child.begin({ file: `${rehearsal}.db`, log: rehearsal, now, killAt: 0 })
      await child.ended
      const [, steps = '0'] = /^steps (\d+)$/.exec(linesOf(rehearsal).at(-1) ?? '') ?? []
      expect(Number(steps)).toBeGreaterThan(kills)
      let recovered = 0
      for (let kill = 1; kill <= kills; kill++) {
        const killAt = Math.ceil((kill * Number(steps)) / (kills + 1))
        const log = join(folder, `log-${killAt}`)
        const killed = await crew.next()
        killed.begin({ file: `${log}.db`, log, now, killAt })
        expect(await killed.ended).toBe('SIGKILL')
        const told = linesOf(log)
        const { entered, entries } = await carryOn(`${log}.db`, told)
        expectWhole(entries, entered, told)
        if (entered.length > told.filter(line => /^(once|look) /.test(line)).length) recovered++
      }
      // Some were carried on in the midst of their calls.
      expect(recovered).toBeGreaterThan(0)
    },
  )
})
