import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isType } from '#journal'
import { isSkeinError, manualClock } from '#kernel'
import { openSkein, type Session, type Skein } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { verifies } from '#verifies'
import { afterAll, describe, expect } from 'vitest'
import { parentAlias, planner, tools } from './child-worker.ts'
import { Crew } from './crew.ts'
import type { RunTask } from './run-worker.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-child-'))
const crew = new Crew<RunTask>('child-worker.ts')
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

const now = 1_700_000_000_000
const kills = 20

const linesOf = (log: string): string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [])

/** What must be so of a tree of sessions, wherever its process was killed. */
async function expectWhole(skein: Skein, parent: Session, entered: readonly string[]): Promise<void> {
  expect(new Set(entered).size).toBe(entered.length)
  const { items } = await skein.sessions.list({ parent: parent.id })
  const sessions = [parent, ...(await Promise.all(items.map(({ id }) => skein.sessions.open(id))))]
  const requests: string[] = []
  for (const session of sessions) {
    expect((await session.info()).running).toBeNull()
    const entries = await session.entries()
    const used = entries.flatMap(entry => (isType(entry, 'usage_recorded') ? [entry.data.requestId] : []))
    const sent = entries.flatMap(entry => (isType(entry, 'step_started') ? [entry.data.requestId] : []))
    expect([...used].sort()).toEqual([...sent].sort())
    requests.push(...used)
    const calls = entries.flatMap(entry =>
      isType(entry, 'message_added') ? entry.data.parts.filter(part => part.type === 'tool_call').map(part => part.callId) : [],
    )
    const results = entries.flatMap(entry =>
      isType(entry, 'message_added') ? entry.data.parts.filter(part => part.type === 'tool_result').map(part => part.callId) : [],
    )
    expect(results).toEqual(calls)
  }
  expect(new Set(requests).size).toBe(requests.length)
  expect((await parent.usage({ tree: true })).requests).toBe(requests.length)
  const told = await parent.entries({ types: ['child_started', 'child_ended'] })
  const named = (type: string): unknown[] =>
    told.flatMap(entry => (entry.type === type ? [(entry.data as { child: string }).child] : [])).sort()
  expect(named('child_started')).toEqual(items.map(({ id }) => id).sort())
  expect(named('child_ended')).toEqual(named('child_started'))
}

describe('a run with children whose process is killed', () => {
  verifies(
    'A56 A33',
    'goes on with the children that it had: none twice, no call entered twice, no usage counted twice',
    async () => {
      const rehearsal = join(folder, 'rehearsal')
      const child = await crew.next()
      child.begin({ file: `${rehearsal}.db`, log: rehearsal, now, killAt: 0 })
      await child.ended
      const [, steps = '0'] = /^steps (\d+)$/.exec(linesOf(rehearsal).at(-1) ?? '') ?? []
      expect(Number(steps)).toBeGreaterThan(kills)
      let withChildren = 0
      for (let kill = 1; kill <= kills; kill++) {
        const killAt = Math.ceil((kill * Number(steps)) / (kills + 1))
        const log = join(folder, `log-${killAt}`)
        const killed = await crew.next()
        killed.begin({ file: `${log}.db`, log, now, killAt })
        expect(await killed.ended).toBe('SIGKILL')
        const entered = linesOf(log).filter(line => line.startsWith('once '))
        const clock = manualClock(now + 60_000)
        const store = await sqliteStore(`${log}.db`, { clock, search: 'off' })
        const skein = await openSkein({ store, clock, worker: false })
        try {
          const gear = { modelOverride: planner(), tools: tools(call => void entered.push(call)) }
          const parent = await skein.sessions.open(parentAlias, gear)
          withChildren += (await skein.sessions.list({ parent: parent.id })).items.length > 0 ? 1 : 0
          const { run } = await parent.recover({ apply: true, approvals: 'deny' })
          if (run !== null) expect(await run.result()).toMatchObject({ status: 'done', text: 'Done: go' })
          expect((await store.check({ deep: true })).findings).toEqual([])
          await expectWhole(skein, parent, entered)
          expect(await skein.sessions.recover()).toEqual([])
        } catch (error) {
          // Killed before the session was there.
          if (!isSkeinError(error) || error.code !== 'session.not_found') throw error
        } finally {
          await skein.close()
          await store.close()
        }
      }
      expect(withChildren).toBeGreaterThan(kills / 3)
    },
  )
})
