import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { gate } from './agent-talk.ts'
import { answering, dmKey, fakeAdapter, fates, lastSaid, openRoom, spoken } from './gateway-talk.ts'
import { memoryPlace, onEveryStore } from './stores.ts'

/** A model that answers a message that begins with `wait` once the gate is open. */
const slow = (open: Promise<void>, model = answering) =>
  model(async request => {
    if (lastSaid(request).includes('wait')) await open
    return `re: ${lastSaid(request)}`
  })

onEveryStore('a message while a turn goes on', place => {
  verifies('G62', 'goes into the run, or is the next turn', async () => {
    const open = gate()
    const room = await openRoom(await place(), { model: slow(open.promise) })
    const first = await room.say('wait')
    const steered = await room.say('and this')
    expect(steered).toMatchObject({ status: 'steered', turnId: first.turnId, sessionId: first.sessionId })
    const followed = await room.say('then that', { busy: 'followUp' })
    expect(followed).toMatchObject({ status: 'steered' })
    open.open()
    await room.quiet()
    expect(await fates(room.skein)).toEqual(['wait: done', 'and this: done', 'then that: done'])
    const heard = (await spoken(room.skein, first.sessionId ?? '')).filter(text => text.startsWith('user'))
    expect(heard).toEqual(['user: wait', 'user: and this', 'user: then that'])
    const { items } = await room.gateway.inbox.list()
    expect(items.slice(0, 2).map(({ into }) => into)).toEqual([first.inboxId, first.inboxId])
  })

  verifies('G62', 'that the run ended without showing is said again, once', async () => {
    const open = gate()
    const room = await openRoom(await place(), {
      model: answering(async request => {
        if (lastSaid(request) !== 'wait') return `re: ${lastSaid(request)}`
        await open.promise
        throw new Error('broken')
      }),
    })
    const first = await room.say('wait')
    expect(await room.say('one', { busy: 'followUp' })).toMatchObject({ status: 'steered' })
    expect(await room.say('two', { busy: 'followUp' })).toMatchObject({ status: 'steered' })
    expect(await room.say('three', { busy: 'next' })).toMatchObject({ status: 'queued', position: 1 })
    open.open()
    await room.quiet()
    expect(await fates(room.skein)).toEqual([expect.stringMatching(/^wait: failed/), 'one: done', 'two: done', 'three: done'])
    const heard = (await spoken(room.skein, first.sessionId ?? '')).filter(text => text.startsWith('user'))
    expect(heard).toEqual(['user: wait', 'user: one', 'user: two', 'user: three'])
    expect(room.adapter.texts.slice(1)).toEqual(['re: one', 're: two', 're: three'])
  })

  verifies('G63 G64', 'waits its turn, in order, until the queue is full', async () => {
    const at = await place()
    const open = gate()
    const room = await openRoom(at, { model: slow(open.promise), gateway: { queueMax: 3, busy: 'next' } })
    await room.say('wait')
    const before = await room.gateway.get(dmKey)
    const told = []
    for (const text of ['a', 'b', 'c']) {
      // Whatever the clock says, they are dealt with as they came.
      at.clock.advance(-1_000)
      told.push(await room.say(text))
    }
    expect(told.map(({ status, position }) => [status, position])).toEqual([
      ['queued', 1],
      ['queued', 2],
      ['queued', 3],
    ])
    at.clock.advance(60_000)
    const last = await room.gateway.get(dmKey)
    expect(last?.lastUserAt).toBe((before?.lastUserAt ?? 0) - 3_000)
    expect(await room.say('d')).toMatchObject({ status: 'refused', reason: 'queue_full' })
    expect(await room.say('e', { busy: 'reject' })).toMatchObject({ status: 'refused', reason: 'busy' })
    // What is refused sets no clock.
    expect(await room.gateway.get(dmKey)).toEqual(last)
    open.open()
    await room.quiet()
    expect((await fates(room.skein)).toSorted()).toEqual(
      ['a: done', 'b: done', 'c: done', 'd: refused: queue_full', 'e: refused: busy', 'wait: done'].toSorted(),
    )
    expect(room.adapter.texts.filter(text => text.startsWith('re:'))).toEqual(['re: wait', 're: a', 're: b', 're: c'])
    expect(room.adapter.texts.some(text => text.includes('not taken'))).toBe(true)
  })

  verifies('G64', 'joins others of its sender by collect alone, a part each', async () => {
    const at = await place()
    const open = gate()
    const group = { chatType: 'group', chatId: '-1', threadId: 't' }
    const room = await openRoom(at, { model: slow(open.promise), gateway: { busy: 'collect' } })
    const say = (userId: string, text: string) => room.say(text, { source: { ...group, userId, userName: `U${userId}` } })
    const first = await say('1', 'wait')
    const told = []
    for (const [user, text] of [
      ['1', 'a'],
      ['2', 'b'],
      ['1', 'c'],
    ] as const)
      told.push(await say(user, text))
    expect(told.map(({ status }) => status)).toEqual(['collected', 'collected', 'collected'])
    open.open()
    await room.quiet()
    expect(await fates(room.skein)).toEqual(['wait: done', 'a: done', 'b: done', 'c: done'])
    const heard = (await spoken(room.skein, first.sessionId ?? '')).filter(text => text.startsWith('user'))
    expect(heard).toEqual(['user: [U1] wait', 'user: [U1] a|[U1] c', 'user: [U2] b'])
  })

  verifies('G64', 'is dropped if its sender may speak no more when its turn comes', async () => {
    const open = gate()
    const room = await openRoom(await place(), {
      model: slow(open.promise),
      gateway: { platforms: { telegram: { allow: ['42'] } } },
    })
    const stranger = { chatId: 's', userId: 's' }
    await room.say('hi', { source: stranger })
    await room.quiet()
    const code = /code is (\w{8})/.exec(room.adapter.texts[0] ?? '')?.[1] ?? ''
    const { id } = await room.gateway.pairings.approve(code)
    await room.say('wait', { source: stranger })
    await room.say('later', { source: stranger, busy: 'next' })
    expect(await room.gateway.pairings.revoke(id)).toBe(true)
    open.open()
    await room.quiet()
    expect(await fates(room.skein)).toEqual(['hi: refused: unauthorized', 'wait: done', 'later: dropped: unauthorized'])
  })

  verifies('G64 G62', 'interrupts: the run is cancelled and it comes first', async () => {
    const room = await openRoom(await place(), {
      model: answering(async request => {
        if (lastSaid(request) === 'hang') await new Promise(() => undefined)
        return `re: ${lastSaid(request)}`
      }),
    })
    await room.say('hang')
    await room.say('waits', { busy: 'next' })
    expect(await room.say('now', { busy: 'interrupt' })).toMatchObject({ status: 'interrupting', position: 1 })
    await room.quiet()
    expect(await fates(room.skein)).toEqual(['hang: done: user_cancelled', 'waits: done', 'now: done'])
    expect(room.adapter.texts).toEqual(['re: now', 're: waits'])
  })

  verifies('G24', 'a turn whose route has moved on keeps its answer to itself', async () => {
    const open = gate()
    const room = await openRoom(await place(), { model: slow(open.promise) })
    const first = await room.say('wait')
    const other = await room.skein.sessions.create()
    await room.gateway.switch(dmKey, other.id)
    expect(await room.say('new')).toMatchObject({ sessionId: other.id })
    open.open()
    await room.quiet()
    expect(await fates(room.skein)).toEqual(['wait: done: route.stale', 'new: done'])
    expect(room.adapter.texts).toEqual(['re: new'])
    expect((await spoken(room.skein, first.sessionId ?? ''))[0]).toBe('user: wait')
    expect((await room.gateway.get(dmKey))?.openTurn).toBeUndefined()
  })

  verifies('G55 G24', 'many at once, through resets, a deleted session and one that was ended', async () => {
    const room = await openRoom(await place(), { gateway: { busy: 'next', queueMax: 100 } })
    const texts = Array.from({ length: 12 }, (_, n) => `m${n}`)
    const told = await Promise.all(texts.map(text => room.say(text)))
    expect(told.map(({ status }) => status)).toEqual(['started', ...texts.slice(1).map(() => 'queued')])
    await room.quiet()
    expect(room.adapter.texts).toEqual(texts.map(text => `re: ${text}`))
    const session = await room.skein.sessions.open(told[0]?.sessionId ?? '')
    await session.end('done')
    const after = await room.say('after the end')
    await room.quiet()
    expect(room.adapter.texts.at(-1)).toBe('re: after the end')
    expect(after.sessionId).toBe(session.id)
    await room.skein.sessions.delete(session.id)
    const fresh = await room.say('after all')
    expect(fresh.sessionId).not.toBe(session.id)
    await room.quiet()
    expect(room.adapter.texts.at(-1)).toBe('re: after all')
  })
})

describe('two persons who turn out to be one', () => {
  verifies('G17 G55', 'keep what waits of theirs in the order in which it was said', async () => {
    const open = gate()
    const room = await openRoom(await memoryPlace(), {
      model: slow(open.promise),
      adapter: fakeAdapter('whatsapp'),
      gateway: { busy: 'next', platforms: { whatsapp: { allow: 'all' } } },
    })
    const lid = { platform: 'whatsapp', chatId: '900@lid', userId: '900@lid' }
    const phone = { platform: 'whatsapp', chatId: '15551234567@s.whatsapp.net', userId: '15551234567@s.whatsapp.net' }
    const say = (text: string, source: object): Promise<unknown> => room.say(text, { source })
    await say('wait', lid)
    await say('one', lid)
    await say('two', lid)
    expect(await room.gateway.get('k1:main:whatsapp:dm:c=15551234567')).toBeNull()
    await room.gateway.identities.learn('whatsapp', '900@lid', '+15551234567')
    expect(await say('three', phone)).toMatchObject({ status: 'queued', position: 3 })
    open.open()
    await room.quiet()
    expect(room.adapter.texts).toEqual(['re: wait', 're: one', 're: two', 're: three'])
  })

  verifies('G17 G55', 'keep it also where both had a session, and the one that stays comes to another key', async () => {
    const open = gate()
    const at = await memoryPlace()
    const room = await openRoom(at, {
      model: slow(open.promise),
      adapter: fakeAdapter('signal'),
      gateway: { busy: 'next', platforms: { signal: { allow: 'all' } } },
    })
    const [a, b] = [
      { platform: 'signal', chatId: '', userId: 'a' },
      { platform: 'signal', chatId: '', userId: 'bb' },
    ]
    const say = (text: string, source: object): Promise<{ status: string }> => room.say(text, { source })
    await say('wait a', a)
    await say('a1', a)
    await say('a2', a)
    at.clock.advance(1)
    await say('wait b', b)
    await say('b1', b)
    await room.gateway.identities.learn('signal', 'a', 'bb')
    const { items } = await room.gateway.list()
    expect(items).toHaveLength(1)
    expect(await say('last', a)).toMatchObject({ status: 'queued', position: 4 })
    open.open()
    await room.quiet()
    const answers = room.adapter.texts.filter(text => !text.includes('wait'))
    expect(answers).toEqual(['re: a1', 're: a2', 're: b1', 're: last'])
  })
})
