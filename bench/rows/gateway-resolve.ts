import { join } from 'node:path'
import type { Session, Skein } from '#skein'
import { type Contender, countOf, type Rounds, spread, takeTurns, timeEach } from '../measure.ts'
import { folderIn, type OpenSkein, openSqlite, rawIn } from '../opening.ts'
import { atMost, type Line, type Row, versus } from '../row.ts'

/** A message comes in for one of many routes: which session it goes to, and that it came, in one commit. Law G25. */
export const gatewayResolve: Row = async setting => {
  const counts = setting.quick ? [300, 1_000] : [10_000, 100_000]
  const folder = folderIn(setting)
  const file = join(folder, 'skein.db')
  const raw = rawIn(folder)
  raw.database.exec(
    'CREATE TABLE route (key TEXT PRIMARY KEY, session TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID',
  )
  const add = raw.database.prepare('INSERT INTO route VALUES (?, ?, ?, ?)')
  const find = raw.database.prepare('SELECT session, body FROM route WHERE key = ?')
  const touch = raw.database.prepare('UPDATE route SET at = ?, body = ? WHERE key = ?')
  let opened = await openSqlite(file)
  const times = setting.quick ? 40 : 200
  const lines: Line[] = []
  let measured: Rounds | undefined
  let filled = 0
  for (const count of counts) {
    await fill(opened, filled, count, (key, session, body) => void add.run(key, session, 0, body))
    filled = count
    let call = 0
    const next = (): number => (call++ * 7_919) % count
    const contenders: Contender[] = [
      {
        name: 'raw',
        round: () =>
          timeEach(times, () => {
            const key = keyOf(next())
            const found = find.get(key)
            touch.run(Date.now(), String(found?.['body']), key)
          }),
      },
      { name: 'skein', round: () => timeEach(times, async () => void (await opened.skein.gateway.resolve(sourceOf(next())))) },
    ]
    measured = await takeTurns(contenders, setting)
    const among = `among ${count.toLocaleString('en')} routes`
    lines.push(versus(measured, 'p50', { measure: `resolve ${among}, p50`, unit: 'ms' }))
    lines.push({ ...versus(measured, 'p99', { measure: 'the same, p99', unit: 'ms' }), target: atMost(5, 'skein') })
    lines.push(versus(measured, 'cpuP50', { measure: 'processor time of the writing thread, p50', unit: 'µs' }))
  }
  raw.close()
  const starts: number[] = []
  for (let round = 0; round < Math.min(5, setting.rounds); round++) {
    await opened.close()
    const began = performance.now()
    opened = await openSqlite(file)
    await opened.skein.gateway.start()
    await opened.skein.gateway.resolve(sourceOf(round))
    starts.push(performance.now() - began)
    await opened.skein.gateway.stop({ drainMs: 0 })
  }
  await opened.close()
  const among = `with ${filled.toLocaleString('en')} routes`
  lines.push({
    measure: `open, start and resolve for the first time ${among}`,
    unit: 'ms',
    skein: spread(starts),
    target: atMost(1_000, 'skein'),
  })
  return {
    title: 'Which session a message goes to',
    ...(measured === undefined ? {} : { rounds: countOf(measured) }),
    lines,
    notes: ['raw: looks a route up and writes its clock, synced.'],
  }
}

const sourceOf = (index: number): { readonly platform: 'telegram'; readonly chatId: string; readonly userId: string } => ({
  platform: 'telegram',
  chatId: String(index),
  userId: `u${index}`,
})
const keyOf = (index: number): string => `k1:main:telegram:dm:c=${index}`

/** Routes from `from` on, as their first messages would have made them, a thousand in a commit. */
async function fill(
  { skein, store }: OpenSkein,
  from: number,
  to: number,
  also: (key: string, session: string, body: string) => void,
): Promise<void> {
  const tenant = store.in('default')
  const { route: model } = await skein.gateway.resolve(sourceOf(from))
  const { version: _version, ...like } = model
  also(model.key, model.sessionId, JSON.stringify(like))
  for (let done = from + 1; done < to; done += 1_000) {
    const made = await create(skein, Math.min(1_000, to - done))
    const routes = made.map(({ id }, n) => {
      const { userId, chatId } = sourceOf(done + n)
      return { ...like, key: keyOf(done + n), sessionId: id, origin: { ...like.origin, chatId, userId } }
    })
    await tenant.commit(
      routes.map(route => ({
        type: 'put_route' as const,
        key: route.key,
        value: route as never,
        tags: ['live', 'platform:telegram'],
        sort: -route.lastActivityAt,
        expectVersion: 0,
      })),
    )
    for (const route of routes) also(route.key, route.sessionId, JSON.stringify(route))
  }
}

const create = async (skein: Skein, count: number): Promise<Session[]> =>
  await Promise.all(Array.from({ length: count }, () => skein.sessions.create({ user: 'u', platform: 'telegram' })))
