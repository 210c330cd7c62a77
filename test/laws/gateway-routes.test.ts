import { isType } from '#journal'
import type { GatewayOptions, Route } from '#gateway'
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

onEveryStore('operations', place => {
  const begin = async (gateway: GatewayOptions = {}): Promise<{ at: Place; skein: Skein }> => {
    const at = await place()
    return { at, skein: await at.open({ gateway }) }
  }

  verifies('G36', 'a suspended route begins afresh, also when it was pending', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    expect(await gateway.suspend('k1:main:telegram:dm:c=1')).toBe(false)
    const { route, session } = await gateway.resolve(dm)
    expect(await gateway.markResumePending(route.key)).toBe(true)
    expect(await gateway.suspend(route.key, 'stop')).toBe(true)
    expect((await gateway.get(route.key))?.holds).toMatchObject([{ kind: 'suspended', reason: 'stop' }])
    const next = await gateway.resolve(dm)
    expect(next.reset).toMatchObject({ kind: 'auto', reason: 'suspended', previousSessionId: session.id })
    expect(next.route.holds).toEqual([])
    expect((await gateway.resolve(dm)).session.id).toBe(next.session.id)
    expect(await codeOf(gateway.suspend(route.key, 'a\nb'))).toBe('input.invalid')
  })

  verifies('G37 G38', 'a pending route keeps its session and its mark, whatever the policy says', async () => {
    const { at, skein } = await begin({ reset: 'both' })
    const { gateway } = skein
    const { route, session } = await gateway.resolve(dm)
    expect(await gateway.markResumePending('k1:main:telegram:dm:c=1')).toBe(false)
    expect(await gateway.markResumePending(route.key)).toBe(true)
    at.clock.advance(500 * hour)
    const next = await gateway.resolve(dm)
    expect(next.session.id).toBe(session.id)
    expect(next.route.holds).toMatchObject([{ kind: 'resume_pending', reason: 'restart_timeout' }])
    expect([await gateway.clearResumePending(route.key), await gateway.clearResumePending(route.key)]).toEqual([true, false])
    expect(await gateway.clearResumePending('k1:main:telegram:dm:c=1')).toBe(false)
    await gateway.suspend(route.key)
    expect(await gateway.markResumePending(route.key, 'shutdown_timeout')).toBe(false)
    expect((await gateway.get(route.key))?.holds.map(({ kind, reason }) => [kind, reason])).toEqual([['suspended', 'operator']])
  })

  verifies('G39', 'recover marks what was active within the window, once', async () => {
    const { at, skein } = await begin()
    const { gateway } = skein
    const keys = [...'abcd'].map(chatId => ({ platform: 'telegram', chatId }))
    const now = at.clock.now()
    for (const [index, ago] of [120_001, 120_000, 60_000, 0].entries()) {
      at.clock.set(now - ago)
      await gateway.resolve(keys[index] as typeof dm)
    }
    await gateway.suspend('k1:main:telegram:dm:c=c')
    at.clock.set(now)
    expect(await gateway.recover(120_000, { only: 'unfinished' })).toBe(0)
    expect(await gateway.recover()).toBe(2)
    expect(await gateway.recover()).toBe(0)
    const marked = (await gateway.list({ hold: 'resume_pending' })).items.map(({ key }) => key)
    expect(marked).toEqual(['k1:main:telegram:dm:c=d', 'k1:main:telegram:dm:c=b'])
  })

  verifies('G43', 'a reset keeps what people see of the route, and nothing else', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    expect(await gateway.reset('k1:main:telegram:dm:c=1')).toBeNull()
    const { route, session } = await gateway.resolve({ ...dm, chatName: 'Home', userName: 'Ada' })
    await said(session)
    await gateway.markResumePending(route.key)
    const next = await gateway.reset(route.legacyKey, { title: 'Plans' })
    expect(next).toMatchObject({
      generation: 2,
      holds: [],
      origin: { chatName: 'Home', userName: 'Ada' },
      displayName: 'Home',
      fresh: { kind: 'manual', hadActivity: true, previousSessionId: session.id },
    })
    const opened = await skein.sessions.open(next?.sessionId ?? '')
    expect(await opened.info()).toMatchObject({ title: 'Plans', user: '42' })
    expect(await endReason(session)).toBe('session_reset')
    expect((await gateway.resolve(dm)).session.id).toBe(opened.id)
  })

  verifies('G44', 'a switch ends the one session and reopens the other', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const old = await gateway.resolve(dm)
    const now = await gateway.resolve(dm, { forceNew: true })
    const { key } = now.route
    expect(await gateway.switch('k1:main:telegram:dm:c=1', old.session.id)).toBeNull()
    const same = await gateway.switch(key, now.session.id)
    expect(same).toEqual(now.route)
    for (const [id, code] of [
      ['../../etc/passwd', 'input.invalid'],
      ['ses_01HF7YAT000000000000000000', 'session.not_found'],
      ['nobody', 'session.not_found'],
    ] as const)
      expect(await codeOf(gateway.switch(key, id))).toBe(code)
    await gateway.markResumePending(key)
    const back = await gateway.switch(key, old.session.id)
    expect(back).toMatchObject({ sessionId: old.session.id, generation: 3, holds: [] })
    expect(back).not.toHaveProperty('fresh')
    expect(await endReason(now.session)).toBe('session_switch')
    expect((await typesOf(old.session)).slice(-2)).toEqual(['session_reopened', 'route_bound'])
    expect((await old.session.info()).state).toBe('active')
    await said(old.session)
    expect((await gateway.resolve(dm)).session.id).toBe(old.session.id)
    // By an alias, too.
    const named = await skein.sessions.create({ id: 'old-1' })
    expect((await gateway.switch(key, 'old-1'))?.sessionId).toBe(named.id)
  })

  verifies('G45', 'with an actor only sessions of the key or the person are there', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const mine = await gateway.resolve(dm)
    const old = mine.session
    const now = await gateway.resolve(dm, { forceNew: true })
    const theirs = await gateway.resolve({ ...dm, chatId: '7', userId: '7' })
    const inGroup = await gateway.resolve({ ...group, userId: '42' })
    const inThread = await gateway.resolve({ ...group, threadId: 't', userId: '42' })
    const loose = await skein.sessions.create()
    const { key } = now.route
    for (const id of [theirs.session.id, inThread.session.id, loose.id])
      expect(await codeOf(gateway.switch(key, id, { actor: dm, take: true })), id).toBe('session.not_found')
    expect((await gateway.switch(key, old.id, { actor: dm }))?.sessionId).toBe(old.id)
    expect((await gateway.switch(key, inGroup.session.id, { actor: '42', take: true }))?.sessionId).toBe(inGroup.session.id)
    expect(await codeOf(gateway.switch(key, theirs.session.id, { actor: '42' }))).toBe('session.not_found')
    expect((await gateway.switch(key, theirs.session.id, { take: true }))?.sessionId).toBe(theirs.session.id)
  })

  verifies('G46', 'a session is current on one route, or is taken with a fresh one left behind', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    const one = await gateway.resolve(dm)
    const other = await gateway.resolve({ ...dm, chatId: '7' })
    await said(other.session)
    expect(await codeOf(gateway.switch(one.route.key, other.session.id))).toBe('route.session_taken')
    expect((await gateway.get(one.route.key))?.generation).toBe(1)
    const taken = await gateway.switch(one.route.key, other.session.id, { take: true })
    expect(taken?.sessionId).toBe(other.session.id)
    const left = await gateway.get(other.route.key)
    expect(left).toMatchObject({ generation: 2, fresh: { previousSessionId: other.session.id, hadActivity: true } })
    expect(left?.sessionId).not.toBe(other.session.id)
    expect((await other.session.info()).state).toBe('active')
    expect((await gateway.resolve({ ...dm, chatId: '7' })).session.id).toBe(left?.sessionId)
    // The first one's session is free now.
    expect((await gateway.switch(other.route.key, one.session.id))?.sessionId).toBe(one.session.id)
  })

  verifies('G47', 'prune removes quiet routes and keeps their sessions', async () => {
    let busy: string | undefined
    const { at, skein } = await begin({
      hasActiveWork: key => {
        if (key === busy) throw new Error('unknown')
        return false
      },
    })
    const { gateway } = skein
    const day = 24 * hour
    const chats = ['edge', 'old', 'held', 'busy', 'new'].map(chatId => ({ platform: 'telegram', chatId, userId: chatId }))
    const routes: Route[] = []
    const now = at.clock.now()
    for (const [index, chat] of chats.entries()) {
      at.clock.set(now - (index === 0 ? 2 * day : index === 4 ? day : 2 * day + 1))
      const { route, session } = await gateway.resolve(chat)
      await said(session)
      routes.push(route)
    }
    at.clock.set(now)
    await gateway.suspend(routes[2]?.key ?? '')
    busy = routes[3]?.key
    for (const none of [0, -1, Number.NaN, undefined]) expect(await gateway.prune(none)).toBe(0)
    expect(await gateway.prune(2, { dryRun: true })).toBe(1)
    expect((await gateway.list()).items).toHaveLength(5)
    expect(await gateway.prune(2)).toBe(1)
    expect(await gateway.get(routes[1]?.key ?? '')).toBeNull()
    expect(await gateway.get('agent:main:telegram:dm:old')).toBeNull()
    const kept = await skein.sessions.open(routes[1]?.sessionId ?? '')
    expect([(await kept.info()).state, await endReason(kept)]).toEqual(['ended', 'session_pruned'])
    const again = await gateway.resolve(chats[1] as typeof dm)
    expect(again).toMatchObject({ created: true, reset: null, route: { generation: 1 } })
    expect((await gateway.switch(again.route.key, kept.id, { actor: 'old' }))?.sessionId).toBe(kept.id)
  })

  verifies('G48', 'list gives pages, newest activity first, then by key', async () => {
    const { at, skein } = await begin()
    const { gateway } = skein
    const now = at.clock.now()
    for (const [platform, chatId, ago] of [
      ['telegram', 'b', 10],
      ['telegram', 'a', 10],
      ['discord', 'c', 5],
      ['telegram', 'd', 20],
      ['telegram', 'e', 0],
    ] as const) {
      at.clock.set(now - ago)
      await gateway.resolve({ platform, chatId, chatType: chatId === 'd' ? 'group' : 'dm' })
    }
    at.clock.set(now)
    const chats = (page: { items: readonly Route[] }): string => page.items.map(({ origin }) => origin.chatId).join('')
    const walk = async (filter: object, limit: number): Promise<string> => {
      const pages: string[] = []
      for (let cursor: string | undefined; ;) {
        const page = await gateway.list({ ...filter, limit, ...(cursor === undefined ? {} : { cursor }) })
        pages.push(chats(page))
        if (page.next === undefined) return pages.join('|')
        cursor = page.next
      }
    }
    expect(chats(await gateway.list())).toBe('ecabd')
    expect(await walk({}, 2)).toBe('ec|ab|d')
    expect(await walk({ platform: 'telegram' }, 2)).toBe('ea|bd')
    expect(await walk({ platform: 'telegram' }, 3)).toBe('eab|d')
    expect(chats(await gateway.list({ activeWithinMs: 10 }))).toBe('ecab')
    expect(chats(await gateway.list({ activeWithinMs: 9 }))).toBe('ec')
    expect(chats(await gateway.list({ chatType: 'group' }))).toBe('d')
    await gateway.suspend('k1:main:telegram:dm:c=a')
    expect(chats(await gateway.list({ hold: 'suspended' }))).toBe('a')
    for (const bad of [{ limit: 0 }, { limit: 201 }, { cursor: 'x' }, { hold: 'x' }, { activeWithinMs: -1 }, { more: 1 }])
      expect(await codeOf(gateway.list(bad as object))).toBe('input.invalid')
  })

  verifies('G49', 'hasAny counts sessions that ended or were never routed', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    expect([await gateway.hasAny()]).toEqual([false])
    const { session } = await gateway.resolve(dm)
    expect([await gateway.hasAny(), await gateway.hasAny({ except: session.id })]).toEqual([false, false])
    const loose = await skein.sessions.create()
    await loose.end()
    expect([await gateway.hasAny(), await gateway.hasAny({ except: session.id })]).toEqual([true, true])
    await skein.sessions.delete(loose.id)
    expect(await gateway.hasAny()).toBe(true)
    expect(await skein.in('other').gateway.hasAny({ except: session.id })).toBe(false)
  })

  verifies('G50', 'a rewrite makes exactly these messages the conversation, and removes nothing', async () => {
    const { skein } = await begin()
    const { gateway } = skein
    expect(await gateway.rewrite('k1:main:telegram:dm:c=1', [])).toBeNull()
    const { route, session } = await gateway.resolve(dm)
    await session.record({ user: 'one', assistant: 'first' })
    await session.record({ user: 'two', assistant: 'second' })
    const before = await session.entries({ limit: 1_000 })
    const user = (content: string): object => ({ role: 'user', content })
    const assistant = (content: string): object => ({ role: 'assistant', content })
    const script: [messages: object[], kept: number][] = [
      [[user('one'), assistant('first'), user('two'), assistant('other')], 3],
      [[user('one'), assistant('first'), user('two')], 3],
      [[user('one'), assistant('first')], 2],
      [[user('one'), assistant('first'), user('three'), assistant('third')], 2],
      [[user('zero')], 0],
      [
        [
          user('zero'),
          {
            role: 'assistant',
            content: null,
            tool_calls: [{ id: 'c', type: 'function', function: { name: 't', arguments: '{"a":1}' } }],
          },
          { role: 'tool', tool_call_id: 'c', tool_name: 't', content: 'done' },
        ],
        1,
      ],
      [[], 0],
      [[user('one')], 0],
    ]
    for (const [messages, kept] of script) {
      expect(await gateway.rewrite(route.key, messages)).toMatchObject({ kept, added: messages.length - kept })
      expect(await session.export('messages')).toEqual(messages)
      expect(await session.conversation()).toHaveLength(messages.length)
      await session.context()
    }
    expect(await gateway.rewrite(route.key, [user('one')])).toMatchObject({ kept: 1, added: 0 })
    expect((await session.entries({ limit: 1_000 })).slice(0, before.length)).toEqual(before)
    expect(await codeOf(gateway.rewrite(route.key, [user('one'), { role: 'nobody', content: 'x' }]))).toBe('input.invalid')
    await session.end()
    expect(await codeOf(gateway.rewrite(route.key, [user('late')]))).toBe('session.ended')
    await session.reopen()
    expect(await session.export('messages')).toEqual([user('one')])
    await session.record({ user: 'go', assistant: 'on' })
    expect((await session.export('messages')).length).toBe(3)
  })

  verifies('G87', 'a message with all the fields of an agent survives append and rewrite', async () => {
    const { skein } = await begin()
    const { route, session } = await skein.gateway.resolve(dm)
    const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"q":"x"}' } }
    const all = [
      { role: 'user', content: 'look' },
      {
        role: 'assistant',
        content: 'looking',
        finish_reason: 'tool_calls',
        tool_calls: [call],
        reasoning: 'short',
        reasoning_content: 'long',
        reasoning_details: [{ type: 'x', data: 'y' }],
        codex_reasoning_items: [{ id: 'r1', encrypted_content: 'zz' }],
        codex_message_items: [{ id: 'm1' }],
      },
      { role: 'tool', content: 'seen', tool_call_id: 'call_1', tool_name: 'look' },
    ]
    await session.append(all, { format: 'openai' })
    expect(await session.export('messages')).toEqual(all)
    expect(await skein.gateway.rewrite(route.key, all)).toMatchObject({ kept: 3, added: 0 })
    const changed = [all[0], { ...all[1], reasoning_details: [{ type: 'x', data: 'z' }] }, all[2]]
    expect(await skein.gateway.rewrite(route.key, changed)).toMatchObject({ kept: 1, added: 2 })
    expect(await session.export('messages')).toEqual(changed)
  })
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
