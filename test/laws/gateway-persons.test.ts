import { isType } from '#journal'
import type { Route, SourceInput } from '#gateway'
import type { Session, Skein } from '#skein'
import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { codeOf } from './agent-talk.ts'
import { memoryPlace, onEveryStore, type Place } from './stores.ts'

const phone = '15551234567'
const lid = '900000000000001'
const whatsapp = (chatId: string): { platform: string; chatId: string } => ({ platform: 'whatsapp', chatId })
const group = (userId: string): SourceInput => ({
  platform: 'whatsapp',
  chatType: 'group',
  chatId: '1@g.us',
  userId,
})
const endReason = async (session: Session): Promise<string | undefined> =>
  (await session.entries({ types: ['session_ended'] }))
    .flatMap(entry => (isType(entry, 'session_ended') ? [entry.data.reason] : []))
    .at(-1)

onEveryStore('persons', place => {
  const begin = async (): Promise<{ at: Place; skein: Skein }> => {
    const at = await place()
    return { at, skein: await at.open() }
  }

  verifies('G14', 'a LID that was mapped before its first message is its phone', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    expect(await gateway.identities.learn('WhatsApp', `${lid}@lid`, `+${phone}`)).toEqual({
      canonical: phone,
      aliases: [phone, lid],
    })
    const spoken = await gateway.resolve(whatsapp(`${lid}@lid`))
    expect(spoken.route).toMatchObject({ legacyKey: `agent:main:whatsapp:dm:${phone}`, key: `k1:main:whatsapp:dm:c=${phone}` })
    expect((await gateway.resolve(whatsapp(`${phone}:47@s.whatsapp.net`))).session.id).toBe(spoken.session.id)
    expect((await gateway.resolve(whatsapp('800@lid'))).route.legacyKey).toBe('agent:main:whatsapp:dm:800')
    // In a group, too.
    expect((await gateway.resolve(group(`${lid}@lid`))).route.key).toBe(`k1:main:whatsapp:group:c=1@g.us:u=${phone}`)
  })

  verifies('G16', 'a LID speaks, its phone is learnt, the phone speaks: one session, and circles change nothing', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const spoken = await gateway.resolve(whatsapp(`${lid}@lid`))
    const learn = (a: string, b: string): ReturnType<typeof gateway.identities.learn> =>
      gateway.identities.learn('whatsapp', a, b)
    const learnt = await learn(phone, `${lid}@lid`)
    expect(learnt.canonical).toBe(lid)
    expect((await gateway.resolve(whatsapp(phone))).session.id).toBe(spoken.session.id)
    expect(await learn(lid, phone)).toEqual(learnt)
    await learn(phone, '77')
    await learn('77', lid)
    expect(await learn(lid, '77')).toEqual(await learn('77', phone))
    expect((await gateway.resolve(whatsapp('77'))).session.id).toBe(spoken.session.id)
    expect((await gateway.list()).items).toHaveLength(1)
    for (const bad of ['a b', '', 'x/y', '@lid', 'é']) expect(await codeOf(learn(bad, phone)), bad).toBe('input.invalid')
    expect(await codeOf(gateway.identities.learn('tele gram', '1', '2'))).toBe('input.invalid')
    // Other platforms, scopes and tenants know nothing of it.
    expect((await gateway.explain({ platform: 'signal', userId: phone })).identity?.aliases).toEqual([phone])
    expect((await skein.in('other').gateway.explain(whatsapp(phone))).key).toBe(`k1:main:whatsapp:dm:c=${phone}`)
  })

  verifies('G16', 'a source with both user ids teaches them, the stable one first', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const both = { platform: 'signal', userId: '+1', userIdAlt: 'a-long-uuid' }
    const first = await gateway.resolve(both)
    expect(first.route.key).toBe('k1:main:signal:dm:u=a-long-uuid')
    expect((await gateway.resolve({ platform: 'signal', userId: '+1' })).session.id).toBe(first.session.id)
    // Who was there stays who they are.
    const old = await gateway.resolve({ platform: 'signal', userId: '+2' })
    const now = await gateway.resolve({ platform: 'signal', userId: '+2', userIdAlt: 'uuid-2' })
    expect([now.session.id, now.route.key]).toEqual([old.session.id, 'k1:main:signal:dm:u=%2B2'])
    expect((await gateway.resolve({ platform: 'signal', userIdAlt: 'uuid-2' })).session.id).toBe(old.session.id)
    // A workspace of its own.
    const elsewhere = await gateway.resolve({ platform: 'signal', userId: '+2', scopeId: 'S' })
    expect(elsewhere.session.id).not.toBe(old.session.id)
  })

  verifies('G17', 'of two who were one, the session that was used last stays, and the old key leads there', async () => {
    for (const later of ['phone', 'lid'] as const) {
      const { at, skein } = await begin()
      const { gateway } = skein
      const [earlier, latest] = later === 'phone' ? [lid, phone] : [phone, lid]
      const lost = await gateway.resolve(whatsapp(earlier))
      const lostGroup = await gateway.resolve(group(earlier))
      await lost.session.record({ user: 'hi', assistant: 'ho' })
      at.clock.advance(1_000)
      const kept = await gateway.resolve(whatsapp(latest))
      at.clock.advance(1_000)
      const learnt = await gateway.identities.learn('whatsapp', earlier, latest)
      expect(learnt.canonical).toBe(latest)
      expect(await endReason(lost.session)).toBe('session_merged')
      expect((await kept.session.info()).state).toBe('active')
      for (const key of [lost.route.key, lost.route.legacyKey, kept.route.key, kept.route.legacyKey])
        expect((await gateway.get(key))?.sessionId, key).toBe(kept.session.id)
      for (const id of [earlier, latest]) expect((await gateway.resolve(whatsapp(id))).session.id).toBe(kept.session.id)
      // A route that the other did not have goes with its person, whole.
      const inGroup = await gateway.resolve(group(latest))
      expect([inGroup.session.id, inGroup.created]).toEqual([lostGroup.session.id, false])
      expect((await lostGroup.session.info()).state).toBe('active')
      expect((await gateway.get(lostGroup.route.key))?.key).toBe(inGroup.route.key)
      expect((await gateway.list()).items).toHaveLength(2)
      // It stays that person's to resume.
      const back = await gateway.switch(kept.route.key, lost.session.id, { actor: { platform: 'whatsapp', userId: earlier } })
      expect(back?.sessionId).toBe(lost.session.id)
      expect((await gateway.identities.learn('whatsapp', latest, earlier)).canonical).toBe(latest)
      await skein.close()
    }
  })

  verifies('G17', 'the later session stays also where the other person was heard last elsewhere', async () => {
    const { at, skein } = await begin()
    const { gateway } = skein
    const one = await gateway.resolve(whatsapp(phone))
    at.clock.advance(1_000)
    const two = await gateway.resolve(whatsapp(lid))
    at.clock.advance(1_000)
    await gateway.resolve(group(phone))
    expect((await gateway.identities.learn('whatsapp', lid, phone)).canonical).toBe(phone)
    const now = await gateway.resolve(whatsapp(phone))
    expect([now.session.id, now.route.key, now.route.generation]).toEqual([two.session.id, one.route.key, 2])
    expect(await endReason(one.session)).toBe('session_merged')
    expect(await endReason(two.session)).toBeUndefined()
    await gateway.suspend(two.route.key)
    expect((await gateway.get(now.route.key))?.holds).toHaveLength(1)
  })

  verifies('G12', 'an imported route is adopted by the first source with its key, once', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const store = skein.store.in('default')
    const waiting = async (key: string, legacyKey: string): Promise<Session> => {
      const session = await skein.sessions.create()
      const route: Omit<Route, 'version'> & { waits: true } = {
        key,
        legacyKey,
        agent: 'main',
        sessionId: session.id,
        generation: 1,
        origin: { platform: 'slack', chatType: 'channel', chatId: 'C1', isBot: false },
        platform: 'slack',
        chatType: 'channel',
        startedAt: 1,
        lastUserAt: 1,
        lastActivityAt: 1,
        holds: [],
        interruptions: 0,
        expiryFinalized: false,
        waits: true,
      }
      await store.commit([
        { type: 'put_route', key, value: route as never, sort: -1, expectVersion: 0 },
        { type: 'put_record', collection: 'gateway.legacy', key: legacyKey, value: { keys: [key] } },
      ])
      return session
    }
    const legacyKey = 'agent:main:slack:channel:C1:U1'
    const scopeless = await waiting('k1:main:slack:channel:c=C1:u=U1', legacyKey)
    const source = { platform: 'slack', chatType: 'channel', chatId: 'C1', userId: 'U1' }
    expect((await gateway.explain({ ...source, scopeId: 'T1' })).decision).toMatchObject({
      action: 'adopt',
      sessionId: scopeless.id,
    })
    const first = await gateway.resolve({ ...source, scopeId: 'T1' })
    expect([first.session.id, first.created, first.reset]).toEqual([scopeless.id, false, null])
    expect(first.route).toMatchObject({ key: 'k1:main:slack:channel:s=T1:c=C1:u=U1', origin: { scopeId: 'T1', userId: 'U1' } })
    expect(first.route).not.toHaveProperty('waits')
    const second = await gateway.resolve({ ...source, scopeId: 'T2' })
    expect([second.created, second.session.id === scopeless.id]).toEqual([true, false])
    expect((await gateway.resolve({ ...source, scopeId: 'T1' })).session.id).toBe(scopeless.id)
    expect(await codeOf(gateway.get(legacyKey))).toBe('key.ambiguous')
    // One of which nothing but its string is known.
    const odd = 'agent:main:telegram:dm:99'
    const { formatKey } = await import('#gateway')
    const unknown = await waiting(formatKey({ agent: 'main', platform: 'legacy', type: 'dm', chat: odd }), odd)
    expect((await gateway.get(odd))?.sessionId).toBe(unknown.id)
    const adopted = await gateway.resolve({ platform: 'telegram', chatId: '99' })
    expect([adopted.session.id, adopted.route.key]).toEqual([unknown.id, 'k1:main:telegram:dm:c=99'])
    expect((await gateway.get(odd))?.key).toBe('k1:main:telegram:dm:c=99')
    expect((await unknown.entries({ types: ['route_bound'] })).length).toBe(1)
  })
})

describe('learning', () => {
  verifies('G16', 'comes to the same persons in whatever order pairs are learnt, as long as nobody has spoken', async () => {
    const ids = ['1', '22', '33', '444', '5555']
    const pair = fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...ids))
    await fc.assert(
      fc.asyncProperty(fc.array(pair, { maxLength: 6 }), fc.infiniteStream(fc.nat()), async (pairs, random) => {
        const results: string[][] = []
        for (const order of [pairs, [...pairs].sort(() => (random.next().value % 2 === 0 ? 1 : -1))]) {
          const at = await memoryPlace()
          const skein = await at.open()
          for (const [a, b] of order) await skein.gateway.identities.learn('telegram', a, b)
          const canonical = async (userId: string): Promise<string> =>
            (await skein.gateway.explain({ platform: 'telegram', userId })).identity?.canonical ?? ''
          results.push(await Promise.all(ids.map(canonical)))
          await skein.close()
        }
        expect(results[0]).toEqual(results[1])
        // The shortest, then the smallest of each.
        const groups = ids.map((id, index) => ids.filter((_, other) => results[0]?.[other] === results[0]?.[index]))
        expect(results[0]).toEqual(groups.map(group => group.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))[0]))
      }),
      { numRuns: 15 },
    )
  })
})
