import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isType } from '#journal'
import { manualClock } from '#kernel'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { afterAll, describe, expect, inject } from 'vitest'
import { describePostgres } from '../postgres/fresh-database.ts'
import type { DatabaseConfig } from '../postgres/server.ts'
import { Crew } from './crew.ts'
import { openAt, type Place, postgresPlace, sqlitePlace } from './place.ts'
import type { TalkTask } from './talker.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-talker-'))
const crew = new Crew<TalkTask>('talker.ts')
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The whole: SKEIN_GATEWAY_CHATS=100 SKEIN_GATEWAY_MESSAGES=100 SKEIN_GATEWAY_KILLS=200. */
const size = (name: string, small: number): number => Number(process.env[`SKEIN_GATEWAY_${name}`] ?? small)
const seed = size('SEED', 2026)
const mark = '♻️ Sent again after a restart; may be a duplicate.\n'
const begin = 1_795_000_000_000

/** Numbers in [0, 1) that a seed gives. Source: mulberry32. */
function randomOf(seeded: number): () => number {
  let state = seeded
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

async function campaign(makePlace: () => Promise<Place> | Place): Promise<void> {
  const [chats, messages, kills] = [size('CHATS', 6), size('MESSAGES', 6), size('KILLS', 12)]
  const random = randomOf(seed)
  const place = await makePlace()
  const log = join(folder, `log-${Math.random()}`)
  const linesOf = (): string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [])
  let died = 0
  for (let life = 0; ; life++) {
    const told = Array.from({ length: chats }, (_, chat) => linesOf().filter(line => line === `told ${chat}`).length)
    const killAt = died < kills ? 1 + Math.floor(random() * chats * messages * 3) : 0
    const child = await crew.next()
    // A message that was stored without being told so is told again, by its event.
    child.begin({ address: place.address, log, now: begin + life * 60_000, chats, messages, told, killAt })
    const ended = await child.ended
    await place.settled()
    if (ended === 'SIGKILL') died++
    else break
  }
  expect(died).toBeGreaterThan(0)
  const clock = manualClock(begin + 10_000 * 60_000)
  const store = await openAt(place.address, clock)
  const skein = await openSkein({ store, clock, worker: false })
  expect((await store.check({ deep: true })).findings).toEqual([])
  const sent = linesOf().flatMap(line =>
    line.startsWith('sent ') ? [JSON.parse(line.slice(5)) as [string, string, string]] : [],
  )
  let dropped = 0
  for (let chat = 0; chat < chats; chat++) {
    const { sessionIds, rows } = await historyOf(chat)
    // Each message is over, and stands in the journal once, in order and in its own chat.
    const said: string[] = []
    for (const id of sessionIds) {
      const entries = await (await skein.sessions.open(id)).entries({ types: ['message_added'] })
      for (const entry of entries)
        if (isType(entry, 'message_added') && entry.data.role === 'user')
          said.push(entry.data.parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('|'))
    }
    const expected = Array.from({ length: messages }, (_, n) => `c${chat} m${n}`)
    expect(said).toEqual(expected)
    expect(rows.map(({ text }) => text)).toEqual(expected)
    for (const { state, text, reason } of rows) {
      expect(['done', 'dropped']).toContain(state)
      if (state === 'dropped') {
        expect(reason).toBe('stuck_loop')
        dropped++
      } else {
        // Its answer arrived; again only with the mark.
        const arrived = sent.filter(([to, , what]) => to === `c${chat}` && what.replace(mark, '') === `re ${text}`)
        expect(arrived.length, text).toBeGreaterThan(0)
        expect(arrived.slice(1).every(([, , what]) => what.startsWith(mark))).toBe(true)
        expect(new Set(arrived.map(([, id]) => id)).size).toBe(1)
      }
    }
  }
  expect(
    sent.every(([to, , text]) => text.includes(`${to} m`) || text.includes('given up') || text.startsWith('New session')),
  ).toBe(true)
  expect(dropped).toBeLessThan(chats * messages)
  await skein.close()
  await store.close()
  await place.remove()

  async function historyOf(chat: number) {
    const { items } = await skein.gateway.inbox.list({ key: `k1:main:telegram:dm:c=c${chat}`, limit: 200 })
    const rows = items.toReversed()
    return { rows, sessionIds: [...new Set(rows.flatMap(({ session }) => session ?? []))] }
  }
}

const law = 'no message is lost, doubled, put out of order or answered elsewhere, and each answer arrives'
describe('a gateway that is killed again and again (sqlite)', () => {
  verifies('G56 G57', law, () => campaign(sqlitePlace), 3_600_000)
})
describePostgres('a gateway that is killed again and again (postgres)', () => {
  verifies('G56 G57', law, () => campaign(() => postgresPlace(inject('postgres') as DatabaseConfig)), 3_600_000)
})
