import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isType } from '#journal'
import { manualClock } from '#kernel'
import { openSkein } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { verifies } from '#verifies'
import { afterAll, describe, expect } from 'vitest'
import { everyEntry, proveBranch } from '../laws/branch-proof.ts'
import { addStory, tightContext } from './compaction-story.ts'
import type { CompactorTask } from './compactor.ts'
import { Crew } from './crew.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-compactions-'))
const crew = new Crew<CompactorTask>('compactor.ts')
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

const now = 1_795_000_000_000
let stories = 0

/** A file of its own with the story, closed in order. */
async function beginStory(): Promise<{ file: string; session: string }> {
  const file = join(folder, `story${stories++}.db`)
  const store = await sqliteStore(file, { clock: manualClock(now) })
  const skein = await openSkein({ store, clock: manualClock(now), worker: false, context: tightContext() })
  const session = await skein.sessions.create()
  await addStory(session)
  await skein.close()
  await store.close()
  return { file, session: session.id }
}

function copyOf(file: string): string {
  const copy = join(folder, `copy${stories++}.db`)
  for (const end of ['', '-wal', '-shm']) if (existsSync(file + end)) copyFileSync(file + end, copy + end)
  return copy
}

/** What the child said before it ended, and how it did. */
async function perform(task: CompactorTask): Promise<{ said: string | undefined; ended: string | number }> {
  const child = await crew.next()
  child.begin(task)
  const [said, ended] = await Promise.all([child.opened, child.ended])
  return { said, ended }
}

describe('a process that dies while it compacts', () => {
  verifies('C61 C82', 'loses no entry at any write, and what was queued still runs', async () => {
    const story = await beginStory()
    const rehearsal = await perform({ ...story, file: copyOf(story.file), now })
    expect(rehearsal.ended).toBe(0)
    const probes = Number(rehearsal.said)
    expect(probes).toBeGreaterThan(20)
    const points = Array.from({ length: probes }, (_, n) => n + 1)
    const wanted = Number(process.env['SKEIN_CRASH_POINTS'] ?? 40)
    const every = Math.max(1, Math.floor(points.length / wanted))
    const states = new Set<string>()
    for (const killAt of points.filter(point => point % every === 0)) {
      const file = copyOf(story.file)
      expect((await perform({ file, session: story.session, now, killAt })).ended).toBe('SIGKILL')
      const clock = manualClock(now + 60_000)
      const store = await sqliteStore(file, { clock })
      const skein = await openSkein({ store, clock, context: tightContext() })
      try {
        const session = await skein.sessions.open(story.session)
        await proveBranch(session)
        expect((await session.info()).compaction).toEqual({ state: 'idle' })
        const entries = await everyEntry(session, false)
        states.add(
          ['summary_added', 'context_edited', 'compaction_ended']
            .map(type => entries.filter(entry => entry.type === type).length)
            .join(),
        )
        // Each turn is there whole, with its snapshot, or not at all.
        const turns = await session.turns()
        expect(turns.map(({ index }) => index)).toEqual(turns.map((_, n) => n))
        expect(entries.filter(entry => isType(entry, 'turn_ended'))).toHaveLength(turns.length)
        const [job] = await skein.jobs.list({ kind: 'context.compact' })
        expect(job).toBeDefined()
        await expect.poll(async () => (await skein.jobs.get(job?.id ?? ''))?.state).toBe('done')
        const again = await session.record({ user: 'one more', assistant: 'and its answer', idempotencyKey: 'last' })
        expect(again.index).toBeGreaterThanOrEqual(8)
        expect((await session.context()).fits).toBe(true)
        expect(['done', 'nothing', 'pruned']).toContain((await session.compact()).status)
        await proveBranch(session)
      } finally {
        await skein.close()
        await store.close()
      }
    }
    // It died before, between and after the writes of a compaction.
    expect(states.size).toBeGreaterThan(2)
  })
})
