import { join } from 'node:path'
import { openSkein, type Skein } from '#skein'
import { countOf, quantile, type Sample, takeTurns } from '../measure.ts'
import { someMessages } from '../messages.ts'
import { folderIn } from '../opening.ts'
import { atMost, type Line, type Row } from '../row.ts'

/** Sealing a turn, and all that is live, of sessions in which more and more is live. */
export const memoryCommit: Row = async setting => {
  const sizes = setting.quick ? [1_000, 10_000] : [1_000, 10_000, 100_000]
  const times = setting.quick ? 20 : 100
  const skein = await openSkein({
    store: `sqlite:${join(folderIn(setting), 'commit.db')}`,
    memory: { commit: 'manual' },
    worker: false,
  })
  const sessions = await Promise.all(sizes.map(live => sessionWith(skein, live + 2 * times * (setting.rounds + 1))))
  const rounds = await takeTurns(
    sizes.map((live, index) => ({
      name: String(live),
      round: async (): Promise<Sample> => {
        const took: number[] = []
        for (let i = 0; i < times; i++) took.push((await sessions[index]?.turn()) ?? Number.NaN)
        return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
      },
    })),
    setting,
  )
  const whole: number[] = []
  for (const session of sessions) whole.push(await session.rest())
  await skein.close()
  return {
    title: 'Sealing what is live of a session',
    rounds: countOf(rounds),
    lines: sizes.flatMap((live, index): Line[] => {
      const { p50, p99 } = rounds.spreads[String(live)] ?? {}
      const of = `${live.toLocaleString('en')} live`
      return [
        { measure: `a turn of ${of}, p50`, unit: 'ms', skein: p50 },
        { measure: `a turn of ${of}, p99`, unit: 'ms', skein: p99, target: atMost(5, 'skein') },
        { measure: `all ${of}`, unit: 'ms', skein: whole[index] },
      ]
    }),
    notes: ['Overviews, and what is learnt, are made by jobs behind the commit, which no worker runs meanwhile.'],
  }
}

interface Sealing {
  /** What it takes to seal the next two messages. */
  turn(): Promise<number>
  /** And all that are left. */
  rest(): Promise<number>
}

async function sessionWith(skein: Skein, count: number): Promise<Sealing> {
  const session = await skein.sessions.create({ user: 'ada' })
  const ids = await fill(session, count)
  let sealed = 0
  const timed = async (through?: `ent_${string}`): Promise<number> => {
    const began = performance.now()
    const result = await session.commit(through === undefined ? {} : { through })
    const took = performance.now() - began
    if (!result.archived) throw new Error('Nothing was sealed.')
    return took
  }
  return { turn: () => timed(ids[(sealed += 2) - 1]), rest: () => timed() }
}

const atOnce = 500

async function fill(session: Awaited<ReturnType<Skein['sessions']['create']>>, count: number): Promise<`ent_${string}`[]> {
  const messages = someMessages(Math.min(count, 4 * atOnce))
  const ids: `ent_${string}`[] = []
  for (let from = 0; from < count; from += atOnce) {
    const begin = from % messages.length
    const { entries } = await session.append(messages.slice(begin, begin + Math.min(atOnce, count - from)))
    ids.push(...entries.map(({ id }) => id))
  }
  return ids
}
