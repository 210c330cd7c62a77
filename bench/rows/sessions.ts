import { join } from 'node:path'
import { type Contender, type Sample, takeTurns, countOf } from '../measure.ts'
import { bytesWritten } from '../machine.ts'
import { someMessages } from '../messages.ts'
import { folderIn, openSqlite, peersIn, rawIn } from '../opening.ts'
import { alone, atLeast, atMost, type Row, versus } from '../row.ts'

const sessions = 100

/** A hundred sessions, each appending one message after the other, all at the same time. */
export const hundredSessions: Row = async setting => {
  const each = setting.quick ? 3 : 8
  const messages = someMessages(sessions * each)
  const folder = folderIn(setting)
  const raw = rawIn(folder)
  const opened = await openSqlite(join(folder, 'skein.db'))
  const bare = await openSqlite(join(folder, 'unsearched.db'), { search: 'off' })
  const peers = await peersIn(setting, ['pi', 'mastra'])
  const made = await Promise.all(Array.from({ length: sessions }, () => opened.skein.sessions.create()))
  const madeBare = await Promise.all(Array.from({ length: sessions }, () => bare.skein.sessions.create()))
  const atOnce = (append: (session: number, message: unknown) => Promise<unknown> | void) => () =>
    rate(messages.length, async () => {
      await Promise.all(
        Array.from({ length: sessions }, async (_, session) => {
          for (let turn = 0; turn < each; turn++) await append(session, messages[turn * sessions + session])
        }),
      )
    })
  const contenders: Contender[] = [
    {
      name: 'raw one by one',
      round: () =>
        rate(messages.length, () => {
          for (const [index, message] of messages.entries()) raw.append(`s${index % sessions}`, message)
        }),
    },
    {
      name: 'raw grouped',
      round: () =>
        rate(messages.length, () => {
          for (let turn = 0; turn < each; turn++) {
            const group = messages.slice(turn * sessions, (turn + 1) * sessions)
            raw.appendAll(group.map((message, session) => ({ session: `s${session}`, message })))
          }
        }),
    },
    { name: 'skein', round: atOnce((session, message) => made[session]?.append([message])) },
    { name: 'skein without search', round: atOnce((session, message) => madeBare[session]?.append([message])) },
    ...peers.map((peer): Contender => ({
      name: peer.name,
      round: atOnce((session, message) => peer.append(`s${session}`, message)),
    })),
  ]
  const rounds = await takeTurns(contenders, setting)
  raw.close()
  await opened.close()
  await bare.close()
  for (const peer of peers) await peer.close()
  const rateOf = (to: string, limit: number) =>
    versus(rounds, 'perSecond', { measure: `appends per second, against ${to}`, unit: 'per s', to, target: atLeast(limit) })
  return {
    title: 'A hundred sessions at once',
    rounds: countOf(rounds),
    lines: [
      rateOf('raw one by one', 3.5),
      rateOf('raw grouped', 0.7),
      versus(rounds, 'perSecond', {
        measure: 'the same without a search index',
        unit: 'per s',
        of: 'skein without search',
        to: 'raw grouped',
      }),
      rateOf('mastra', 8),
      rateOf('pi', 0.7),
      versus(rounds, 'bytes', {
        measure: 'bytes written per message, without a search index',
        unit: 'bytes',
        of: 'skein without search',
        to: 'raw grouped',
        target: atMost(1.2),
      }),
      versus(rounds, 'bytes', { measure: 'the same with it', unit: 'bytes', to: 'raw grouped' }),
    ].map(alone),
    notes: [
      'Bytes are what the process hands to the system to write, checkpoints included as far as they fell into the round.',
      'A throttled disk, where the target is 10 × raw one by one, was not measured.',
      'pi keeps a file for each session and never syncs; mastra syncs at checkpoints only.',
    ],
  }
}

async function rate(count: number, work: () => Promise<void> | void): Promise<Sample> {
  const before = bytesWritten()
  const began = performance.now()
  await work()
  const seconds = (performance.now() - began) / 1_000
  const after = bytesWritten()
  return {
    perSecond: count / seconds,
    ...(before === undefined || after === undefined ? {} : { bytes: (after - before) / count }),
  }
}
