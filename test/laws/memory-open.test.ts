import type { Store } from '#journal'
import type { Session } from '#skein'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, talk, tool } from './agent-talk.ts'
import { memoryPlace, onEveryStore } from './stores.ts'

onEveryStore('open sessions', makePlace => {
  verifies(
    'M5',
    'are their tenant’s: with another’s id every verb answers as for one that is unknown, and makes nothing',
    async () => {
      const place = await makePlace()
      const skein = await place.open()
      const mine = await skein.sessions.create({ user: 'ada', agent: 'helper' })
      await mine.append([{ role: 'user', content: 'Please fix the login' }])
      const { commitments: _none, ...before } = await mine.state.get()
      const far = skein.in('elsewhere')
      const unknown = `${mine.id.slice(0, -4)}0000`
      for (const ask of ['open', 'delete', 'restore'] as const) {
        const [given, none] = [await codeOf(far.sessions[ask](mine.id)), await codeOf(far.sessions[ask](unknown))]
        expect([ask, given]).toEqual([ask, none])
      }
      expect(await far.sessions.has(mine.id)).toBe(false)
      expect(await far.sessions.evict({ id: mine.id })).toEqual([])
      const own = await far.sessions.create({ user: 'ada' })
      const [entry] = await mine.entries({ types: ['message_added'] })
      for (const ask of [
        () => own.expand(entry?.id ?? ''),
        () => own.archive('arc_01HF7YAT000000000000000000'),
        () => own.moveTo(entry?.id as never),
      ])
        expect(await codeOf(ask())).toMatch(/_found$|\.not_found$/)
      expect((await far.sessions.list()).items.map(({ id }) => id)).toEqual([own.id])
      expect((await far.jobs.list()).length).toBe(0)
      expect(await (await place.store()).tenants()).toEqual(['default', 'elsewhere'])
      // Nothing that is done later changes whose it is.
      await mine.annotate({ metadata: { user: 'eve' } })
      expect(await (await place.open()).sessions.open(mine.id).then(session => session.info())).toMatchObject({
        tenant: 'default',
        user: 'ada',
        agent: 'helper',
      })
      expect(await mine.state.get()).toMatchObject(before)
    },
  )

  verifies('M7', 'take names as data: 1–255 bytes without control characters, and never as a path', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const wrong = ['', 'a\u0000b', 'line\nbreak', 'x'.repeat(256), 'ü'.repeat(128), 7, {}]
    for (const value of wrong) {
      for (const name of ['user', 'agent']) expect(await codeOf(skein.sessions.create({ [name]: value }))).toBe('input.invalid')
      const session = await skein.sessions.create()
      const key = { idempotencyKey: value as never }
      for (const ask of [
        () => session.append([{ role: 'user', content: 'x' }], key),
        () => session.commit(key),
        () => session.state.add({ text: 'x' }, key),
      ])
        expect(await codeOf(ask())).toBe('input.invalid')
      expect((await session.info()).messages).toBe(0)
    }
    const odd = ['../../x', 'skein://a/b', 'a b', "'; DROP TABLE job; --", 'x'.repeat(255), 'ü'.repeat(127), '💡']
    for (const name of odd) {
      const session = await skein.sessions.create({ user: name, agent: name })
      await session.append([{ role: 'user', content: 'Please fix it now' }], { idempotencyKey: name })
      const done = await session.commit({ idempotencyKey: `${name.slice(0, 100)}!` })
      expect(done.archived).toBe(true)
      expect(await session.info()).toMatchObject({ user: name, agent: name })
      expect((await skein.sessions.list({ user: name })).items.map(({ id }) => id)).toEqual([session.id])
    }
  })

  verifies(
    'M70',
    'are dropped once idle for longer, never by 0 or less; what is busy stays, and all of it comes back',
    async () => {
      const place = await makePlace()
      const skein = await place.open()
      const [old, equal, fresh] = await Promise.all([1, 2, 3].map(() => skein.sessions.create()))
      const idle = async (session: Session | undefined, ms: number): Promise<void> => {
        place.clock.set(1_795_000_100_000 - ms)
        await session?.append([{ role: 'user', content: 'Please fix the login' }])
      }
      await idle(old, 5_001)
      await idle(equal, 5_000)
      await idle(fresh, 10)
      place.clock.set(1_795_000_100_000)
      for (const idleMs of [0, -1, -5_000]) expect(await skein.sessions.evict({ idleMs })).toEqual([])
      expect(await skein.sessions.evict({ idleMs: 5_000 })).toEqual([old?.id])
      expect((await skein.sessions.list({ open: true })).items.map(({ id }) => id).sort()).toEqual([equal?.id, fresh?.id].sort())
      expect(await skein.sessions.evict({ idleMs: 4_999 })).toEqual([equal?.id])
      for (const wrong of [{}, { idleMs: 1.5 }, { idleMs: 1, id: fresh?.id }, { idleMs: 'x' }])
        expect(await codeOf(skein.sessions.evict(wrong as never))).toBe('input.invalid')
      const again = await skein.sessions.open(old?.id ?? '')
      await again.append([{ role: 'assistant', content: 'Done.' }])
      expect(await again.info()).toMatchObject({ messages: 2, liveMessages: 2 })
      expect((await again.state.get()).objective).toBe('Please fix the login')
    },
  )

  verifies('M70', 'are listed by their last access with what they are about, of their tenant alone', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const [one, two, three] = (await Promise.all([1, 2, 3].map(() => skein.sessions.create()))) as [Session, Session, Session]
    await skein.in('elsewhere').sessions.create()
    const order = async (): Promise<string[]> =>
      (await skein.sessions.list({ open: true, sort: '-lastAccessedAt' })).items.map(({ id }) => id)
    const later = async (act: () => Promise<unknown>): Promise<void> => {
      place.clock.advance(1_000)
      await act()
    }
    await later(() => one.append([{ role: 'user', content: 'Please fix the login' }]))
    await later(() => two.append([{ role: 'user', content: 'So it is' }]))
    await later(() => three.append([{ role: 'user', content: 'Please fix the build' }]))
    expect(await order()).toEqual([three.id, two.id, one.id])
    await later(() => one.context())
    expect(await order()).toEqual([one.id, three.id, two.id])
    expect((await one.info()).lastAccessedAt).toBe(place.clock.now())
    await later(() => two.commit())
    expect(await order()).toEqual([two.id, one.id, three.id])
    const { items } = await skein.sessions.list({ open: true, sort: '-lastAccessedAt' })
    expect(items.map(({ objective }) => objective)).toEqual([null, 'Please fix the login', 'Please fix the build'])
    expect(items.map(({ liveTokens }) => liveTokens > 0)).toEqual([false, true, true])
    const paged = await skein.sessions.list({ open: true, sort: '-lastAccessedAt', limit: 2 })
    const rest = await skein.sessions.list({ open: true, sort: '-lastAccessedAt', limit: 2, cursor: paged.next ?? '' })
    expect([...paged.items, ...rest.items].map(({ id }) => id)).toEqual([two.id, one.id, three.id])
    expect((await (await place.open()).sessions.list({ open: true })).items).toEqual([])
  })

  verifies('M69', 'keep slots in memory: dropping them changes nothing, and those of archives go with a commit', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const session = await skein.sessions.create({ user: 'ada' })
    await session.append([{ role: 'user', content: 'Please fix the login' }])
    const slot = { content: 'what was', uris: ['skein://default/x'], tokens: 3 }
    for (const name of ['archives', 'identity', 'skills', 'host.own']) await session.slots.set(name, slot)
    const got = await session.slots.get('archives')
    expect(got).toEqual(slot)
    ;(got as { content: string }).content = 'mine'
    expect(await session.slots.get('archives')).toEqual(slot)
    const before = JSON.stringify([await session.context({ compact: false }), await session.state.get()])
    await session.slots.invalidate()
    expect(JSON.stringify([await session.context({ compact: false }), await session.state.get()])).toBe(before)
    for (const name of ['archives', 'host.own']) expect(await session.slots.get(name)).toBeNull()
    for (const name of ['archives', 'identity', 'host.own']) await session.slots.set(name, slot)
    // By whatever process.
    await (await (await place.open()).sessions.open(session.id)).commit()
    expect(await session.slots.get('archives')).toBeNull()
    expect(await session.slots.get('host.own')).toEqual(slot)
    await session.slots.invalidate('host.own')
    expect(await session.slots.get('host.own')).toBeNull()
    expect(await session.slots.get('identity')).toEqual(slot)
    expect(await codeOf(session.slots.set('x', { text: 'no' } as never))).toBe('input.invalid')
    await skein.sessions.evict({ id: session.id })
  })
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

describe('an open session', () => {
  verifies('M8', 'is read once for many appends, and a load that failed or hung is tried again by the next access', async () => {
    const place = await memoryPlace()
    const store = await place.store()
    let reads = 0
    let fail: 'no' | 'fails' | 'hangs' = 'no'
    const counting: Store = {
      ...store,
      in: tenant => ({
        ...store.in(tenant),
        session: async ref => {
          reads++
          if (fail === 'fails') throw new Error('away')
          if (fail === 'hangs') return await new Promise(() => undefined)
          return await store.in(tenant).session(ref)
        },
        view: async (...given) => {
          reads += 1_000
          return await store.in(tenant).view(...given)
        },
      }),
    }
    const { openSkein } = await import('#skein')
    const rung: (() => void)[] = []
    const timers = {
      after: (ms: number, run: () => void) => {
        if (ms === 5_000) rung.push(run)
        return () => undefined
      },
    }
    const skein = await openSkein({ store: counting, clock: place.clock, timers, worker: false })
    const session = await skein.sessions.create()
    for (let n = 0; n < 50; n++) await session.append([{ role: 'user', content: `Please do ${n}` }])
    // The state is no part of it: not once it is folded.
    expect(reads).toBeLessThan(1_000)
    await skein.sessions.evict({ id: session.id })
    const other = await (await place.open()).sessions.create()
    fail = 'fails'
    expect(await codeOf(skein.sessions.open(other.id))).not.toBe('resolved')
    fail = 'hangs'
    const hung = codeOf(skein.sessions.open(other.id))
    await new Promise(resolve => setImmediate(resolve))
    for (const ring of rung.splice(0)) ring()
    fail = 'no'
    expect((await skein.sessions.open(other.id)).id).toBe(other.id)
    expect(await hung).toBe('store.unavailable')
    await skein.close()
  })

  verifies('M78', 'adds up the tool calls that were told and those that were measured, each once', async () => {
    const place = await memoryPlace()
    const skein = await place.open()
    const slow = tool('slow', () => {
      place.clock.advance(700)
      return 'ok'
    })
    const bad = tool('bad', () => Promise.reject(new Error('no')))
    const steps = [{ calls: [call('slow'), call('bad')] }, { calls: [call('slow')] }, 'done']
    const { session } = await talk(skein, steps, [slow, bad])
    await session.send('go').result()
    const results = (name: string, count: number): object[] =>
      Array.from({ length: count }, (_, n) => [
        { role: 'assistant', parts: [{ type: 'tool_call', callId: `${name}${n}`, tool: name, input: {} }] },
        { role: 'tool', parts: [{ type: 'tool_result', callId: `${name}${n}`, tool: name, status: 'ok', output: 'x' }] },
      ]).flat()
    await session.record({ messages: [{ role: 'user', content: 'x' }, ...results('host', 2)] })
    await session.record({
      messages: [{ role: 'user', content: 'x' }, ...results('host', 2), ...results('slow', 1)],
      tools: [{ tool: 'host', calls: 5, errors: 1, ms: 40 }],
    })
    const { tools = [] } = await session.usage({ by: 'tool' })
    expect(tools).toEqual([
      { tool: 'bad', calls: 1, errors: 1, ms: expect.any(Number) as number },
      { tool: 'host', calls: 7, errors: 1, ms: 40 },
      { tool: 'slow', calls: 3, errors: 0, ms: expect.any(Number) as number },
    ])
    expect(tools.find(({ tool: name }) => name === 'slow')?.ms).toBeGreaterThanOrEqual(1_400)
  })

  verifies('M70', 'leaves nothing behind once it was evicted, however many there were', async () => {
    const place = await memoryPlace()
    const skein = await place.open({ sessions: { liveMax: 500 } })
    const used = (): number => {
      // Twice: what a first round sets free to be collected, such as an object held weakly, the second collects.
      for (let n = 0; n < 3; n++) collect()
      return process.memoryUsage().heapUsed
    }
    const ids: string[] = []
    for (let n = 0; n < 10_000; n++) ids.push((await skein.sessions.create()).id)
    const round = async (): Promise<void> => {
      for (const id of ids) {
        const session = await skein.sessions.open(id)
        await session.state.get()
        await session.slots.set('host', { content: 'x'.repeat(200) })
      }
      place.clock.advance(1_000)
      await skein.sessions.evict({ idleMs: 1 })
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    await round()
    const before = used()
    await round()
    expect((await skein.sessions.list({ open: true })).items).toEqual([])
    await expect.poll(() => used() / before).toBeLessThan(1.1)
  })
})
