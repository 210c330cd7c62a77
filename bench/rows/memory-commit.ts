import { join } from 'node:path'
import { openSkein } from '#skein'
import { countOf, quantile, takeTurns } from '../measure.ts'
import { someMessages } from '../messages.ts'
import { folderIn } from '../opening.ts'
import { atMost, type Row } from '../row.ts'

/** Sealing one turn of a session in which 10,000 entries are live. */
export const memoryCommit: Row = async setting => {
  const live = setting.quick ? 1_000 : 10_000
  const times = setting.quick ? 20 : 100
  const skein = await openSkein({
    store: `sqlite:${join(folderIn(setting), 'commit.db')}`,
    memory: { commit: 'manual', extractor: 'off' },
    worker: false,
  })
  const begin = async (): Promise<() => Promise<number>> => {
    const session = await skein.sessions.create()
    const messages = someMessages(live + 2 * times)
    const ids: `ent_${string}`[] = []
    for (let from = 0; from < messages.length; from += 500) {
      const appended = await session.append(messages.slice(from, from + 500))
      ids.push(...appended.entries.map(({ id }) => id))
    }
    let sealed = 0
    return async () => {
      const through = ids[(sealed += 2) - 1]
      if (through === undefined) throw new Error('Nothing is left to seal.')
      const began = performance.now()
      const result = await session.commit({ through })
      const took = performance.now() - began
      if (!result.archived) throw new Error('Nothing was sealed.')
      return took
    }
  }
  const rounds = await takeTurns(
    [
      {
        name: 'skein',
        round: async () => {
          const commit = await begin()
          const all: number[] = []
          for (let i = 0; i < times; i++) all.push(await commit())
          return { p50: quantile(all, 0.5), p99: quantile(all, 0.99) }
        },
      },
    ],
    setting,
  )
  await skein.close()
  const { p50, p99 } = rounds.spreads['skein'] ?? {}
  return {
    title: `Sealing one turn of a session with ${live.toLocaleString('en')} live entries`,
    rounds: countOf(rounds),
    lines: [
      { measure: 'commit p50', unit: 'ms', skein: p50 },
      { measure: 'commit p99', unit: 'ms', skein: p99, target: atMost(5, 'skein') },
    ],
    notes: ['The overview is written by a job behind the commit, which no worker runs meanwhile.'],
  }
}
