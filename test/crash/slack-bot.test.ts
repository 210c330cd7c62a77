import { isType } from '#journal'
import { manualClock } from '#kernel'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { afterAll, afterEach, beforeEach, describe, expect, inject } from 'vitest'
import { type Api, openSlack, type Sent, slackEvent, slackSigned } from '../laws/chat-platforms.ts'
import { describePostgres } from '../postgres/fresh-database.ts'
import type { DatabaseConfig } from '../postgres/server.ts'
import { Crew, type Writer } from './crew.ts'
import { openAt, type Place, postgresPlace, sqlitePlace } from './place.ts'
import type { SlackTask } from './slack-bot.ts'

const begin = 1_795_000_000_000
const lifeMs = 600_000
const mark = '♻️ Sent again after a restart; may be a duplicate.\n'
const crew = new Crew<SlackTask>('slack-bot.ts')
afterAll(() => crew.close())

function campaign(makePlace: () => Promise<Place> | Place): void {
  let place: Place
  let api: Api
  let lives: number
  let going: Writer<SlackTask>
  beforeEach(async () => {
    lives = 0
    api = await openSlack()
    place = await makePlace()
  })
  afterEach(async () => {
    going.kill()
    await going.ended
    api.close()
    await place.remove()
  })

  /** Another life of the bot, as much later as leases last; where it listens. */
  async function live(hangs?: SlackTask['hangs']): Promise<string> {
    going = await crew.next()
    going.begin({
      address: place.address,
      now: begin + ++lives * lifeMs,
      api: api.url,
      ...(hangs === undefined ? {} : { hangs }),
    })
    return (await going.opened) ?? ''
  }

  async function die(): Promise<void> {
    going.kill()
    expect(await going.ended).toBe('SIGKILL')
    await place.settled()
  }

  const post = async (url: string, { body, headers }: Sent): Promise<number> =>
    (await fetch(`${url}/v1/gateway/hooks/slack`, { method: 'POST', headers, body })).status
  const posted = (): unknown[] => api.of('chat.postMessage').map(({ args }) => args['markdown_text'] ?? args['text'])

  /** What stands in the store, read by another process. */
  async function kept<T>(read: (skein: Awaited<ReturnType<typeof openSkein>>) => Promise<T>): Promise<T> {
    const clock = manualClock(begin + lives * lifeMs)
    const store = await openAt(place.address, clock)
    const skein = await openSkein({ store, clock, worker: false })
    try {
      return await read(skein)
    } finally {
      await skein.close()
      await store.close()
    }
  }
  const said = (): Promise<string[]> =>
    kept(async skein => {
      const { items } = await skein.gateway.list()
      const entries = await Promise.all(
        items.map(async ({ sessionId }) => await (await skein.sessions.open(sessionId)).entries({ types: ['message_added'] })),
      )
      return entries.flat().flatMap(entry => (isType(entry, 'message_added') ? [entry.data.role] : []))
    })
  const inbox = (): Promise<string[]> =>
    kept(async skein => (await skein.gateway.inbox.list()).items.map(({ text, state }) => `${text}: ${state}`))
  const outbox = (): Promise<string[]> => kept(async skein => (await skein.gateway.outbox.list()).items.map(({ state }) => state))

  verifies('G54 G56', 'killed before it answers the platform: what comes again is the same message, answered once', async () => {
    const event = slackEvent({ text: 'hello' })
    const unanswered = post(await live('answer'), slackSigned(event)).catch(() => 'cut off')
    await expect.poll(inbox).toEqual([expect.stringContaining('hello: ')])
    await die()
    expect(await unanswered).toBe('cut off')
    const url = await live()
    for (const num of ['1', '2', '3']) expect(await post(url, slackSigned(event, { 'x-slack-retry-num': num }))).toBe(200)
    await expect.poll(inbox).toEqual(['hello: done'])
    await expect.poll(outbox).toEqual(['delivered'])
    expect(await said()).toEqual(['user', 'assistant'])
    expect(new Set(posted().map(text => String(text).replace(mark, '')))).toEqual(new Set(['re hello']))
  })

  verifies('G56', 'killed in the turn: it goes on after the restart, though nothing comes again', async () => {
    expect(await post(await live('model'), slackSigned(slackEvent({ text: 'hello' })))).toBe(200)
    await expect.poll(inbox).toEqual(['hello: running'])
    await die()
    expect(posted()).toEqual([])
    await live()
    await expect.poll(posted).toEqual(['re hello'])
    await expect.poll(inbox).toEqual(['hello: done'])
    expect(await said()).toEqual(['user', 'assistant'])
  })

  verifies('G57', 'killed while it sends: the answer comes again, marked as a possible duplicate', async () => {
    let isHeld = true
    const arrived: string[] = []
    api.before = async ({ path, args }) => {
      if (!path.endsWith('chat.postMessage') || !isHeld) return undefined
      arrived.push(String(args['markdown_text']))
      // It has come, but nobody hears that it has.
      return await new Promise<never>(() => undefined)
    }
    expect(await post(await live(), slackSigned(slackEvent({ text: 'hello' })))).toBe(200)
    await expect.poll(() => arrived).toEqual(['re hello'])
    await die()
    isHeld = false
    await live()
    await expect.poll(posted).toEqual([`${mark}re hello`])
    await expect.poll(outbox).toEqual(['delivered'])
    expect(await said()).toEqual(['user', 'assistant'])
  })
}

describe('a bot on Slack that is killed (sqlite)', () => campaign(sqlitePlace))
describePostgres('a bot on Slack that is killed (postgres)', () => {
  campaign(() => postgresPlace(inject('postgres') as DatabaseConfig))
})
