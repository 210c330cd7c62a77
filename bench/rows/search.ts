import { join } from 'node:path'
import { largeStore } from '../large.ts'
import { type Contender, quantile, takeTurns, timeEach, countOf } from '../measure.ts'
import { someMessages } from '../messages.ts'
import { folderIn, openSqlite } from '../opening.ts'
import { alone, atMost, type Line, type Row, versus } from '../row.ts'

/** Finding among 100,000 entries, and what keeping the index costs an append. */
export const search: Row = async setting => {
  const { opened, needle, count } = await largeStore(setting)
  const folder = folderIn(setting)
  const indexed = await openSqlite(join(folder, 'indexed.db'))
  const plain = await openSqlite(join(folder, 'plain.db'), { search: 'off' })
  const [searched, unsearched] = [await indexed.skein.sessions.create(), await plain.skein.sessions.create()]
  const times = 200
  const messages = someMessages(times, 5)
  const find = async (query: string): Promise<{ ms: number; hits: number }> => {
    const all: number[] = []
    let hits = 0
    for (let i = 0; i < 15; i++) {
      const began = performance.now()
      hits = (await opened.skein.sessions.search(query)).hits.length
      all.push(performance.now() - began)
    }
    return { ms: quantile(all, 0.5), hits }
  }
  const contenders: Contender[] = [
    { name: 'needle', round: () => find(needle) },
    { name: 'common', round: () => find('people world would') },
    { name: 'indexed', round: () => timeEach(times, index => searched.append([messages[index]])) },
    { name: 'plain', round: () => timeEach(times, index => unsearched.append([messages[index]])) },
  ]
  const rounds = await takeTurns(contenders, setting)
  await indexed.close()
  await plain.close()
  const lines: readonly Line[] = [
    { measure: 'a word that one entry has', unit: 'ms', skein: rounds.spreads['needle']?.['ms'], target: atMost(2, 'skein') },
    { measure: 'hits', unit: 'count', skein: rounds.spreads['needle']?.['hits']?.median },
    {
      measure: 'three common words, best 20',
      unit: 'ms',
      skein: rounds.spreads['common']?.['ms'],
      target: atMost(20, 'skein'),
    },
    { measure: 'hits', unit: 'count', skein: rounds.spreads['common']?.['hits']?.median },
    versus(rounds, 'p50', {
      measure: 'append p50 with an index, against without',
      unit: 'ms',
      of: 'indexed',
      to: 'plain',
      target: atMost(1.1),
    }),
  ]
  return {
    title: `Search in ${count.toLocaleString('en')} entries`,
    rounds: countOf(rounds),
    lines: lines.map(alone),
    notes: ['None of the peers searches words: mastra wants an embedding model for it, pi and langgraph have nothing.'],
  }
}
