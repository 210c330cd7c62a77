import { isSkeinError } from '#kernel'
import { scriptedModel } from '#models'
import type { Session } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { codeOf } from './agent-talk.ts'
import { onEveryStore, type Place } from './stores.ts'

const says = async (session: Session, ...texts: readonly string[]): Promise<void> => {
  for (const content of texts) await session.append([{ role: 'user', content }])
}
const objectiveOf = async (session: Session): Promise<string | null> => (await session.state.get()).objective

/** The session as another process would open it; on a store that lives in memory, another handle on it. */
const again = async (place: Place, session: Session): Promise<Session> => await (await place.open()).sessions.open(session.id)

onEveryStore('working state', makePlace => {
  verifies(
    'M62',
    'takes what a user asks for as the objective, and nothing that others say or that only sounds like it',
    async () => {
      const place = await makePlace()
      const session = await (await place.open()).sessions.create()
      expect(await session.state.get()).toMatchObject({ objective: null, blockers: [], commitments: [], changes: [] })
      await says(session, 'The needle was unwanted', "I don't want anything", 'Thanks for your help', 'Yes, please.')
      await session.append([{ role: 'assistant', content: 'Can you fix the login?' }])
      await session.append([{ role: 'user', parts: [{ type: 'text', text: 'Please fix the recalled one', origin: 'recall' }] }])
      expect(await objectiveOf(session)).toBeNull()
      await says(session, 'Can you fix the login?')
      expect(await objectiveOf(session)).toBe('Can you fix the login?')
      await says(session, "  Don't worry, please fix the build ")
      expect(await objectiveOf(session)).toBe("Don't worry, please fix the build")
      await session.record({ user: `Please ${'x'.repeat(300)} it`, assistant: 'Could you do it yourself?' })
      expect([...((await objectiveOf(session)) ?? '')]).toHaveLength(200)
      expect(await (await again(place, session)).state.get()).toEqual(await session.state.get())
    },
  )

  verifies('M63', 'keeps what was, and only suggests beside an objective that somebody set until that is cleared', async () => {
    const session = await (await (await makePlace()).open()).sessions.create()
    await says(session, 'Please fix the login', 'Please fix the build')
    const { changes } = await session.state.get()
    expect(changes.map(({ field, from, to, by }) => [field, from, to, by])).toEqual([
      ['objective', null, 'Please fix the login', 'heuristic'],
      ['objective', 'Please fix the login', 'Please fix the build', 'heuristic'],
    ])
    const seqs = (await session.entries({ types: ['message_added'] })).map(({ seq }) => seq)
    expect(changes.map(({ seq }) => seq)).toEqual(seqs)
    // The same words, said by the verb, count as set.
    await session.state.update({ objective: 'Please fix the build' })
    await says(session, 'Please write the notes')
    expect(await session.state.get()).toMatchObject({ objective: 'Please fix the build', suggested: 'Please write the notes' })
    await session.state.update({ objective: 'Ship' })
    expect(await session.state.get()).toMatchObject({ objective: 'Ship', suggested: null })
    await says(session, 'Please write the docs')
    await session.state.update({ objective: null })
    expect(await session.state.get()).toMatchObject({ objective: null, suggested: null })
    await says(session, 'Please write the tests')
    expect(await session.state.get()).toMatchObject({ objective: 'Please write the tests', suggested: null })
  })

  verifies('M64', 'changes the fields that are given, once for a version, and hands out copies', async () => {
    const session = await (await (await makePlace()).open()).sessions.create()
    const first = await session.state.update({ objective: 'Ship', stage: 'build', nextStep: 'test', blockers: ['a', 'b'] })
    const second = await session.state.update({ stage: 'review' }, { version: first.version })
    expect(second).toMatchObject({ objective: 'Ship', stage: 'review', nextStep: 'test', blockers: ['a', 'b'] })
    expect(second.version).toBeGreaterThan(first.version)
    expect(await codeOf(session.state.update({ stage: 'late' }, { version: first.version }))).toBe('store.conflict')
    await session.state.update({ nextStep: null, blockers: [] })
    expect(await session.state.get()).toMatchObject({ objective: 'Ship', stage: 'review', nextStep: null, blockers: [] })
    const copy = await session.state.get()
    ;(copy.blockers as string[]).push('mine')
    ;(copy as { objective: string }).objective = 'mine'
    expect(await session.state.get()).toMatchObject({ objective: 'Ship', blockers: [] })
    const { version } = await session.state.get()
    await session.state.update({ stage: 'review' })
    expect((await session.state.get()).version).toBe(version)
    for (const wrong of [{ stage: 1 }, { blockers: 'x' }, { blockers: [1] }, { color: 'red' }, null, []])
      expect(await codeOf(session.state.update(wrong as never))).toBe('input.invalid')
    expect((await session.state.get()).version).toBe(version)
  })

  verifies('M64 M65', 'gives way to nobody: of many at once each is applied, and of one version one', async () => {
    const place = await makePlace()
    const session = await (await place.open()).sessions.create()
    const other = await again(place, session)
    const { version } = await session.state.get()
    const racers = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? session : other))
    const outcomes = await Promise.allSettled(racers.map((one, n) => one.state.update({ stage: `s${n}` }, { version })))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const codes = outcomes.flatMap(one => (one.status === 'rejected' && isSkeinError(one.reason) ? [one.reason.code] : []))
    expect(new Set(codes)).toEqual(new Set(['store.conflict']))
    const added = await Promise.all(racers.map(one => one.state.add({ text: 'Call  Ada', kind: 'loop' })))
    expect(new Set(added.map(({ id }) => id)).size).toBe(1)
    expect((await session.entries({ types: ['commitment_added'] })).length).toBe(1)
  })

  verifies('M65 M66', 'knows a commitment by its id or its whole text, once for each kind', async () => {
    const place = await makePlace()
    const session = await (await place.open()).sessions.create()
    const { state } = session
    const loop = await state.add({ text: ' Call Ada ', kind: 'loop' })
    expect(loop).toMatchObject({ text: 'Call Ada', kind: 'loop', status: 'open' })
    const decision = await state.add({ text: 'call ada', kind: 'decision' })
    expect(decision).toMatchObject({ kind: 'decision', status: 'fulfilled' })
    expect((await state.add({ text: 'Keep it small', kind: 'constraint' })).status).toBe('fulfilled')
    expect(await state.add({ text: 'CALL   ＡDA', kind: 'loop' })).toEqual(loop)
    expect(await codeOf(state.add({ text: ' \n ', kind: 'loop' }))).toBe('input.invalid')
    expect(await codeOf(state.add({ text: 'x', kind: 'wish' as never }))).toBe('input.invalid')
    for (const part of ['call', 'Ada', 'Call Ada today', '', loop.id.slice(0, -1)])
      expect(await codeOf(state.resolve(part, 'fulfilled'))).toBe('commitment.not_found')
    expect(await codeOf(state.resolve(loop.id, 'open' as never))).toBe('input.invalid')
    expect(await state.resolve('call ada', 'fulfilled', 'done by phone')).toMatchObject({
      id: loop.id,
      status: 'fulfilled',
      reason: 'done by phone',
    })
    const settled = await state.add({ text: 'Call Ada', kind: 'loop' })
    expect(settled).toMatchObject({ id: loop.id, status: 'fulfilled' })
    expect(await state.reopen(loop.id)).toMatchObject({ id: loop.id, status: 'open' })
    expect((await state.resolve(decision.id, 'expired')).status).toBe('expired')
    expect((await state.get()).commitments.map(({ status }) => status)).toEqual(['open', 'expired', 'fulfilled'])
    expect(await (await again(place, session)).state.get()).toEqual(await state.get())
    const foreign = await (await place.open()).in('elsewhere').sessions.create()
    expect(await codeOf(foreign.state.resolve(loop.id, 'fulfilled'))).toBe('commitment.not_found')
  })

  verifies('M6 M67', 'follows the branch, outlives eviction and restarts, and is copied with a fork', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const session = await skein.sessions.create()
    await says(session, 'Please fix the login')
    const [before] = await session.entries({ types: ['message_added'] })
    await session.state.add({ text: 'Call Ada' })
    await says(session, 'Please fix the build')
    const fork = await session.fork()
    expect((await fork.state.get()).objective).toBe('Please fix the build')
    await session.moveTo(before?.id as never)
    expect(await session.state.get()).toMatchObject({ objective: 'Please fix the login', commitments: [{ text: 'Call Ada' }] })
    await says(session, 'Please fix the other thing')
    const state = await session.state.get()
    expect(state.changes.map(({ to }) => to)).toEqual(['Please fix the login', 'Please fix the other thing'])
    await skein.sessions.evict({ id: session.id })
    const opened = await skein.sessions.open(session.id)
    expect(await opened.state.get()).toEqual(state)
    expect(await (await again(place, session)).state.get()).toEqual(state)
    await opened.state.clear()
    expect(await opened.state.get()).toMatchObject({ objective: null, stage: null, commitments: [], suggested: null })
    await says(opened, 'Please begin again')
    expect((await opened.state.get()).objective).toBe('Please begin again')
  })

  verifies('M67', 'is the same however it is read: at once, step by step, and from what was kept of a long session', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const session = await skein.sessions.create()
    const texts = Array.from({ length: 40 }, (_, n) => (n % 3 === 0 ? `Please do task ${n}` : `I did not do task ${n}`))
    for (const [n, text] of texts.entries()) {
      await says(session, text)
      if (n % 7 === 0) await session.state.update({ stage: `stage ${n}` })
      await session.state.get()
    }
    await session.append(
      Array.from({ length: 600 }, (_, n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: `line ${n}` })),
    )
    const state = await session.state.get()
    expect(state.objective).toBe('Please do task 39')
    const stored = await (await place.store()).in('default').view(session.id, 'state')
    if (place.durable) expect(stored).toBeDefined()
    expect(await (await again(place, session)).state.get()).toEqual(state)
    const leaf = (await session.entries({ types: ['message_added'], limit: 5 })).at(-1)
    await session.moveTo(leaf?.id as never)
    expect(await (await again(place, session)).state.get()).toEqual(await session.state.get())
    expect((await session.state.get()).objective).toBe('Please do task 3')
  })

  verifies('M68', 'is due for a refresh at 10 turns or 10,000 tokens, whatever was archived or left', async () => {
    const place = await makePlace()
    const session = await (await place.open()).sessions.create()
    const isDue = async (): Promise<boolean[]> => [
      await session.state.due(),
      await session.state.due({ turns: 3, tokens: 1_000_000 }),
      await session.state.due({ turns: 100, tokens: 60 }),
    ]
    expect(await isDue()).toEqual([false, false, false])
    for (let n = 0; n < 9; n++) await session.record({ user: `ask ${n}`, assistant: `answer ${n}` })
    expect(await isDue()).toEqual([false, true, true])
    await session.commit()
    expect(await isDue()).toEqual([false, true, true])
    await says(session, 'an ask of no turn')
    expect(await session.state.due()).toBe(true)
    const [first] = await session.entries({ types: ['message_added'], limit: 1 })
    await session.moveTo(first?.id as never)
    expect(await isDue()).toEqual([false, false, false])
    const { liveTokens } = await session.info()
    const tokens = 10_000 - ((await session.entries({ types: ['message_added'], limit: 1 }))[0]?.tokens ?? 0)
    expect(liveTokens).toBeLessThan(100)
    const text = 'word '.repeat(9_000)
    await says(session, text)
    const added = (await session.entries({ types: ['message_added'], limit: 100 })).at(-1)?.tokens ?? 0
    expect(await session.state.due()).toBe(added >= tokens)
    expect(await session.state.due({ turns: 100, tokens: 10_000 - tokens + added })).toBe(true)
    expect(await session.state.due({ turns: 100, tokens: 10_000 - tokens + added + 1 })).toBe(false)
    for (const wrong of [{ turns: 0 }, { tokens: 1.5 }, { hours: 1 }])
      expect(await codeOf(session.state.due(wrong as never))).toBe('input.invalid')
  })

  verifies(
    'M68',
    'is refreshed by the session’s model once it is due, in the background, and never without a model',
    async () => {
      const place = await makePlace()
      const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor: 'off' } })
      const answer = { objective: 'Fix all of it', stage: 'testing', nextStep: 'run them', uncertainties: ['which branch?'] }
      const asked: string[] = []
      const model = scriptedModel([
        request => {
          asked.push(JSON.stringify(request.messages))
          return `Here it is: ${JSON.stringify(answer)}`
        },
      ])
      const session = await skein.sessions.create({ modelOverride: model })
      await session.state.add({ text: 'Call Ada' })
      const without = await skein.sessions.create()
      for (const one of [session, without])
        for (let n = 0; n < 9; n++) await one.record({ user: `Please do ${n}`, assistant: `I did ${n}` })
      await skein.jobs.idle()
      expect(await skein.jobs.list({ kind: 'state.refresh' })).toEqual([])
      for (const one of [session, without]) await one.record({ user: 'Please do the last', assistant: 'done' })
      await skein.jobs.idle({ kind: 'state.refresh' })
      const [job, ...others] = await skein.jobs.list({ kind: 'state.refresh' })
      expect(others).toEqual([])
      expect(job).toMatchObject({ state: 'done', session: session.id, uniqueKey: session.id, attempts: 1 })
      expect(asked).toHaveLength(1)
      expect(asked[0]).toContain('Please do 0')
      expect(asked[0]).toContain('Call Ada')
      expect(await session.state.get()).toMatchObject({
        objective: 'Fix all of it',
        stage: 'testing',
        nextStep: 'run them',
        blockers: ['which branch?'],
        commitments: [{ text: 'Call Ada', status: 'open' }],
      })
      expect((await session.state.get()).changes.at(-1)?.by).toBe('model')
      expect((await session.usage({ by: 'purpose' })).by?.map(({ key, requests }) => [key, requests])).toEqual([['refresh', 1]])
      expect(await session.state.due()).toBe(false)
      await says(session, 'Please do something else')
      expect((await session.state.get()).objective).toBe('Please do something else')
      expect((await without.state.get()).changes.every(({ by }) => by === 'heuristic')).toBe(true)
    },
  )
})
