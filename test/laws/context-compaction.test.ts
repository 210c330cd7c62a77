import { isType } from '#journal'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { everyEntry, proveBranch } from './branch-proof.ts'
import { type Behaviour, scriptedSummarizer } from './scripted-summarizer.ts'
import { memoryPlace, type Place, postgresPlace, sqlitePlace } from './stores.ts'
import { describePostgres } from '../postgres/fresh-database.ts'
import { tight, room, filler, turn, fill, bytes, added, ofType, codeOf } from './compacting-room.ts'

describe('compacting', () => {
  verifies('C50', 'does nothing for two turns, however long: no call, no entry', async () => {
    const { session, summarizer } = await room()
    await fill(session, 2, 200)
    const before = await everyEntry(session, false)
    expect(await session.compact()).toMatchObject({ status: 'nothing', summaries: [], level: 0, usage: null })
    expect(summarizer.asked).toEqual([])
    expect(await everyEntry(session, false)).toEqual(before)
  })

  verifies('C14 C51', 'covers what nothing covered before, and what is projected is below what is usable', async () => {
    const { session } = await room(['extracts'], { context: { fanout: 16, summaryShare: 0.5 } })
    const seen = new Set<string>()
    for (let round = 0; round < 4; round++) {
      await fill(session, 4)
      const { items: before = [] } = await session.context({ compact: false, explain: true })
      const raw = new Set(before.filter(({ kind }) => kind !== 'summary').map(({ ref }) => ref as string))
      const result = await session.compact()
      expect(result).toMatchObject({ status: 'done', level: 1 })
      expect(result.tokensAfter).toBeLessThan(result.usable)
      expect(result.tokensAfter).toBeLessThan(result.tokensBefore)
      const { summaries } = await proveBranch(session)
      for (const id of result.summaries) {
        const node = summaries.get(id)
        if (node?.kind !== 'leaf') continue
        expect(raw.has(node.covers.first) && raw.has(node.covers.last)).toBe(true)
        expect(seen.has(node.covers.first)).toBe(false)
        seen.add(node.covers.first)
      }
    }
    expect(seen.size).toBeGreaterThan(3)
  })

  verifies('C52', 'goes from as asked over terse to without a model, and says each', async () => {
    const { session } = await room(['long', 'echoes'])
    await fill(session, 4)
    const { attempts, level, status } = await session.compact()
    expect(attempts.slice(0, 3).map(one => [one.level, one.outcome])).toEqual([
      [1, 'too_long'],
      [2, 'too_long'],
      [3, 'accepted'],
    ])
    expect({ level, status }).toEqual({ level: 3, status: 'done' })
  })

  verifies('C53', 'ends at level 3 when its summarizer always throws and somebody waits', async () => {
    const { session, summarizer } = await room(['throws'])
    await fill(session, 5)
    expect(await session.compact()).toMatchObject({ status: 'done', level: 3 })
    expect(summarizer.asked.length).toBeGreaterThan(0)
    const nodes = await session.summaries()
    expect(nodes.length).toBeGreaterThan(0)
    expect(nodes.every(({ provisional }) => provisional)).toBe(true)
    await proveBranch(session)
  })

  verifies(
    'C51 C53 C69',
    'ends at level 3 whatever a summarizer gives for an answer, and counts nothing that is no count',
    async () => {
      const odd: readonly unknown[] = [
        undefined,
        null,
        5,
        'a text',
        [],
        {},
        { text: 7 },
        { text: ['a'] },
        { usage: { inputTokens: -1 } },
      ]
      for (const answer of odd) {
        const summarizer = { id: 'odd', maxInputTokens: 50_000, summarize: async () => await Promise.resolve(answer as never) }
        const { session } = await room([], { context: { summarizer } })
        await fill(session, 12)
        expect(await session.compact({ targetTokens: 500 }), JSON.stringify(answer)).toMatchObject({ status: 'done', level: 3 })
        expect((await session.context()).fits).toBe(true)
        expect((await session.audit()).findings).toEqual([])
      }
      const spends = { text: 'All is well.', usage: { inputTokens: -5, outputTokens: NaN }, cost: 0.5 }
      const summarizer = { id: 'odd', maxInputTokens: 50_000, summarize: async () => await Promise.resolve(spends as never) }
      const { session } = await room([], { context: { summarizer } })
      await fill(session, 12)
      expect(await session.compact({ targetTokens: 500 })).toMatchObject({ status: 'done', level: 1, usage: null, cost: null })
    },
  )

  verifies('C53', 'is put off when its summarizer always throws in the background, and stores no node', async () => {
    const { session } = await room(['throws'])
    await fill(session, 10)
    const before = await bytes(session)
    expect(await session.prepareContext(new AbortController().signal)).toMatchObject({ status: 'deferred', summaries: [] })
    expect(await added(session)).toEqual([])
    expect(await bytes(session)).toBe(before)
  })

  verifies('C53', 'tries a deferred job again after a minute, then later, until a model answers', async () => {
    const place = await memoryPlace()
    const summarizer = scriptedSummarizer(['throws'])
    const skein = await place.open({ worker: true, context: { ...tight, summarizer } })
    const session = await skein.sessions.create()
    await fill(session, 10)
    const job = async (): Promise<{ state: string; attempts: number; runAfter: number } | undefined> =>
      (await skein.jobs.list({ kind: 'context.compact' }))[0] as never
    await expect.poll(async () => (await job())?.attempts).toBe(1)
    await expect.poll(async () => (await job())?.state).toBe('queued')
    expect(((await job())?.runAfter ?? 0) - place.clock.now()).toBeGreaterThanOrEqual(60_000 * 0.5)
    expect(await added(session)).toEqual([])
    summarizer.answers = ['extracts']
    place.clock.advance(10 * 60_000)
    await expect.poll(async () => (await job())?.state).toBe('done')
    expect((await added(session)).length).toBeGreaterThan(0)
  })

  verifies('C54', 'asks no more once its credentials were refused', async () => {
    const { session, summarizer } = await room(['refuses'])
    await fill(session, 9)
    const result = await session.compact()
    expect(result).toMatchObject({ status: 'done', level: 3 })
    expect(result.summaries.length).toBeGreaterThan(1)
    expect(summarizer.asked).toHaveLength(1)
  })

  it('goes on without a model when the one that is named cannot be had', async () => {
    const place = await memoryPlace()
    const skein = await place.open({ context: { ...tight, summarizer: 'openai/gpt-5.4' } })
    const session = await skein.sessions.create()
    await fill(session, 9)
    expect(await session.compact()).toMatchObject({ status: 'done', level: 3 })
    await fill(session, 20)
    expect((await session.context()).fits).toBe(true)
  })

  verifies('C55', 'makes provisional nodes anew from the originals once a model answers', async () => {
    const { session, summarizer } = await room(['throws'])
    await fill(session, 4)
    await session.compact()
    const [old] = await session.summaries()
    expect(old?.provisional).toBe(true)
    summarizer.answers = ['extracts']
    const asked = summarizer.asked.length
    expect(await session.compact()).toMatchObject({ status: 'done', level: 1 })
    const remade = (await session.summaries()).filter(({ shown }) => shown)
    const fresh = remade.find(({ replaces }) => replaces === old?.id)
    expect(fresh).toMatchObject({ provisional: false, covers: old?.covers as object, level: 1 })
    expect(remade.some(({ id }) => id === old?.id)).toBe(false)
    expect(summarizer.asked[asked]?.sources.map(({ ref }) => ref)).toContain(old?.covers.first)
    await proveBranch(session)
  })

  it('shows a remade node only where there is room for it', async () => {
    const { session, summarizer } = await room(['throws'])
    for (let n = 0; n < 40; n++) {
      await session.record(turn(n, 300))
      await session.context()
    }
    summarizer.answers = [() => `All went well. ${filler(1_000)}`.slice(0, 900)]
    for (let n = 0; n < 6; n++) {
      const result = await session.compact()
      expect(['done', 'nothing', 'pruned']).toContain(result.status)
      expect(result.tokensAfter).toBeLessThan(result.usable)
    }
    await proveBranch(session)
  })

  verifies('C56 C43', 'changes no byte while it prepares, and prunes nothing before it swaps', async () => {
    const { session, summarizer } = await room(['extracts'], { context: { prune: { protectTokens: 100, minTokens: 10 } } })
    for (let n = 0; n < 8; n++) {
      await session.record({
        messages: [
          { role: 'user', content: `question ${n}` },
          { role: 'assistant', parts: [{ type: 'tool_call', callId: `c${n}`, tool: 'read', input: {} }] },
          { role: 'tool', parts: [{ type: 'tool_result', callId: `c${n}`, tool: 'read', output: filler(400) }] },
          { role: 'assistant', content: `answer ${n} ${filler(60)}` },
        ],
      })
    }
    const before = await bytes(session)
    expect(await session.prepareContext(new AbortController().signal)).toMatchObject({ trigger: 'soft', status: 'prepared' })
    expect(await bytes(session)).toBe(before)
    expect(await ofType(session, 'context_edited')).toEqual([])
    const asked = summarizer.asked.length
    const result = await session.compact({ targetTokens: 1_171 })
    expect(result.status).toBe('done')
    expect(await bytes(session)).not.toBe(before)
    expect(summarizer.asked.length).toBe(asked)
  })

  verifies('C66', 'breaks the prefix once, in one commit', async () => {
    const { session } = await room()
    await fill(session, 12)
    const { status } = await session.compact()
    expect(status).toBe('done')
    expect(await ofType(session, 'context_edited')).toHaveLength(1)
    const entries = await everyEntry(session, false)
    const at = entries.findIndex(entry => isType(entry, 'context_edited'))
    expect(entries[at + 1]?.type).toBe('compaction_ended')
    const { prefix } = await session.context()
    expect(prefix.brokenBy === null || prefix.brokenBy === 'swap').toBe(true)
  })

  verifies('C67', 'plans without a model and without a trace, and does what it planned', async () => {
    const { session, summarizer } = await room(['extracts'], { context: { fanout: 16, summaryShare: 0.5 } })
    await fill(session, 12)
    const before = await everyEntry(session, false)
    const planned = await session.compact({ dryRun: true })
    expect(summarizer.asked).toEqual([])
    expect(await everyEntry(session, false)).toEqual(before)
    expect(await session.info()).toMatchObject({ compaction: { state: 'idle' } })
    expect(planned.status).toBe('done')
    const done = await session.compact()
    expect(done.coveredEntries).toBe(planned.coveredEntries)
    expect(done.summaries).toHaveLength(planned.summaries.length)
    expect(planned.tokensBefore).toBe(done.tokensBefore)
  })

  verifies('C63', 'makes no summary when system and tools alone are too long, and says what takes the room', async () => {
    const { session, summarizer } = await room()
    await fill(session, 6)
    await session.setSystem(filler(5_000))
    const result = await session.compact()
    expect(result).toMatchObject({ status: 'exhausted', summaries: [] })
    expect(result.reason).toMatch(/system \d{4}/)
    expect(summarizer.asked).toEqual([])
    await expect(session.context()).rejects.toMatchObject({
      code: 'context.exhausted',
      details: { usable: 3_904, tokens: { system: expect.any(Number) as number } },
    })
  })

  verifies('C64', 'compacts one turn of 200 steps from inside, and keeps its user message raw', async () => {
    const { session } = await room()
    const steps = Array.from({ length: 200 }, (_, n) => [
      { role: 'assistant', parts: [{ type: 'tool_call', callId: `c${n}`, tool: 'read', input: { path: `src/file${n}.ts` } }] },
      { role: 'tool', parts: [{ type: 'tool_result', callId: `c${n}`, tool: 'read', output: filler(100) }] },
    ]).flat()
    await session.append([{ role: 'user', content: 'Rename foo to bar everywhere.' }])
    await session.append(steps)
    const context = await session.context({ explain: true, format: 'skein' })
    expect(context.fits).toBe(true)
    const [first] = await session.messages()
    expect(context.items?.find(({ ref }) => ref === first?.id)?.shown).toBe('raw')
    expect(context.items?.some(({ shown }) => shown === 'summary')).toBe(true)
    expect(JSON.stringify(context.messages)).toContain('Rename foo to bar everywhere.')
    await proveBranch(session)
  })

  it('takes the small user messages of long turns into condensed nodes, so that they part them no more', async () => {
    const { session } = await room([() => filler(200)])
    for (let n = 0; n < 12; n++) {
      await session.append([{ role: 'user', content: `Do number ${n}.` }])
      for (let step = 0; step < 12; step++) {
        const callId = `c${n}_${step}`
        await session.append([
          { role: 'assistant', parts: [{ type: 'tool_call', callId, tool: 'read', input: { n } }] },
          { role: 'tool', parts: [{ type: 'tool_result', callId, tool: 'read', output: filler(250) }] },
        ])
        expect((await session.context()).fits).toBe(true)
      }
    }
    const { items, summaries } = await proveBranch(session)
    const shown = items.filter(item => 'summary' in item)
    expect(items.length - shown.length).toBeLessThan(20)
    expect(shown.length).toBeLessThan(16)
    const child = [...summaries.values()].find(({ text }) => text === '')
    expect(child).toMatchObject({ kind: 'leaf', provisional: false })
    expect(child?.quotes[0]?.text).toMatch(/^Do number \d+\.$/)
    expect(items.some(item => 'summary' in item && item.summary === child?.id)).toBe(false)
  })

  verifies('C65', 'covers a group that is larger than its summarizer takes, and keeps what it names', async () => {
    const place = await memoryPlace()
    const summarizer = scriptedSummarizer(['extracts'], 1_000)
    const prune = { protectTokens: 100_000, minTokens: 2_000 }
    const skein = await place.open({ context: { ...tight, summarizer, largeTokens: 1_000_000, prune } })
    const session = await skein.sessions.create()
    const output = `${filler(1_500)} /etc/hidden/in-the-middle.conf ${filler(1_500)}`
    await session.append([
      { role: 'user', content: 'Look.' },
      { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c', tool: 'read', input: {} }] },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 'read', output }] },
    ])
    await fill(session, 3, 100)
    const { status } = await session.compact()
    expect(status).toBe('done')
    const node = (await session.summaries()).find(({ made }) => made.inputCut > 0)
    expect(node?.anchors.map(({ text }) => text)).toContain('/etc/hidden/in-the-middle.conf')
    for (const { sources } of summarizer.asked) expect(sources.map(({ text }) => text).join('')).not.toContain('in-the-middle')
    await proveBranch(session)
  })

  verifies('C69', 'counts what its requests used, also those whose proposals it refused', async () => {
    const { session } = await room(['empty', 'empty'])
    await fill(session, 4)
    const result = await session.compact()
    const refused = result.attempts.filter(({ outcome }) => outcome === 'empty').length
    expect(refused).toBeGreaterThan(1)
    const report = await session.usage({ by: 'purpose' })
    expect(JSON.stringify(report)).toContain('compaction')
    expect(report).toMatchObject({ usage: { inputTokens: refused * 100 }, cost: { nano: refused * 7 } })
    expect(result).toMatchObject({ usage: { inputTokens: refused * 100 }, cost: refused * 7 })
  })

  verifies('C69', 'counts what was used before it was aborted', async () => {
    const stop = new AbortController()
    const { session } = await room(['empty', () => stop.abort(new Error('enough'))])
    await fill(session, 4)
    expect(await session.compact({ signal: stop.signal })).toMatchObject({ status: 'aborted' })
    expect((await session.usage()).usage.inputTokens).toBeGreaterThanOrEqual(100)
  })

  verifies('C70', 'stays as shallow as its fanout allows', async () => {
    const { session } = await room([() => filler(180)], {
      context: { buffer: 110_000, fanout: 2, summaryShare: 0.05, leafTokens: 1_000 },
    })
    for (let round = 0; round < 12; round++) {
      await fill(session, 6, 400)
      await session.compact({ targetTokens: 0 })
    }
    const { summaries } = await proveBranch(session)
    const leaves = [...summaries.values()].filter(({ kind }) => kind === 'leaf').length
    const depth = Math.max(...[...summaries.values()].map(node => node.depth))
    expect(leaves).toBeGreaterThan(20)
    expect(depth).toBeGreaterThan(1)
    expect(depth).toBeLessThanOrEqual(Math.ceil(Math.log2(leaves)))
  })

  it('ends fitting, and smaller each time, whatever is set and whatever its summarizer says', async () => {
    const behaviours: Behaviour[] = ['extracts', 'empty', 'long', 'echoes', 'invents', 'throws', 'refuses']
    for (const answer of behaviours) {
      const { session } = await room([answer], { context: { keepTokens: 100_000 } })
      for (let n = 0; n < 40; n++) {
        await session.record(turn(n, 250))
        const context = await session.context()
        expect(context.fits).toBe(true)
        expect(context.tokens.total).toBeLessThan(context.budget.usable)
      }
      await proveBranch(session)
    }
  })

  it('refuses to compact a session that has ended, before it asks anybody', async () => {
    const { session, summarizer } = await room()
    await fill(session, 9)
    await session.end()
    expect(await codeOf(session.compact())).toBe('session.ended')
    expect((await session.context()).fits).toBe(true)
    expect(summarizer.asked).toEqual([])
    expect(await session.prepareContext(new AbortController().signal)).toBeUndefined()
  })

  it('compacts 10,000 messages in time that grows with them', async () => {
    const took = async (messages: number): Promise<number> => {
      const { session } = await room(['extracts'])
      const many = Array.from({ length: messages }, (_, n) => ({
        role: n % 2 === 0 ? 'user' : 'assistant',
        content: `${n} ${filler(60)}`,
      }))
      for (let at = 0; at < many.length; at += 500) await session.append(many.slice(at, at + 500))
      const before = process.cpuUsage()
      expect((await session.context()).fits).toBe(true)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1_000
    }
    await took(500)
    const [small, large] = [await took(1_000), await took(10_000)]
    // Ten times as much: where each step looked at all there is, it would be a hundred times.
    expect(large / small).toBeLessThan(40)
  })
})

describe('a compaction beside other things', () => {
  verifies('C57', 'is one, however many ask for it', async () => {
    const { session, summarizer } = await room()
    await fill(session, 8)
    const results = await Promise.all([session.compact(), session.compact(), session.compact()])
    expect(new Set(results.map(({ id }) => id)).size).toBe(1)
    expect(await ofType(session, 'compaction_started')).toHaveLength(1)
    expect(await ofType(session, 'compaction_ended')).toHaveLength(1)
    expect(new Set(summarizer.asked.map(({ sources }) => sources[0]?.ref)).size).toBe(summarizer.asked.length)
  })

  const twoProcesses = (makePlace: () => Promise<Place>): void =>
    verifies('C57 C91', 'is one over two processes, and both see where it is', async () => {
      const place = await makePlace()
      const asked = Promise.withResolvers<void>()
      const answer = Promise.withResolvers<void>()
      const first = scriptedSummarizer([async () => (asked.resolve(), await answer.promise), 'extracts'])
      const second = scriptedSummarizer()
      const one = await place.open({ context: { ...tight, summarizer: first } })
      const two = await place.open({ context: { ...tight, summarizer: second } })
      const here = await one.sessions.create()
      await fill(here, 8)
      const there = await two.sessions.open(here.id)
      const running = here.compact()
      await asked.promise
      expect((await here.info()).compaction).toMatchObject({ state: 'summarizing' })
      const elsewhere = (await there.info()).compaction
      expect(elsewhere).toMatchObject({ state: 'summarizing' })
      const joined = there.compact()
      answer.resolve()
      const [a, b] = await Promise.all([running, joined])
      expect(a.status).toBe('done')
      expect(b).toEqual(a)
      expect(elsewhere.id).toBe(a.id)
      expect(second.asked).toEqual([])
      expect((await there.info()).compaction).toEqual({ state: 'idle' })
      expect((await here.info()).compaction).toEqual({ state: 'idle' })
      expect(await ofType(there, 'compaction_ended')).toHaveLength(1)
      expect(await bytes(there)).toBe(await bytes(here))
    })
  describe('on SQLite', () => twoProcesses(sqlitePlace))
  describePostgres('on Postgres', () => twoProcesses(postgresPlace))

  verifies('C91', 'is idle again after every end', async () => {
    const stop = new AbortController()
    const ends: readonly [Behaviour, AbortSignal | undefined, string][] = [
      ['extracts', undefined, 'done'],
      ['throws', undefined, 'done'],
      [() => stop.abort(new Error('enough')), stop.signal, 'aborted'],
    ]
    for (const [answer, signal, status] of ends) {
      const { session } = await room([answer])
      await fill(session, 6)
      expect((await session.compact(signal === undefined ? {} : { signal })).status).toBe(status)
      expect((await session.info()).compaction).toEqual({ state: 'idle' })
    }
  })

  verifies('C58', 'leaves a turn that comes meanwhile raw, before and after it swaps', async () => {
    const meanwhile = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { session } = await room([async () => (asked.resolve(), await meanwhile.promise), 'extracts'])
    await fill(session, 8)
    const compacting = session.compact()
    await asked.promise
    const recorded = await session.record({ user: 'and this?', assistant: 'that, too' })
    expect(recorded.compaction).toBe('running')
    expect(await bytes(session)).toContain('that, too')
    meanwhile.resolve()
    expect((await compacting).status).toBe('done')
    const { items } = await proveBranch(session)
    const refs = items.flatMap(item => ('entry' in item ? [item.entry] : []))
    const messages = recorded.entries.filter(entry => isType(entry, 'message_added')).map(({ id }) => id)
    expect(refs.slice(-2)).toEqual(messages)
    expect(await bytes(session)).toContain('that, too')
  })

  verifies('C59', 'gives way to a move of the leaf, and leaves the other branch as it is', async () => {
    const meanwhile = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { session } = await room([async () => (asked.resolve(), await meanwhile.promise), 'extracts'])
    await fill(session, 8)
    const third = (await session.messages())[5]
    const compacting = session.compact()
    await asked.promise
    await session.moveTo(third?.id ?? 'ent_')
    const before = await bytes(session)
    meanwhile.resolve()
    const result = await compacting
    expect(result.status).toBe('superseded')
    expect(await bytes(session)).toBe(before)
    expect(await ofType(session, 'context_edited')).toEqual([])
    expect((await session.info()).compaction.state).toBe('idle')
    await proveBranch(session)
  })

  verifies('C60', 'leaves the frontier as it was when it is aborted, and asks for nothing twice', async () => {
    const stop = new AbortController()
    const { session, summarizer } = await room(['extracts', 'extracts', () => stop.abort(new Error('enough')), 'extracts'])
    await fill(session, 12)
    const before = await bytes(session)
    const aborted = await session.compact({ signal: stop.signal })
    expect(aborted.status).toBe('aborted')
    expect(await bytes(session)).toBe(before)
    const kept = await added(session)
    expect(kept).toHaveLength(2)
    const asked = summarizer.asked.map(({ sources }) => sources[0]?.ref)
    const again = await session.compact()
    expect(again.status).toBe('done')
    expect(again.summaries).toEqual(expect.arrayContaining(kept.map(entry => (entry.data as { id: string }).id)))
    const later = summarizer.asked.slice(asked.length).map(({ sources }) => sources[0]?.ref)
    for (const ref of asked.slice(0, 2)) expect(later).not.toContain(ref)
  })

  it('begins anew for who waited for one that another has aborted', async () => {
    const stop = new AbortController()
    const asked = Promise.withResolvers<void>()
    const { session } = await room([() => (asked.resolve(), new Promise(() => undefined)), 'extracts'])
    await fill(session, 8)
    const first = session.compact({ signal: stop.signal })
    await asked.promise
    const second = session.compact()
    stop.abort(new Error('enough'))
    expect((await first).status).toBe('aborted')
    expect((await second).status).toBe('done')
  })

  it('makes a preparation swap when somebody comes to need it', async () => {
    const meanwhile = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { session } = await room([async () => (asked.resolve(), await meanwhile.promise), 'extracts'])
    await fill(session, 12)
    const preparing = session.prepareContext(new AbortController().signal)
    await asked.promise
    const waited = session.compact()
    meanwhile.resolve()
    expect((await preparing)?.id).toBe((await waited).id)
    expect((await waited).status).toBe('done')
  })

  it('is taken over from an owner that is gone', async () => {
    const place = await memoryPlace()
    const one = await place.open({ context: { ...tight, summarizer: scriptedSummarizer() } })
    const session = await one.sessions.create()
    await fill(session, 8)
    const id = 'cmp_00000000000000000000000000'
    const until = place.clock.now() + 30_000
    const lost = { state: 'summarizing', id, owner: 'gone', trigger: 'manual', since: 1, until }
    await one.store.in('default').commit([{ type: 'put_record', collection: 'compaction', key: session.id, value: lost }])
    expect((await session.info()).compaction).toMatchObject({ state: 'summarizing', id })
    place.clock.advance(30_001)
    expect((await session.info()).compaction).toEqual({ state: 'idle' })
    expect((await session.compact()).status).toBe('done')
  })

  it('fails, and shows what it showed, when its record was taken over meanwhile', async () => {
    const place = await memoryPlace()
    const thief = async (): Promise<void> => {
      const store = one.store.in('default')
      const record = await store.record('compaction', session.id)
      await store.commit([{ type: 'put_record', collection: 'compaction', key: session.id, value: record?.value ?? {} }])
    }
    const one = await place.open({ context: { ...tight, summarizer: scriptedSummarizer([thief, 'extracts']) } })
    const session = await one.sessions.create()
    await fill(session, 8)
    const before = await bytes(session)
    expect(await session.compact()).toMatchObject({ status: 'failed', reason: 'store.conflict' })
    expect(await bytes(session)).toBe(before)
    expect(await ofType(session, 'context_edited')).toEqual([])
  })

  it('fails without a change while another process writes the session, and leaves its nodes for later', async () => {
    const place = await memoryPlace()
    const one = await place.open({ context: { ...tight, summarizer: scriptedSummarizer() } })
    const session = await one.sessions.create()
    await fill(session, 8)
    await session.close()
    const store = one.store.in('default')
    await store.commit([{ type: 'acquire', session: session.id, owner: 'another', leaseMs: 60_000 }])
    const again = await one.sessions.open(session.id)
    expect(await again.compact()).toMatchObject({ status: 'failed', reason: 'session.busy' })
    expect(await ofType(again, 'context_edited')).toEqual([])
    expect((await added(again)).length).toBeGreaterThan(0)
  })
})
