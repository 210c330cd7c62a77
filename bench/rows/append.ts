import { join } from 'node:path'
import { folderIn, openSqlite, peersIn, rawIn } from '../opening.ts'
import { someMessages } from '../messages.ts'
import { type Contender, takeTurns, timeEach, countOf } from '../measure.ts'
import { atMost, type Row, versus } from '../row.ts'
import { prepareAppend } from '../store-append.ts'
import { countSyncs } from '../syncs.ts'

/** One writer, one message at a time, each durable before the next. */
export const append: Row = async setting => {
  const times = setting.quick ? 40 : 400
  const messages = someMessages(times)
  const folder = folderIn(setting)
  const raw = rawIn(folder)
  const opened = await openSqlite(join(folder, 'skein.db'))
  const peers = await peersIn(setting, ['pi', 'mastra', 'langgraph'])
  const session = await opened.skein.sessions.create()
  const relaxed = await prepareAppend(opened.store)
  const counted = { commits: 0, full: 0, transactions: 0 }
  const contenders: Contender[] = [
    { name: 'raw', round: () => timeEach(times, index => raw.append('s', messages[index])) },
    {
      name: 'skein',
      async round() {
        const before = opened.store.stats()
        const sample = await timeEach(times, index => session.append([messages[index]]))
        const after = opened.store.stats()
        counted.commits += times
        counted.full += after.fullTransactions - before.fullTransactions
        counted.transactions += after.transactions - before.transactions
        return sample
      },
    },
    { name: 'skein relaxed', round: () => timeEach(times, index => relaxed.append(messages[index], 'relaxed')) },
    ...peers.map((peer): Contender => ({
      name: peer.name,
      // LangGraph stores the whole list again with each: it gets short threads.
      round: round =>
        timeEach(peer.name === 'langgraph' ? Math.min(times, 100) : times, index => {
          const done = peer.append(`s${round}`, messages[index])
          return done === undefined ? undefined : done
        }),
    })),
  ]
  const rounds = await takeTurns(contenders, setting)
  const stats = await countSyncs()
  raw.close()
  await opened.close()
  for (const peer of peers) await peer.close()
  return {
    title: 'Durable append, one writer',
    rounds: countOf(rounds),
    lines: [
      versus(rounds, 'p50', { measure: 'p50', unit: 'ms', target: atMost(1.5) }),
      versus(rounds, 'mean', { measure: 'mean', unit: 'ms' }),
      versus(rounds, 'p99', { measure: 'p99', unit: 'ms' }),
      versus(rounds, 'cpuP50', { measure: 'processor time of the writing thread, p50', unit: 'µs', target: atMost(2) }),
      versus(rounds, 'cpuProcess', { measure: 'processor time of the process, indexing included, mean', unit: 'µs' }),
      versus(rounds, 'p50', {
        measure: 'relaxed, p50, against pi’s unsynced line',
        unit: 'ms',
        of: 'skein relaxed',
        to: 'pi',
        target: atMost(4),
      }),
      {
        measure: 'FULL transactions per append',
        unit: 'count',
        skein: counted.full / counted.commits,
        target: atMost(1, 'skein'),
      },
      {
        measure: 'transactions per append',
        unit: 'count',
        skein: counted.transactions / counted.commits,
        target: atMost(1, 'skein'),
      },
      ...(stats === undefined
        ? []
        : [{ measure: 'syncs per append, traced', unit: 'count', skein: stats, target: atMost(1, 'skein') } as const]),
    ],
    notes: [
      ...peers.map(peer => `${peer.name} ${peer.version}: ${peer.note}.`),
      ...(stats === undefined ? ['strace is not here, so syncs were not traced in this run; transactions were counted.'] : []),
    ],
  }
}
