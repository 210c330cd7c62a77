import { join } from 'node:path'
import { openSkein, type Skein } from '#skein'
import { countOf, quantile, takeTurns } from '../measure.ts'
import { seeded } from '../messages.ts'
import { folderIn } from '../opening.ts'
import { atMost, type Row } from '../row.ts'

const perAnswer = 500
const queries = 200

/** Finding among 10,000 memories of one owner, and learning from answers that are as large as answers get. */
export const memoryRecall: Row = async setting => {
  const count = setting.quick ? 1_000 : 10_000
  const file = `sqlite:${join(folderIn(setting), 'recall.db')}`
  const texts = facts(count + queries)
  let learnt = 0
  const answers: number[] = []
  const skein = await openSkein({
    store: file,
    worker: true,
    memory: {
      commit: 'manual',
      extractor: {
        name: 'bench',
        version: '1',
        extract: () => {
          const candidates = texts
            .slice(learnt, (learnt += perAnswer))
            .map((content, n) => ({ category: 'entity', owner: 'user', key: `fact ${learnt + n}`, content, confidence: 0.9 }))
          return Promise.resolve({ candidates })
        },
      },
    },
  })
  const session = await skein.sessions.create({ user: 'ada' })
  while (learnt < count) {
    await session.append([{ role: 'user', content: 'Go on.' }])
    const began = performance.now()
    await skein.memory.extract(session.id)
    await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 120_000 })
    answers.push(performance.now() - began)
  }
  const asked = texts.slice(-queries).map(text => text.split(' ').slice(0, 8).join(' '))
  const search = async (from: Skein, query: string): Promise<number> => {
    const began = performance.now()
    const found = await from.memory.search({ query, owner: 'ada' })
    const took = performance.now() - began
    if (found.length === 0) throw new Error('Nothing was found.')
    return took
  }
  const fresh = await openSkein({ store: file, worker: false })
  const first = await search(fresh, asked[0] ?? '')
  await fresh.close()
  const rounds = await takeTurns(
    [
      {
        name: 'skein',
        round: async () => {
          const all: number[] = []
          for (const query of asked) all.push(await search(skein, query))
          return { p50: quantile(all, 0.5), p95: quantile(all, 0.95) }
        },
      },
    ],
    setting,
  )
  await skein.close()
  const { p50, p95 } = rounds.spreads['skein'] ?? {}
  return {
    title: `Recall among ${count.toLocaleString('en')} memories of one owner`,
    rounds: countOf(rounds),
    lines: [
      { measure: 'search p50, eight words', unit: 'ms', skein: p50 },
      { measure: 'search p95, eight words', unit: 'ms', skein: p95, target: atMost(10, 'skein') },
      { measure: 'first search of a process', unit: 'ms', skein: first },
      { measure: `learning from an answer of ${perAnswer}, the longest`, unit: 'ms', skein: Math.max(...answers) },
    ],
  }
}

/** Sentences of 24 words: each third one of twelve that are everywhere, the others of 4,000, some far oftener than others. */
function facts(count: number): string[] {
  const random = seeded(11)
  const common = 'the user of and to a in is that for it with'.split(' ')
  const rare = Array.from(
    { length: 4_000 },
    (_, n) => `${syllables[n % 20]}${syllables[Math.floor(n / 20) % 20]}${syllables[n % 13]}${n % 10}`,
  )
  const word = (n: number): string =>
    (n % 3 === 0 ? common[Math.floor(random() * common.length)] : rare[Math.floor(random() ** 3 * rare.length)]) ?? ''
  return Array.from({ length: count }, () => Array.from({ length: 24 }, (_, n) => word(n)).join(' '))
}

const syllables = 'ba ke li mo nu pra ste dri glo fu wan ter ol is ange ment ou qua zy rea'.split(' ')
