import { keyOf } from '#gateway'
import { SkeinError } from '#kernel'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { gate } from './agent-talk.ts'
import { answering, dm, dmKey, fakeAdapter, fates, lastSaid, openRoom, spoken } from './gateway-talk.ts'
import { memoryPlace, onEveryStore } from './stores.ts'

const hour = 3_600_000

describe('a message that is about to open a thread', () => {
  const channel = { platform: 'slack', chatType: 'channel', chatId: 'C1', scopeId: 'T1', userId: 'U1' }

  verifies('G13', 'has the key of the messages in it, whoever says them', async () => {
    const opening = { ...channel, prospectiveThreadId: 171.5 * 2 }
    const inside = { ...channel, userId: 'U2', threadId: '343' }
    expect(keyOf(opening)).toBe('k1:main:slack:channel:s=T1:c=C1:t=343')
    expect(keyOf(opening)).toBe(keyOf(inside))
    expect(keyOf({ ...channel, prospective_thread_id: '343' } as typeof channel)).toBe(keyOf(inside))
    expect(keyOf({ ...opening, threadId: 'other' })).toBe(keyOf({ ...inside, threadId: 'other' }))
    const each = { threadSessionsPerUser: true }
    expect(keyOf(opening, each)).toBe(keyOf({ ...inside, userId: 'U1' }, each))
  })

  verifies('G13 G71', 'begins the session of the thread, and is answered in it', async () => {
    const adapter = fakeAdapter('slack')
    const room = await openRoom(await memoryPlace(), { adapter, gateway: { platforms: { slack: { allow: 'all' } } } })
    const first = await room.gateway.handle({ source: { ...channel, prospectiveThreadId: '17' }, text: 'open it' })
    await room.quiet()
    const next = await room.gateway.handle({ source: { ...channel, userId: 'U2', threadId: '17' }, text: 'and on' })
    await room.quiet()
    expect(next.sessionId).toBe(first.sessionId)
    expect(adapter.sent.map(({ chat }) => chat)).toEqual(['C1/17', 'C1/17'])
    expect(await room.gateway.prompt({ ...channel, prospectiveThreadId: '17' })).toContain('Multi-user thread')
    // In the channel itself it is another one.
    expect((await room.gateway.resolve(channel)).session.id).not.toBe(first.sessionId)
  })
})

onEveryStore('links between persons of several platforms', place => {
  const links = { alice: ['telegram:123', 'Discord:987', 'whatsapp:+15551234567', 'irc:ally'] }

  verifies('G18', 'join their DMs in one session, and nobody else meets it', async () => {
    const at = await place()
    const skein = await at.open({ gateway: { dmScope: 'person', identityLinks: links } })
    const { gateway } = skein
    const telegram = await gateway.resolve({ platform: 'telegram', chatId: '123', userId: 123 })
    expect([telegram.route.key, telegram.created, telegram.isShared]).toEqual(['k1:main:person:dm:u=alice', true, false])
    const others = [
      { platform: 'discord', chatId: 'D7', userId: '987', threadId: 't' },
      { platform: 'whatsapp', chatId: '15551234567@s.whatsapp.net' },
      { platform: 'irc', userId: 'ally' },
    ]
    for (const source of others) {
      const met = await gateway.resolve(source)
      expect([met.session.id, met.created]).toEqual([telegram.session.id, false])
      expect((await gateway.explain(source)).key).toBe(telegram.route.key)
      expect(keyOf(source, { dmScope: 'person', identityLinks: links })).toBe(telegram.route.key)
    }
    // An alias that is learnt later is hers, too.
    await gateway.identities.learn('telegram', '123', '124')
    expect((await gateway.resolve({ platform: 'telegram', chatId: 'x', userId: '124' })).session.id).toBe(telegram.session.id)
    const strangers = [
      { platform: 'irc', userId: 'alice' },
      { platform: 'irc', chatId: 'alice', userId: 'alice' },
      { platform: 'telegram', chatId: '987', userId: '987' },
      { platform: 'telegram', chatId: '-100', chatType: 'group', userId: '123' },
    ]
    const seen = new Set([telegram.session.id])
    for (const source of strangers) {
      const met = await gateway.resolve(source)
      expect([source, met.route.key.startsWith('k1:main:person'), seen.has(met.session.id)]).toEqual([source, false, false])
      seen.add(met.session.id)
      expect((await skein.sessions.open(met.session.id)).id).toBe(met.session.id)
    }
    const [mine, nick] = await Promise.all(
      [telegram.route.key, 'k1:main:irc:dm:u=alice'].map(async key => {
        const session = await skein.sessions.open((await gateway.get(key))?.sessionId ?? '')
        return (await session.info()).user
      }),
    )
    expect([mine, nick]).toEqual(['person:alice', 'alice'])
    await expect(gateway.resolve({ platform: 'person', userId: 'alice' })).rejects.toThrow(SkeinError)
  })

  verifies('G18 G45', 'let her go back to what she left on any platform, and a nick of that name never', async () => {
    const at = await place()
    const skein = await at.open({ gateway: { dmScope: 'person', identityLinks: links } })
    const { gateway } = skein
    const ally = { platform: 'irc', userId: 'ally' }
    const first = await gateway.resolve(ally)
    const second = await gateway.resolve({ platform: 'telegram', chatId: '123', userId: '123' }, { forceNew: true })
    const nick = await gateway.resolve({ platform: 'irc', userId: 'alice' })
    const steal = gateway.switch(nick.route.key, first.session.id, { actor: { platform: 'irc', userId: 'alice' } })
    await expect(steal).rejects.toMatchObject({ code: 'session.not_found' })
    const back = await gateway.switch(second.route.key, first.session.id, { actor: ally })
    expect(back?.sessionId).toBe(first.session.id)
    const group = await gateway.resolve({ platform: 'telegram', chatId: '-1', chatType: 'group', userId: '123' })
    const taken = await gateway.switch(group.route.key, second.session.id, { actor: { platform: 'telegram', userId: '123' } })
    expect(taken?.sessionId).toBe(second.session.id)
  })
})

describe('a link', () => {
  verifies('G18', 'without a platform that is known, or of two persons, is refused with all others', async () => {
    const at = await memoryPlace()
    const refused = async (identityLinks: unknown, more: object = {}): Promise<unknown> =>
      await at.open({ gateway: { identityLinks: identityLinks as never, dmScope: 'person', ...more } }).then(
        () => null,
        (error: SkeinError) => [error.code, (error.details['issues'] as { path: string }[]).map(({ path }) => path)],
      )
    const path = 'gateway.identityLinks'
    for (const link of ['alice', '123', 'nowhere:1', ':1', 'telegram:', 'person:alice', 'legacy:x', ''])
      expect([link, await refused({ alice: [link] })]).toEqual([link, ['config.invalid', [`${path}.alice[0]`]]])
    expect(await refused({ alice: ['telegram:1', 'x:1'], bob: ['telegram:1'] }, { busy: 'no' })).toEqual([
      'config.invalid',
      expect.arrayContaining(['gateway.busy', `${path}.alice[1]`, `${path}.bob[0]`]),
    ])
    expect(await refused({ alice: 'telegram:1' })).toEqual(['config.invalid', [`${path}.alice`]])
    expect(await refused({ alice: ['mybot:1'] }, { platforms: { mybot: {} } })).toBeNull()
    // Without the scope links say nothing.
    const skein = await at.open({ gateway: { identityLinks: { alice: ['telegram:123'] } } })
    expect((await skein.gateway.resolve({ platform: 'telegram', chatId: '5', userId: '123' })).route.key).toBe(
      'k1:main:telegram:dm:c=5',
    )
  })
})

describe('the rule of a chat', () => {
  verifies('G30 G31', 'goes before its platform, a thread before its chat, and is written as targets are', async () => {
    const at = await memoryPlace()
    const idle = (idleMinutes: number) => ({ mode: 'idle', idleMinutes }) as const
    const skein = await at.open({
      gateway: {
        reset: {
          default: 'none',
          byPlatform: { telegram: idle(60) },
          byChat: {
            'Telegram:-100': idle(10),
            'telegram:-100:7': 'none',
            'matrix:!r:ex.org': idle(5),
            'whatsapp:+1555': idle(3),
          },
        },
      },
    })
    const rule = async (source: object): Promise<string> => (await skein.gateway.explain(source as typeof dm)).rule.name
    const group = { platform: 'telegram', chatType: 'group', chatId: '-100', userId: 'u' }
    expect(await rule(group)).toBe('byChat.telegram:-100')
    expect(await rule({ ...group, threadId: '7' })).toBe('byChat.telegram:-100:7')
    expect(await rule({ ...group, threadId: '8' })).toBe('byChat.telegram:-100')
    expect(await rule({ ...group, chatId: '-1001' })).toBe('byPlatform.telegram')
    expect(await rule({ platform: 'matrix', chatType: 'group', chatId: '!r:ex.org' })).toBe('byChat.matrix:!r:ex.org')
    expect(await rule({ platform: 'slack', chatId: '-100' })).toBe('default')
    const first = await skein.gateway.resolve(group)
    const inThread = await skein.gateway.resolve({ ...group, threadId: '7' })
    at.clock.advance(10 * 60_000)
    expect((await skein.gateway.resolve(group, { touch: false })).created).toBe(false)
    at.clock.advance(1)
    expect((await skein.gateway.resolve(group)).reset).toMatchObject({ reason: 'idle', previousSessionId: first.session.id })
    at.clock.advance(100 * hour)
    expect((await skein.gateway.resolve({ ...group, threadId: '7' })).session.id).toBe(inThread.session.id)
    for (const name of ['telegram', 'local', '-100', 'person:x', 'telegram:1:2:3'])
      await expect(at.open({ gateway: { reset: { byChat: { [name]: 'idle' } } } })).rejects.toMatchObject({
        code: 'config.invalid',
        details: { path: `gateway.reset.byChat.${name}` },
      })
  })
})

onEveryStore('a route that is paused', place => {
  verifies('G63 G64', 'takes messages in, and they wait in their order until it goes on', async () => {
    const at = await place()
    const open = gate()
    const model = answering(async request => {
      if (lastSaid(request) === 'slow') await open.promise
      return `re: ${lastSaid(request)}`
    })
    const room = await openRoom(at, { model, gateway: { queueMax: 2, reset: { default: { mode: 'idle', idleMinutes: 1 } } } })
    expect([await room.gateway.pause(dmKey), await room.gateway.unpause(dmKey)]).toEqual([false, false])
    const first = await room.say('slow')
    expect(await room.gateway.pause(dmKey, 'lunch')).toBe(true)
    expect((await room.gateway.list({ hold: 'paused' })).items.map(({ key }) => key)).toEqual([dmKey])
    // The turn that goes on ends as it would, and hears no more.
    expect(await room.say('one', { busy: 'steer' })).toMatchObject({ status: 'queued', position: 1, reason: 'paused' })
    expect(await room.say('two', { busy: 'interrupt' })).toMatchObject({ status: 'queued', position: 2 })
    expect(await room.say('three')).toMatchObject({ status: 'refused', reason: 'queue_full' })
    open.open()
    await expect.poll(() => fates(room.skein)).toContainEqual('slow: done')
    at.clock.advance(hour)
    // Neither time nor what users say ends it.
    expect((await room.gateway.resolve(dm, { touch: false })).session.id).toBe(first.sessionId)
    await room.say('/new')
    const now = await room.gateway.get(dmKey)
    expect(now?.holds.map(({ kind, reason }) => [kind, reason])).toEqual([['paused', 'lunch']])
    expect(await room.gateway.prune(1)).toBe(0)
    const other = await openRoom(at, { start: false })
    expect(await other.gateway.explain(dm)).toMatchObject({ decision: { action: 'keep' } })
    expect(await fates(room.skein)).toEqual(expect.arrayContaining(['one: queued', 'two: queued']))
    expect([await room.gateway.unpause(dmKey), await room.gateway.unpause(dmKey)]).toEqual([true, false])
    await room.quiet()
    const heard = (await spoken(room.skein, now?.sessionId ?? '')).filter(text => text.startsWith('user'))
    expect(heard).toEqual(['user: one', 'user: two'])
    // An operator's reset takes it away.
    await room.gateway.pause(dmKey)
    expect((await room.gateway.reset(dmKey))?.holds).toEqual([])
  })
})
