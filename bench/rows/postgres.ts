import pg from 'pg'
import { openSkein } from '#skein'
import { postgresStore } from '#stores/postgres'
import { type Contender, takeTurns, timeEach, countOf } from '../measure.ts'
import { someMessages } from '../messages.ts'
import { alone, atLeast, atMost, type Row, versus } from '../row.ts'
import { prepareAppend } from '../store-append.ts'
import { startPostgres, type PostgresServer, usePostgres } from '../../test/postgres/server.ts'

const clients = 100

/** Against a bare insert into a bare table by the same driver, on a server that syncs. */
export const postgres: Row = async setting => {
  const title = 'Postgres'
  let server: PostgresServer
  try {
    const url = process.env['SKEIN_TEST_POSTGRES']
    server = url === undefined ? await startPostgres({ fsync: true }) : usePostgres(url)
  } catch (error) {
    return { title, lines: [], notes: [`Not measured: ${(error as Error).message}`] }
  }
  try {
    return { title, ...(await measure(setting, server)) }
  } finally {
    await server.stop()
  }
}

async function measure(setting: Parameters<Row>[0], server: PostgresServer): Promise<Omit<Awaited<ReturnType<Row>>, 'title'>> {
  const times = setting.quick ? 40 : 200
  const each = setting.quick ? 2 : 6
  const messages = someMessages(Math.max(times, clients * each))
  const database = await server.freshDatabase()
  const bare = new pg.Pool({ ...(await server.freshDatabase()), max: clients })
  // Its connections may outlive `end` by a moment, in which the server goes.
  bare.on('error', () => undefined)
  await bare.query(
    'CREATE TABLE message (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, session text NOT NULL, body text NOT NULL)',
  )
  await bare.query('CREATE INDEX ON message (session, id)')
  const insert = (session: string, message: unknown): Promise<unknown> =>
    bare.query({
      name: 'insert',
      text: 'INSERT INTO message (session, body) VALUES ($1, $2)',
      values: [session, JSON.stringify(message)],
    })
  const store = await postgresStore(database)
  const plain = await postgresStore(await server.freshDatabase(), { indexes: false })
  const onlooker = new pg.Pool({ ...database, max: 1 })
  onlooker.on('error', () => undefined)
  // What the rounds before left to the index would cost those who keep none.
  const indexed = async (): Promise<void> => {
    for (;;) {
      const { rowCount } = await onlooker.query('SELECT 1 FROM skein.sessions WHERE unindexed LIMIT 1')
      if (rowCount === 0) return
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  const skein = await openSkein({ store, worker: false })
  const session = await skein.sessions.create()
  const unsearched = await openSkein({ store: plain, worker: false })
  const port = await prepareAppend(store)
  const plainPort = await prepareAppend(plain)
  const sessions = await Promise.all(Array.from({ length: clients }, () => skein.sessions.create()))
  const plainSessions = await Promise.all(Array.from({ length: clients }, () => unsearched.sessions.create()))
  const trips = { count: 0, appends: 0 }
  const atOnce = async (append: (client: number, message: unknown) => Promise<unknown>): Promise<{ perSecond: number }> => {
    const began = performance.now()
    await Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        for (let turn = 0; turn < each; turn++) await append(client, messages[turn * clients + client])
      }),
    )
    return { perSecond: (clients * each) / ((performance.now() - began) / 1_000) }
  }
  const calm = (round: Contender['round']): Contender['round'] => {
    return async number => {
      await indexed()
      return await round(number)
    }
  }
  const contenders: Contender[] = [
    { name: 'bare insert', round: calm(() => timeEach(times, index => insert('one', messages[index]))) },
    { name: 'skein at its port', round: () => timeEach(times, index => port.append(messages[index], 'full')) },
    {
      name: 'unsearched at its port',
      round: calm(() => timeEach(times, index => plainPort.append(messages[index], 'full'))),
    },
    {
      name: 'skein',
      async round() {
        const before = store.stats().roundTrips
        const sample = await timeEach(times, index => session.append([messages[index]]))
        trips.count += store.stats().roundTrips - before
        trips.appends += times
        return sample
      },
    },
    { name: `${clients} bare`, round: calm(() => atOnce((client, message) => insert(`c${client}`, message))) },
    { name: `${clients} skein`, round: () => atOnce(async (client, message) => sessions[client]?.append([message])) },
    {
      name: `${clients} unsearched`,
      round: calm(() => atOnce(async (client, message) => plainSessions[client]?.append([message]))),
    },
  ]
  const rounds = await takeTurns(contenders, setting)
  await skein.close()
  await unsearched.close()
  await store.close()
  await plain.close()
  await onlooker.end()
  await bare.end()
  return {
    rounds: countOf(rounds),
    lines: [
      versus(rounds, 'mean', {
        measure: 'append at the store’s port, mean',
        unit: 'ms',
        of: 'skein at its port',
        to: 'bare insert',
        target: atMost(1.3),
      }),
      versus(rounds, 'mean', {
        measure: 'the same without a search index',
        unit: 'ms',
        of: 'unsearched at its port',
        to: 'bare insert',
      }),
      versus(rounds, 'mean', { measure: 'append by the face, mean', unit: 'ms', to: 'bare insert' }),
      { measure: 'round trips per append by the face', unit: 'count', skein: trips.count / trips.appends } as const,
      versus(rounds, 'perSecond', {
        measure: `appends per second of ${clients} clients`,
        unit: 'per s',
        of: `${clients} skein`,
        to: `${clients} bare`,
        target: atLeast(0.8),
      }),
      versus(rounds, 'perSecond', {
        measure: 'the same without a search index',
        unit: 'per s',
        of: `${clients} unsearched`,
        to: `${clients} bare`,
      }),
    ].map(alone),
    notes: [
      'The face reads the session’s row before each append, a round trip of its own; the store’s port appends in one statement.',
      'Rounds that keep no index begin when the index of the others has caught up.',
      `Bare inserts of ${clients} clients use a connection each.`,
    ],
  }
}
