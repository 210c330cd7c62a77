import { SkeinError, systemTimers, type Timers } from '#kernel'
import type { GatewayOptions } from '#gateway'
import { verifies } from '#verifies'
import { expect } from 'vitest'
import { answering, dmKey, fakeAdapter, fates, lastSaid, openRoom, type Room, spoken } from './gateway-talk.ts'
import { onEveryStore, type Place } from './stores.ts'

const minute = 60_000
const hung = () => answering(() => new Promise<string>(() => undefined))

interface Dead extends Room {
  revive(): void
}

/** How often a lease is renewed. */
const renewMs = 5_000

/** A process that dies while it answers: its leases run out. */
async function dies(at: Place, said: (room: Room) => Promise<unknown>, gateway: GatewayOptions = {}): Promise<Dead> {
  let isDead = false
  const timers: Timers = { after: (ms, run) => systemTimers.after(ms, () => (isDead && ms === renewMs ? undefined : run())) }
  const model = hung()
  const room = await openRoom(at, { model, gateway, timers })
  await said(room)
  // What it writes before it asks renews its lease.
  await expect.poll(() => model.requests.length).toBeGreaterThan(0)
  isDead = true
  at.clock.advance(minute)
  return { ...room, revive: () => void (isDead = false) }
}
const bury = async (...dead: readonly Dead[]): Promise<void> => {
  for (const { skein, revive } of dead) {
    revive()
    await skein.close({ waitMs: 0 })
  }
}
const holds = async ({ gateway }: Room): Promise<unknown> =>
  (await gateway.get(dmKey))?.holds.map(({ kind, reason }) => `${kind} ${reason}`)

onEveryStore('recovery', place => {
  verifies('G41', 'an interrupted turn goes on by itself, and what came meanwhile runs after it, in order', async () => {
    const at = await place()
    const dead = await dies(at, async room => {
      await room.say('one')
      await room.say('steered')
      await room.say('two', { busy: 'next' })
    })
    const room = await openRoom(at)
    const { sessionId = '' } = await room.say('three', { busy: 'next' })
    await room.quiet()
    const { items } = await room.gateway.inbox.list()
    expect(items.toReversed().map(({ text, state }) => `${text}: ${state}`)).toEqual(
      ['one', 'steered', 'two', 'three'].map(text => `${text}: done`),
    )
    const heard = (await spoken(room.skein, sessionId)).filter(text => text.startsWith('user'))
    expect(heard).toEqual(['user: one', 'user: steered', 'user: two', 'user: three'])
    expect(room.adapter.texts.slice(-2)).toEqual(['re: two', 're: three'])
    expect([await holds(room), (await room.gateway.get(dmKey))?.interruptions]).toEqual([[], 0])
    await bury(dead)
  })

  verifies('G41', 'what cannot go on by itself is ended by the next message, with one note', async () => {
    for (const [gateway, isNoted] of [
      [{ autoResume: false }, true],
      [{ resumeWindowMinutes: 30 }, false],
    ] as const) {
      const at = await place()
      const dead = await dies(at, room => room.say('one'))
      const model = answering()
      const idle = await openRoom(at, { start: false, model, gateway: { ...gateway, reset: 'both' } })
      expect(await idle.gateway.recover(0, { only: 'unfinished' })).toBe(1)
      expect(await holds(idle)).toEqual(['resume_pending restart_interrupted'])
      at.clock.advance(isNoted ? minute : 48 * 60 * minute)
      await idle.gateway.start({ adapters: [idle.adapter] })
      expect(model.requests).toEqual([])
      const { sessionId = '' } = await idle.say('two')
      await idle.quiet()
      expect(await fates(idle.skein)).toEqual(['one: dropped: interrupted', 'two: done'])
      const asked = JSON.stringify(model.requests)
      expect(asked.includes('the last turn was cut short by a gateway interruption.')).toBe(isNoted)
      const before = model.requests.length
      await idle.say('three')
      await idle.quiet()
      expect(model.requests.length).toBe(before + 1)
      expect((await spoken(idle.skein, sessionId)).filter(text => text.startsWith('user'))).toEqual([
        'user: one',
        'user: two',
        'user: three',
      ])
      expect(await holds(idle)).toEqual([])
      await bury(dead)
    }
  })

  verifies('G42', 'whoever may not speak any more is not answered, and the mark stays', async () => {
    const at = await place()
    const dead = await dies(at, room => room.say('one'))
    const model = answering()
    const room = await openRoom(at, { model, gateway: { platforms: { telegram: { allow: ['7'] } } } })
    expect(await holds(room)).toEqual(['resume_pending restart_interrupted'])
    expect(await room.say('more')).toMatchObject({ status: 'refused', reason: 'unauthorized' })
    expect((await room.gateway.inbox.list({ state: 'interrupted' })).items).toHaveLength(1)
    expect(await holds(room)).toEqual(['resume_pending restart_interrupted'])
    expect(model.requests).toEqual([])
    await bury(dead)
  })

  verifies('G40', 'three interruptions in a row suspend, and the message is given up', async () => {
    const at = await place()
    const dead = [await dies(at, room => room.say('loop'))]
    for (let n = 1; n < 3; n++) {
      dead.push(
        await dies(at, async room => {
          await expect.poll(async () => (await room.gateway.inbox.list({ state: 'running' })).items).toHaveLength(1)
          expect((await room.gateway.get(dmKey))?.interruptions).toBe(n)
        }),
      )
    }
    const room = await openRoom(at)
    await room.quiet()
    expect(await fates(room.skein)).toEqual(['loop: dropped: stuck_loop'])
    expect(await holds(room)).toEqual(['suspended stuck_loop'])
    expect(room.adapter.texts.at(-1)).toContain('given up')
    const before = (await room.gateway.get(dmKey))?.sessionId
    expect((await room.say('hello')).sessionId).not.toBe(before)
    await room.quiet()
    await bury(...dead)
  })

  verifies('G40 G38', 'a completed turn ends the count and the mark, a failed or cancelled one neither', async () => {
    const at = await place()
    const dead = [await dies(at, room => room.say('one'))]
    const noResume = { autoResume: false }
    dead.push(await dies(at, room => room.say('two'), noResume))
    expect((await dead[1]?.gateway.get(dmKey))?.interruptions).toBe(1)
    const failure = new SkeinError('provider.rejected', 'no')
    const room = await openRoom(at, {
      gateway: noResume,
      model: answering(async request => {
        if (lastSaid(request) === 'hang') await new Promise(() => undefined)
        return lastSaid(request) === 'fail' ? { failure } : 'ok'
      }),
    })
    await room.say('fail')
    await room.quiet()
    await room.say('hang')
    await room.say('fail', { busy: 'interrupt' })
    await room.quiet()
    expect([await holds(room), (await room.gateway.get(dmKey))?.interruptions]).toEqual([
      ['resume_pending restart_interrupted'],
      2,
    ])
    await room.say('good')
    await room.quiet()
    expect([await holds(room), (await room.gateway.get(dmKey))?.interruptions]).toEqual([[], 0])
    await room.skein.close()
    dead.push(await dies(at, room => room.say('three')))
    const last = await openRoom(at, { start: false })
    await last.gateway.recover(0, { only: 'unfinished' })
    expect([await holds(last), (await last.gateway.get(dmKey))?.interruptions]).toEqual([
      ['resume_pending restart_interrupted'],
      1,
    ])
    await bury(...dead)
  })

  verifies('G41', 'a gateway that stops marks what it leaves and tells each chat once; the next one goes on', async () => {
    const at = await place()
    const leaving = await openRoom(at, { model: hung() })
    const group = { chatType: 'group', chatId: '-5' }
    await leaving.say('one')
    for (const userId of ['1', '2']) await leaving.say('group', { source: { ...group, userId } })
    await leaving.gateway.stop({ drainMs: 0 })
    expect(leaving.adapter.sent.map(({ chat, kind }) => `${chat} ${kind}`).toSorted()).toEqual(['-5 notice', '99 notice'])
    expect(await leaving.say('late').catch((error: unknown) => (error as SkeinError).code)).toBe('server.stopping')
    expect(await holds(leaving)).toEqual(['resume_pending shutdown_timeout'])
    await leaving.skein.close()
    const room = await openRoom(at)
    await room.quiet()
    expect((await fates(room.skein)).toSorted()).toEqual(['group: done', 'group: done', 'one: done'])
    expect(room.adapter.sent.map(({ chat }) => chat).toSorted()).toEqual(['-5', '-5', '99'])
    expect((await room.gateway.get(dmKey))?.interruptions).toBe(0)
  })

  verifies('G41', 'only the gateway carries routed sessions on', async () => {
    const at = await place()
    const dead = await dies(at, room => room.say('one'))
    const adapter = fakeAdapter()
    const room = await openRoom(at, { start: false, adapter })
    const [left] = await room.skein.sessions.recover()
    expect(left).toMatchObject({ recovery: null, code: 'session.routed' })
    expect((await room.gateway.inbox.list({ state: 'running' })).items).toHaveLength(1)
    await room.gateway.start({ adapters: [adapter] })
    await room.quiet()
    expect(await room.skein.sessions.recover()).toEqual([])
    expect(adapter.texts).toEqual(['re: one'])
    await bury(dead)
  })
})
