import { join } from 'node:path'
import type { SessionId } from '#kernel'
import type { Session } from '#skein'
import { type Contender, takeTurns, timeEach, countOf } from '../measure.ts'
import { someMessages } from '../messages.ts'
import { folderIn, openSqlite, rawIn } from '../opening.ts'
import { atMost, type Row, versus } from '../row.ts'

/** A message comes in for one of 100,000 sessions: look the route up, open the session, append once however often it comes. */
export const route: Row = async setting => {
  const count = setting.quick ? 2_000 : 100_000
  const folder = folderIn(setting)
  const opened = await openSqlite(join(folder, 'skein.db'))
  const raw = rawIn(folder)
  raw.database.exec(`CREATE TABLE route (key TEXT PRIMARY KEY, session TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE answer (key TEXT PRIMARY KEY, message INTEGER NOT NULL) WITHOUT ROWID`)
  const addRoute = raw.database.prepare('INSERT INTO route VALUES (?, ?)')
  const findRoute = raw.database.prepare('SELECT session FROM route WHERE key = ?')
  const insert = raw.database.prepare('INSERT INTO message (session, body) VALUES (?, ?)')
  const addAnswer = raw.database.prepare('INSERT INTO answer VALUES (?, last_insert_rowid())')
  const { skein, store } = opened
  const tenant = store.in('default')
  for (let done = 0; done < count; done += 1_000) {
    const made: Session[] = await Promise.all(Array.from({ length: 1_000 }, () => skein.sessions.create({ user: 'u' })))
    await tenant.commit(
      made.map(({ id }, index) => ({
        type: 'put_route' as const,
        key: keyOf(done + index),
        value: { session: id },
        expectVersion: 0,
      })),
    )
    raw.database.exec('BEGIN')
    made.forEach(({ id }, index) => addRoute.run(keyOf(done + index), id))
    raw.database.exec('COMMIT')
  }
  const times = setting.quick ? 40 : 200
  const messages = someMessages(times, 11)
  let call = 0
  const keyFor = (): string => keyOf((call++ * 7_919) % count)
  const contenders: Contender[] = [
    {
      name: 'raw',
      round: () =>
        timeEach(times, index => {
          const session = findRoute.get(keyFor())?.['session'] as string
          raw.database.exec('BEGIN IMMEDIATE')
          insert.run(session, JSON.stringify(messages[index]))
          addAnswer.run(`raw ${call}`)
          raw.database.exec('COMMIT')
        }),
    },
    {
      name: 'skein',
      round: () =>
        timeEach(times, async index => {
          const found = await tenant.route(keyFor())
          const session = await skein.sessions.open((found?.value as { session: SessionId }).session)
          await session.append([messages[index]], { idempotencyKey: `skein ${call}` })
        }),
    },
  ]
  const rounds = await takeTurns(contenders, setting)
  raw.close()
  await opened.close()
  return {
    title: `Routing among ${count.toLocaleString('en')} sessions`,
    rounds: countOf(rounds),
    lines: [
      versus(rounds, 'p50', { measure: 'route, open, append with a key, p50', unit: 'ms', target: atMost(2.5) }),
      { ...versus(rounds, 'p99', { measure: 'the same, p99', unit: 'ms' }), target: atMost(5, 'skein') },
      versus(rounds, 'cpuP50', { measure: 'processor time of the writing thread, p50', unit: 'µs' }),
    ],
    notes: ['No peer has routes or keys that make an append happen once.'],
  }
}

const keyOf = (index: number): string => `telegram:chat:${String(index).padStart(9, '0')}`
