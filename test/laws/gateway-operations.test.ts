import { isType } from '#journal'
import type { GatewayOptions, Route } from '#gateway'
import { scriptedModel } from '#models'
import type { Session, Skein } from '#skein'
import { verifies } from '#verifies'
import { expect } from 'vitest'
import { codeOf } from './agent-talk.ts'
import { onEveryStore, type Place } from './stores.ts'

const dm = { platform: 'telegram', chatId: '99', userId: '42' }
const group = { platform: 'telegram', chatType: 'group', chatId: '-100' }
const minute = 60_000
const hour = 60 * minute

async function said(session: Session, text = 'hello'): Promise<void> {
  await session.record({ user: text, assistant: 'yes' })
}
const typesOf = async (session: Session): Promise<string[]> => (await session.entries()).map(({ type }) => type)
const endReason = async (session: Session): Promise<string | undefined> =>
  (await session.entries({ types: ['session_ended'] }))
    .flatMap(entry => (isType(entry, 'session_ended') ? [entry.data.reason] : []))
    .at(-1)

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

  verifies('G33 G43', 'a run keeps its session, and one that a reset leaves behind is cancelled there', async () => {
    const { at, skein } = await begin({ reset: { default: { mode: 'idle', idleMinutes: 5 } } })
    const { route, session } = await skein.gateway.resolve(dm)
    session.equip({ modelOverride: scriptedModel([{ text: 'half', hang: true }]) })
    const run = session.send('go')
    for await (const event of run) if (event.type === 'text_delta') break
    at.clock.advance(hour)
    expect((await skein.gateway.explain(dm)).pin?.by).toBe('run')
    expect((await skein.gateway.resolve(dm)).session.id).toBe(session.id)
    const next = await skein.gateway.reset(route.key)
    expect(await run.result()).toMatchObject({ status: 'cancelled', text: 'half' })
    // What it came to stays in its own journal.
    expect((await session.conversation()).at(-1)?.parts).toMatchObject([{ type: 'text', text: 'half' }])
    expect((await session.info()).state).toBe('ended')
    expect((await (await skein.sessions.open(next?.sessionId ?? '')).conversation()).length).toBe(0)
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
    const busy = new Set<string>()
    const { at, skein } = await begin({
      hasActiveWork: key => {
        if (busy.has(key)) throw new Error('unknown')
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
    busy.add(routes[3]?.key ?? '')
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

onEveryStore('turns that were cut short', place => {
  const begin = async (): Promise<{ at: Place; skein: Skein }> => {
    const at = await place()
    return { at, skein: await at.open() }
  }
  /** The route's turn is claimed by a process, as the commit that claims a message says it. */
  const claim = async (skein: Skein, fence: number): Promise<void> => {
    const store = skein.store.in('default')
    const row = await store.route('k1:main:telegram:dm:c=99')
    if (row === undefined) throw new Error('No route.')
    const openTurn = { turnId: `trn_${fence}`, inboxId: 'inb_1', at: 1, fence }
    await store.commit([
      { type: 'put_route', ...row, value: { ...(row.value as object), openTurn }, expectVersion: row.version },
      { type: 'put_record', collection: 'gateway.open', key: row.key, value: { key: row.key } },
    ])
  }

  verifies('G39 G40', 'count as interruptions once their process is dead, and the third in a row suspends', async () => {
    const { at, skein } = await begin()
    const { gateway } = skein
    const { route, session } = await gateway.resolve(dm)
    const store = skein.store.in('default')
    const held = async (): Promise<unknown[]> =>
      ((await gateway.get(route.key))?.holds ?? []).map(({ kind, reason }) => [kind, reason])
    for (const [count, expected] of [
      [1, ['resume_pending', 'restart_interrupted']],
      [2, ['resume_pending', 'restart_interrupted']],
      [3, ['suspended', 'stuck_loop']],
    ] as const) {
      const lease = await store.acquire(session.id, `other ${count}`, 15_000)
      await claim(skein, lease.token)
      // It lives, or may.
      expect(await gateway.recover(120_000, { only: 'unfinished' })).toBe(0)
      at.clock.advance(15_001)
      expect(await gateway.recover(120_000, { only: 'unfinished' })).toBe(1)
      expect(await gateway.recover(120_000, { only: 'unfinished' })).toBe(0)
      const found = await gateway.get(route.key)
      expect([found?.interruptions, found?.openTurn, await held()]).toEqual([count, undefined, [expected]])
      expect((await store.records('gateway.open')).items).toEqual([])
    }
    const next = await gateway.resolve(dm)
    expect([next.reset?.reason, next.route.interruptions]).toEqual(['suspended', 0])
  })

  verifies('G47', 'and open ones are never pruned', async () => {
    const { at, skein } = await begin()
    await skein.gateway.resolve(dm)
    await claim(skein, 99)
    at.clock.advance(30 * 24 * hour)
    expect(await skein.gateway.prune(1)).toBe(0)
    await skein.gateway.reset('k1:main:telegram:dm:c=99')
    expect(await skein.gateway.get('k1:main:telegram:dm:c=99')).not.toHaveProperty('openTurn')
    expect((await skein.store.in('default').records('gateway.open')).items).toEqual([])
  })
})
