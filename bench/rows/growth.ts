import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { largeStore } from '../large.ts'
import { someMessages } from '../messages.ts'
import { takeTurns, timeEach, countOf } from '../measure.ts'
import { atMost, type Row, versus } from '../row.ts'

/** Appending to a session of 100,000 entries, against one that is new in the same file; and what a message takes on disk. */
export const growth: Row = async setting => {
  const { opened, file, rawFile, raw, large, payload, count } = await largeStore(setting)
  const size = pagesOf(file)
  const rawSize = pagesOf(rawFile)
  const search = pagesOf(`${file}-search`)
  const times = 100
  const messages = someMessages(times, 3)
  const rounds = await takeTurns(
    [
      { name: 'large', round: () => timeEach(times, index => large.append([messages[index]])) },
      {
        name: 'new',
        async round() {
          const session = await opened.skein.sessions.create()
          return timeEach(times, index => session.append([messages[index]]))
        },
      },
      { name: 'raw, large', round: () => timeEach(times, index => raw.append('large', messages[index])) },
    ],
    setting,
  )
  return {
    title: `Growth: ${count.toLocaleString('en')} entries against none`,
    rounds: countOf(rounds),
    lines: [
      versus(rounds, 'p50', { measure: 'append p50', unit: 'ms', of: 'large', to: 'new', target: atMost(1.2) }),
      versus(rounds, 'cpuP50', { measure: 'processor time of the writing thread, p50', unit: 'µs', of: 'large', to: 'new' }),
      {
        measure: 'stored bytes per payload byte',
        unit: '×',
        skein: size / payload,
        base: rawSize / payload,
        comparison: 'raw',
        target: atMost(1.2, 'skein'),
      },
      { measure: 'the same with the search index', unit: '×', skein: (size + search) / payload, target: atMost(1.7, 'skein') },
      { measure: 'bytes of a message as JSON, mean', unit: 'bytes', skein: payload / (count + 1_000) },
    ],
    notes: ['Stored bytes are pages in use, times their size, counted before the appends of this row.'],
  }
}

function pagesOf(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  const pragma = (name: string): number => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0])
  const bytes = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
  database.close()
  return Math.max(bytes, 0) || statSync(file).size
}
