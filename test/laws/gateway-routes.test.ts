import { isType } from '#journal'
import type { GatewayOptions } from '#gateway'
import type { Session, Skein } from '#skein'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { codeOf } from './agent-talk.ts'
import { onEveryStore, type Place } from './stores.ts'

const dm = { platform: 'telegram', chatId: '99', userId: '42' }
const group = { platform: 'telegram', chatType: 'group', chatId: '-100' }
const minute = 60_000
const hour = 60 * minute
const everybody = { platforms: { telegram: { allow: 'all' } } } as const satisfies GatewayOptions

async function said(session: Session, text = 'hello'): Promise<void> {
  await session.record({ user: text, assistant: 'yes' })
}
const typesOf = async (session: Session): Promise<string[]> => (await session.entries()).map(({ type }) => type)
const endReason = async (session: Session): Promise<string | undefined> =>
  (await session.entries({ types: ['session_ended'] }))
    .flatMap(entry => (isType(entry, 'session_ended') ? [entry.data.reason] : []))
    .at(-1)

onEveryStore('routes', place => {
  const begin = async (gateway: GatewayOptions = {}): Promise<{ at: Place; skein: Skein }> => {
    const at = await place()
    return { at, skein: await at.open({ gateway }) }
  }

  verifies('G10', 'two tenants with one source have two routes and never see the other', async () => {
    const { skein } = await begin()
    const other = skein.in('other')
    const here = await skein.gateway.resolve(dm)
    const there = await other.gateway.resolve(dm)
    expect(there.created).toBe(true)
    expect(there.route.sessionId).not.toBe(here.route.sessionId)
    expect((await other.gateway.list()).items.map(({ sessionId }) => sessionId)).toEqual([there.route.sessionId])
    expect(await codeOf(other.gateway.switch(there.route.key, here.session.id))).toBe('session.not_found')
    expect(await skein.in('third').gateway.get(here.route.key)).toBeNull()
  })

  verifies('G11', 'a legacy key finds its route, and says so when it names two', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const thread = await gateway.resolve({ ...group, threadId: '42', userId: 'alice' })
    expect((await gateway.get('agent:main:telegram:group:-100:42'))?.key).toBe(thread.route.key)
    const user = await gateway.resolve({ ...group, userId: '42' })
    expect(user.route.sessionId).not.toBe(thread.route.sessionId)
    const keys = [thread.route.key, user.route.key].sort()
    for (const asked of [
      () => gateway.get(user.route.legacyKey),
      () => gateway.suspend(user.route.legacyKey),
      () => gateway.reset(user.route.legacyKey),
      () => gateway.switch(user.route.legacyKey, user.session.id),
    ])
      await expect(asked()).rejects.toMatchObject({ code: 'key.ambiguous', details: { keys } })
    await gateway.resolve(dm)
    expect(await gateway.suspend('agent:main:telegram:dm:99')).toBe(true)
    expect(await gateway.get('agent:main:telegram:dm:98')).toBeNull()
    for (const key of ['agent:main', 'agent:main:tele gram:dm', 'x', 'k1:main:telegram:dm:c=%3a', ''])
      expect(await codeOf(gateway.get(key)), key).toBe('key.invalid')
  })

  verifies('G21', 'a message sets both clocks, one that touches nothing neither', async () => {
    const { at, skein } = await begin()
    const { gateway } = skein
    const first = (await gateway.resolve(dm)).route
    expect([first.lastUserAt, first.lastActivityAt]).toEqual([at.clock.now(), at.clock.now()])
    at.clock.advance(minute)
    const untouched = (await gateway.resolve(dm, { touch: false })).route
    expect(untouched).toEqual(first)
    const later = (await gateway.resolve(dm)).route
    expect([later.lastUserAt, later.lastActivityAt]).toEqual([at.clock.now(), at.clock.now()])
    at.clock.advance(minute)
    const touched = await gateway.touch(later.key)
    expect(touched).toMatchObject({ lastUserAt: later.lastUserAt, lastActivityAt: at.clock.now() })
    expect(await gateway.get(later.key)).toEqual(touched)
  })

  verifies('G22 G23', 'a forced new session links to the one before, which ends, is sealed and stays readable', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const quiet = await gateway.resolve(dm)
    const second = await gateway.resolve(dm, { forceNew: true })
    expect(second.reset).toEqual({ kind: 'forced', reason: 'forced', previousSessionId: quiet.session.id, hadActivity: false })
    await said(second.session)
    const third = await gateway.resolve(dm, { forceNew: true })
    expect(third).toMatchObject({ created: true, reset: { previousSessionId: second.session.id, hadActivity: true } })
    expect(third.route.generation).toBe(3)
    expect((await second.session.info()).state).toBe('ended')
    expect(await endReason(second.session)).toBe('session_reset')
    expect((await second.session.conversation()).length).toBe(2)
    expect((await typesOf(second.session)).slice(-2)).toEqual(['route_unbound', 'session_ended'])
    expect(await typesOf(third.session)).toEqual(['session_created', 'route_bound'])
    expect((await skein.jobs.list({ kind: 'session.commit', session: second.session.id })).length).toBe(1)
    // Fresh until its first turn is committed, over restarts.
    expect((await gateway.resolve(dm)).reset?.reason).toBe('forced')
    await said(third.session)
    expect((await gateway.get(third.route.key))?.fresh).toBeUndefined()
    const fourth = await gateway.resolve(dm)
    expect([fourth.reset, fourth.created, fourth.session.id]).toEqual([null, false, third.session.id])
  })

  verifies('G22', 'a session that was deleted is missed, not mourned', async () => {
    const { skein } = await begin()
    const first = await skein.gateway.resolve(dm)
    await said(first.session)
    await skein.sessions.delete(first.session.id)
    const next = await skein.gateway.resolve(dm)
    expect(next.reset).toMatchObject({ kind: 'auto', reason: 'missing', previousSessionId: first.session.id })
    await skein.sessions.delete(next.session.id, { erase: true })
    const third = await skein.gateway.resolve(dm)
    expect(third).toMatchObject({ created: true, reset: { reason: 'missing', hadActivity: false } })
    expect((await third.session.info()).user).toBe('42')
  })

  it('shows of a session on which route it is current, and what the journal counts', async () => {
    const { skein } = await begin()
    const { session, route } = await skein.gateway.resolve(dm)
    expect(await session.info()).toMatchObject({ route: { key: route.key, generation: 1 }, turns: 0, lastPromptTokens: null })
    const usage = { inputTokens: 7, cacheReadTokens: 20, outputTokens: 3 }
    await session.record({ user: 'a', assistant: 'b', usage, model: 'nobody/knows' })
    expect(await session.info()).toMatchObject({ turns: 1, lastPromptTokens: 27, usage: { usage, cost: { nano: null } } })
    await skein.gateway.reset(route.key)
    expect(await session.info()).not.toHaveProperty('route')
    const current = await skein.gateway.resolve(dm)
    expect(await (await current.session.fork()).info()).not.toHaveProperty('route')
  })

  it('goes on with a session that somebody ended', async () => {
    const { skein } = await begin()
    const { session } = await skein.gateway.resolve(dm)
    await session.end('done')
    const next = await skein.gateway.resolve(dm)
    expect([next.session.id, next.created, next.reset]).toEqual([session.id, false, null])
    await said(session)
    expect((await session.info()).state).toBe('active')
  })

  verifies('G88', 'the session of a DM is its person, by the id that stands for them, and a shared one is nobody', async () => {
    const { skein } = await begin()
    const userOf = async (source: Parameters<typeof skein.gateway.resolve>[0]): Promise<string | null> =>
      (await (await skein.gateway.resolve(source)).session.info()).user
    expect(await userOf(dm)).toBe('42')
    expect(await userOf({ ...group, userId: 'ada' })).toBe('ada')
    expect(await userOf({ ...group, userId: 'ada', threadId: 't' })).toBeNull()
    expect(await userOf({ platform: 'signal', userId: '+1', userIdAlt: 'uuid' })).toBe('uuid')
    expect(await userOf({ platform: 'whatsapp', chatId: '+1555@s.whatsapp.net' })).toBe('1555')
    const long = 'é'.repeat(200)
    expect(await userOf({ ...group, userId: long })).toMatch(/^sha256-[0-9a-f]{64}$/)
    const info = await (await skein.gateway.resolve(dm)).session.info()
    expect([info.platform, info.agent]).toEqual(['telegram', 'main'])
  })

  verifies('G30', "the platform's rule goes before the type's, and counts whole", async () => {
    const reset = {
      default: { mode: 'idle', idleMinutes: 30 },
      byType: { dm: 'idle' },
      byPlatform: { telegram: 'none' },
    } as const
    const { at, skein } = await begin({ reset })
    const rule = async (source: object): Promise<unknown> => (await skein.gateway.explain(source as typeof dm)).rule
    expect(await rule(dm)).toMatchObject({ name: 'byPlatform.telegram', policy: { mode: 'none' } })
    expect(await rule({ ...dm, platform: 'signal' })).toMatchObject({
      name: 'byType.dm',
      policy: { mode: 'idle', idleMinutes: 1_440 },
    })
    expect(await rule({ ...group, platform: 'signal' })).toMatchObject({ name: 'default', policy: { idleMinutes: 30 } })
    for (const [source, kept] of [
      [dm, true],
      [{ ...dm, platform: 'signal' }, true],
      [{ ...group, platform: 'signal', userId: 'u' }, false],
    ] as const) {
      const first = await skein.gateway.resolve(source)
      at.clock.advance(31 * minute)
      expect((await skein.gateway.resolve(source)).session.id === first.session.id).toBe(kept)
    }
  })

  verifies('G32', 'a stored time in the future is set right by the next message', async () => {
    const { at, skein } = await begin({ reset: { default: { mode: 'idle', idleMinutes: 5 } } })
    const now = at.clock.now()
    at.clock.set(now + 24 * hour)
    const ahead = await skein.gateway.resolve(dm)
    at.clock.set(now)
    const next = await skein.gateway.resolve(dm)
    expect([next.session.id, next.route.lastUserAt]).toEqual([ahead.session.id, now])
    at.clock.advance(5 * minute + 1)
    expect((await skein.gateway.resolve(dm)).reset?.reason).toBe('idle')
  })

  verifies('G33', 'active work keeps a session, up to a day, and a predicate that throws is active', async () => {
    let work: () => boolean | { since: number } = () => false
    const { at, skein } = await begin({ reset: { default: { mode: 'idle', idleMinutes: 5 } }, hasActiveWork: () => work() })
    const { gateway } = skein
    let { session } = await gateway.resolve(dm)
    const after = async (ms: number): Promise<string> => {
      at.clock.advance(ms)
      const found = await gateway.resolve(dm)
      const said = found.session.id === session.id ? 'kept' : (found.reset?.reason ?? '')
      session = found.session
      return said
    }
    expect(await after(6 * minute)).toBe('idle')
    work = () => true
    expect(await after(6 * minute)).toBe('kept')
    expect((await gateway.explain(dm)).pin).toEqual({ by: 'host' })
    const since = at.clock.now()
    work = () => ({ since })
    expect(await after(24 * hour)).toBe('kept')
    expect(await after(6 * minute)).toBe('idle')
    work = () => {
      throw new Error('down')
    }
    expect(await after(6 * minute)).toBe('kept')
    work = () => false
    const store = skein.store.in('default')
    const job = (kind: string, id: string) =>
      ({
        type: 'enqueue',
        job: { id: id as 'job_x', kind, key: session.id, payload: {}, session: session.id, maxAttempts: 1 },
      }) as const
    await store.commit([job('session.commit', 'job_01HF7YAT000000000000000001')])
    expect(await after(6 * minute)).toBe('idle')
    await store.commit([job('context.compact', 'job_01HF7YAT000000000000000002')])
    expect(await after(6 * minute)).toBe('kept')
    expect(await after(24 * hour)).toBe('idle')
  })

  verifies('G35', 'explain writes nothing, and the resolve after it agrees', async () => {
    const { at, skein } = await begin({
      ...everybody,
      reset: { default: { mode: 'both', zone: 'Europe/Berlin', idleMinutes: 60 } },
    })
    const { gateway } = skein
    const rows = async (): Promise<unknown> => [
      (await gateway.list()).items,
      (await skein.sessions.list()).items,
      (await skein.store.in('default').records('gateway.person')).items,
    ]
    const steps: [change: () => Promise<unknown>, action: string, reason: string | null][] = [
      [async () => undefined, 'create', null],
      [async () => undefined, 'keep', null],
      [async () => at.clock.advance(61 * minute), 'reset', 'idle'],
      [async () => await gateway.suspend('k1:main:telegram:dm:c=99'), 'reset', 'suspended'],
      [async () => (await gateway.markResumePending('k1:main:telegram:dm:c=99'), at.clock.advance(48 * hour)), 'keep', null],
    ]
    for (const [change, action, reason] of steps) {
      await change()
      const before = await rows()
      const told = await gateway.explain(dm)
      expect(await rows()).toEqual(before)
      expect([told.decision.action, told.decision.reason]).toEqual([action, reason])
      expect(told).toMatchObject({
        key: 'k1:main:telegram:dm:c=99',
        legacyKey: 'agent:main:telegram:dm:99',
        identity: { canonical: '42' },
      })
      expect(told.authorisation).toEqual({ allowed: true, reason: 'all' })
      const { created, reset, route } = await gateway.resolve(dm)
      expect([created, created ? (reset?.reason ?? null) : null, route.key]).toEqual([action !== 'keep', reason, told.key])
      if (action === 'keep') expect(told.decision.sessionId).toBe(route.sessionId)
    }
    // The pair that a source teaches is counted in, before anything is written.
    const pair = { platform: 'signal', userId: '+1', userIdAlt: 'uuid' }
    await gateway.resolve({ platform: 'signal', userId: '+1' })
    const told = await gateway.explain(pair)
    expect(told.decision.action).toBe('keep')
    expect((await gateway.resolve(pair)).route.key).toBe(told.key)
  })

  verifies('G86', 'a run that ends late prolongs the spell of a route that its host answers', async () => {
    const { at, skein } = await begin({ reset: { default: { mode: 'idle', idleMinutes: 60 } } })
    const first = await skein.gateway.resolve(dm)
    at.clock.advance(2 * hour)
    await said(first.session)
    at.clock.advance(minute)
    expect((await skein.gateway.explain(dm)).decision.action).toBe('keep')
    const next = await skein.gateway.resolve(dm)
    expect(next.session.id).toBe(first.session.id)
    expect(next.route.lastTurnEndedAt).toBe(at.clock.now() - minute)
    at.clock.advance(60 * minute + 1)
    // A turn that nobody asked for moves no clock.
    await next.session.record({
      messages: [
        { role: 'user', parts: [{ type: 'text', text: 'tick' }], source: { internal: true } },
        { role: 'assistant', parts: [{ type: 'text', text: 'tock' }] },
      ],
    })
    expect((await skein.gateway.resolve(dm)).reset?.reason).toBe('idle')
  })

  verifies('G34', 'the first turn of a session that began by itself carries a note, and no other does', async () => {
    const { at, skein } = await begin({ reset: { default: { mode: 'idle', idleMinutes: 5 } } })
    const first = await skein.gateway.resolve(dm)
    await said(first.session)
    at.clock.advance(hour)
    const { session } = await skein.gateway.resolve(dm)
    const note = `[System note: new session; the previous one, ${first.session.id}, ended: idle.]`
    await said(session, 'one')
    await said(session, 'two')
    const notes = (await session.entries({ types: ['context_noted'] })).flatMap(entry =>
      isType(entry, 'context_noted') && entry.data.name === 'gateway.fresh' ? [entry.data.text] : [],
    )
    expect(notes).toEqual([note])
    const forced = await skein.gateway.resolve(dm, { forceNew: true })
    await said(forced.session)
    expect(JSON.stringify(await forced.session.entries())).not.toContain('System note')
  })

  verifies(
    'G70 G89',
    "a session's context begins with the prompt of its first message, the same bytes in every turn",
    async () => {
      const { at, skein } = await begin()
      const source = { ...dm, userName: 'Ada', chatName: 'Home' }
      const { session } = await skein.gateway.resolve(source)
      const prompt = await skein.gateway.prompt(source)
      await said(session, 'one')
      await skein.gateway.resolve(dm)
      await said(session, 'two')
      await skein.close()
      const second = await at.open()
      const again = await second.gateway.resolve({ ...dm, messageId: '7' })
      await said(again.session, 'three')
      const shown = (await again.session.context()).messages
      expect(JSON.stringify(shown)).toContain(JSON.stringify(prompt).slice(1, -1))
      const notes = (await again.session.entries({ types: ['context_noted'] })).flatMap(entry =>
        isType(entry, 'context_noted') && entry.data.name === 'gateway.prompt' ? [entry.data.text] : [],
      )
      expect(notes).toEqual([prompt])
      expect(await second.gateway.prompt(dm)).toBe(prompt)
      const context = await second.gateway.context(dm)
      expect(Object.values(context)).not.toContain(undefined)
      expect(context).toMatchObject({ sessionId: session.id, source: { userName: 'Ada', chatName: 'Home' }, isShared: false })
      expect(JSON.stringify(context)).not.toMatch(/null|secret/)
      expect(await second.gateway.context({ platform: 'x' })).not.toHaveProperty('sessionId')
    },
  )
})

describe('configuration', () => {
  verifies('G31 G83', 'is refused whole, with every problem and its path at once', async () => {
    const { memoryPlace } = await import('./stores.ts')
    const at = await memoryPlace()
    const refused = async (gateway: unknown): Promise<string[]> => {
      try {
        await at.open({ gateway: gateway as GatewayOptions })
      } catch (error) {
        const { code, details } = error as { code: string; details: { issues: { path: string }[] } }
        expect(code).toBe('config.invalid')
        return details.issues.map(({ path }) => path)
      }
      return []
    }
    for (const atHour of [24, -1, 4.5, '4', Number.NaN])
      expect(await refused({ reset: { default: { mode: 'daily', atHour } } }), String(atHour)).toEqual([
        'gateway.reset.default.atHour',
      ])
    for (const idleMinutes of [-1, '5', Number.POSITIVE_INFINITY])
      expect(await refused({ reset: { byType: { dm: { mode: 'idle', idleMinutes } } } })).toEqual([
        'gateway.reset.byType.dm.idleMinutes',
      ])
    for (const zone of ['Mars/Olympus', '', 7, '+02:00']) expect(await refused({ zone })).toEqual(['gateway.zone'])
    expect(
      await refused({
        zone: 'Nowhere',
        rest: 1,
        reset: { default: 'sometimes', byPlatform: { 'tele gram': 'idle', telegram: { idleMinutes: 5, hours: 3 } } },
        queueMax: 1.5,
        privacy: { key: 'short', pseudonym: 'seed' },
        platforms: { telegram: { allow: 'everybody', home: { name: 'x' } } },
      }),
    ).toEqual([
      'gateway.zone',
      'gateway.rest',
      'gateway.reset.default',
      'gateway.reset.byPlatform.tele gram',
      'gateway.reset.byPlatform.telegram.hours',
      'gateway.reset.byPlatform.telegram.mode',
      'gateway.queueMax',
      'gateway.privacy.key',
      'gateway.privacy.pseudonym',
      'gateway.platforms.telegram.allow',
      'gateway.platforms.telegram.home.chatId',
    ])
    expect(await refused({ reset: 'both', zone: 'Europe/Berlin', platforms: { Telegram: { allow: [5, 'a'] } } })).toEqual([])
    expect(await refused({ reset: undefined, notes: { slack: '' } })).toEqual([])
  })

  it('says what of it is wrong in words', async () => {
    const { memoryPlace } = await import('./stores.ts')
    const at = await memoryPlace()
    await expect(at.open({ gateway: { reset: { default: { mode: 'daily', atHour: 24 } } } })).rejects.toThrow(
      'gateway.reset.default.atHour: Expected a whole number from 0 to 23.',
    )
  })
})
