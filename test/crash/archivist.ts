import { appendFileSync } from 'node:fs'
import { manualClock, seededRandom } from '#kernel'
import { openSkein, type SkeinOptions } from '#skein'
import { doTask } from './do-task.ts'
import { type Address, openAt } from './place.ts'

/** What a child is told on its line of input. */
export interface ArchivistTask {
  readonly address: Address
  readonly session: string
  /** A line for each message and each archive that was acknowledged. */
  readonly diary: string
  readonly now: number
  readonly seed: number
  /** At this probe, counted from 1 once the session is open, the process kills itself. */
  readonly killAt?: number
}

export type DiaryLine =
  { readonly message: string } | { readonly archive: string; readonly fromSeq: number; readonly toSeq: number }

/** Merges often, so that kills meet every kind of write. */
export const archiving: NonNullable<SkeinOptions['memory']> = { commit: 'manual', maxArchives: 2, mergeAt: 3 }

/** The child process: says things, seals them, lets them be summarized and merged, and dies in the midst of it. */
async function work(task: ArchivistTask): Promise<void> {
  let armed = false
  let probes = 0
  const probe = (): void => {
    if (armed && ++probes === task.killAt) process.kill(process.pid, 'SIGKILL')
  }
  const clock = manualClock(task.now)
  const random = seededRandom(task.seed)
  const store = await openAt(task.address, clock, probe)
  const skein = await openSkein({ store, clock, worker: true, memory: archiving })
  const session = await skein.sessions.open(task.session)
  const note = (line: DiaryLine): void => appendFileSync(task.diary, `${JSON.stringify(line)}\n`)
  armed = true
  for (let round = 0; round < 3; round++) {
    const count = 1 + Math.floor(random.number() * 3)
    const said = Array.from({ length: count }, (_, n) => ({
      role: n % 2 === 0 ? 'user' : 'assistant',
      content: `said ${task.seed} ${round} ${n}`,
    }))
    const { entries } = await session.append(said)
    for (const { id } of entries) note({ message: id })
    const through = random.number() < 0.3 ? { through: entries[0]?.id ?? ('ent_' as const) } : {}
    const done = await session.commit({ ...through, wait: random.number() < 0.5 })
    if (done.archived) note({ archive: done.archive, fromSeq: done.fromSeq, toSeq: done.toSeq })
  }
  await skein.jobs.idle({ session: session.id })
  armed = false
  process.stdout.write(`${probes}\n`)
  await skein.close()
  await store.close()
}

await doTask(import.meta.filename, work)
