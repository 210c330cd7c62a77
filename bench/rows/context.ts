import { openSkein, type Session } from '#skein'
import { largeStore } from '../large.ts'
import { type Contender, quantile, takeTurns, timeOnce, countOf } from '../measure.ts'
import { someMessages } from '../messages.ts'
import { planningOf } from '../planning.ts'
import { atMost, type Row, versus } from '../row.ts'

const facts = { contextWindow: 128_000 }

/** What a model is shown next, within a window of 128,000 tokens. */
export const context: Row = async setting => {
  const { opened, raw, peers, large, small } = await largeStore(setting)
  // The first one compacts all that was imported; what is measured comes after.
  const shown = (await large.context({ facts })).messages.length
  await small.context({ facts })
  const planning = planningOf(200_000)
  // One of its own, so that the small one stays as it is.
  const [growing, grown] = [await opened.skein.sessions.create(), someMessages(4_000, 9)]
  await growing.append(someMessages(100, 10))
  let added = 0
  const cold = async (id: string): Promise<{ cold: number }> => {
    const times: number[] = []
    for (let i = 0; i < 9; i++) {
      // Another face on the same store knows nothing of what this one has read.
      const fresh = await openSkein({ store: opened.store, worker: false })
      const session = await fresh.sessions.open(id)
      times.push(await timeOnce(async () => void (await session.context({ facts }))))
      await fresh.close()
    }
    return { cold: quantile(times, 0.5) }
  }
  const [largeId, smallId] = [large.id, small.id]
  const contenders: Contender[] = [
    { name: 'raw', round: async () => ({ cold: await median(9, () => raw.tail('large', shown)) }) },
    { name: 'skein', round: () => cold(largeId) },
    { name: 'skein, 1k', round: () => cold(smallId) },
    {
      name: 'unchanged',
      async round() {
        const session = await opened.skein.sessions.open(largeId)
        await session.context({ facts })
        return { again: await median(200, () => session.context({ facts })) }
      },
    },
    {
      name: 'one more',
      async round() {
        await growing.context({ facts })
        const times: number[] = []
        for (let i = 0; i < 20; i++) {
          await growing.append([grown[added++ % grown.length]])
          times.push(await timeOnce(async () => void (await growing.context({ facts, compact: false }))))
        }
        return { again: quantile(times, 0.5) }
      },
    },
    { name: 'planning', round: () => ({ cpuMs: planning().cpu / 1_000 }) },
    ...peers.map((peer): Contender => ({
      name: peer.name,
      round: async () => ({ cold: await median(3, () => peer.context?.('large', shown)) }),
    })),
  ]
  const rounds = await takeTurns(contenders, setting)
  return {
    title: 'Context for a window of 128,000 tokens',
    rounds: countOf(rounds),
    lines: [
      versus(rounds, 'cold', { measure: 'cold, a session of 100,000', unit: 'ms', target: atMost(2) }),
      versus(rounds, 'cold', {
        measure: 'the same against a session of 1,000',
        unit: 'ms',
        to: 'skein, 1k',
        target: atMost(1.2),
      }),
      { measure: 'cold, absolute', unit: 'ms', skein: rounds.spreads['skein']?.['cold'], target: atMost(5, 'skein') },
      { measure: 'unchanged', unit: 'ms', skein: rounds.spreads['unchanged']?.['again'], target: atMost(0.1, 'skein') },
      { measure: 'one entry more', unit: 'ms', skein: rounds.spreads['one more']?.['again'], target: atMost(0.5, 'skein') },
      {
        measure: 'planning and pruning 200,000 tokens, processor time',
        unit: 'ms',
        skein: rounds.spreads['planning']?.['cpuMs'],
        target: atMost(10, 'skein'),
      },
      {
        measure: 'changes of what is shown in one compaction',
        unit: 'count',
        skein: await editsOf(small),
        target: atMost(1, 'skein'),
      },
    ],
    notes: [
      `${shown} messages are shown. raw reads as many and parses them; it gives no thought to tokens, tool calls or formats.`,
      'pi builds its list from what it holds in memory; mastra reads as many newest messages as Skein shows.',
    ],
  }
}

/** Entries that change the frontier, for each compaction that did. */
async function editsOf(session: Session): Promise<number> {
  const edited = await session.entries({ types: ['context_edited'], limit: 1_000 })
  return edited.length / Math.max(1, new Set(edited.map(({ data }) => (data as { compaction?: string }).compaction)).size)
}

async function median(times: number, work: () => unknown): Promise<number> {
  const all: number[] = []
  for (let i = 0; i < times; i++) {
    const began = performance.now()
    await work()
    all.push(performance.now() - began)
  }
  return quantile(all, 0.5)
}
