import { SkeinError } from '#kernel'
import type { CompactionResult } from '#journal'
import { scriptedModel } from '#models'
import type { Session, Skein, SkeinOptions } from '#skein'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { proveBranch } from './branch-proof.ts'
import { type ScriptedSummarizer, scriptedSummarizer } from './scripted-summarizer.ts'
import { memoryPlace } from './stores.ts'
import { tight, room, turn, fill, added, ofType } from './compacting-room.ts'

describe('a run and its context', () => {
  const info = { contextWindow: 8_000, maxOutput: 1_000 }
  const usual = { keepTokens: 500, leafTokens: 700 }
  const long = async (session: Session, tokens: number): Promise<void> => {
    for (let n = 0; n < tokens / 300; n++) await session.record(turn(n, 290))
  }
  const opened = async (context: SkeinOptions['context'] = {}): Promise<{ skein: Skein; summarizer: ScriptedSummarizer }> => {
    const summarizer = scriptedSummarizer()
    return { summarizer, skein: await (await memoryPlace()).open({ context: { ...usual, summarizer, ...context } }) }
  }

  verifies('C62', 'compacts once when the provider says too long, and asks once more', async () => {
    const { skein } = await opened()
    const overflow = { failure: new SkeinError('provider.overflow', 'Too long.', { details: { tokens: 9_000 } }) }
    const model = scriptedModel([overflow, { text: 'now it fits' }], { info })
    const session = await skein.sessions.create({ modelOverride: model })
    await long(session, 4_000)
    expect(await session.send('and now?').result()).toMatchObject({ status: 'done', text: 'now it fits' })
    expect(model.requests).toHaveLength(2)
    const ended = await ofType(session, 'compaction_ended')
    expect(ended.map(({ data }) => (data as CompactionResult).trigger)).toEqual(['overflow'])
    const [first, second] = model.requests.map(({ messages }) => JSON.stringify(messages).length)
    expect(second).toBeLessThan(first ?? 0)
    await proveBranch(session)
  })

  verifies('C62 C5', 'takes what the provider counted as it refused for a sample', async () => {
    const place = await memoryPlace()
    const skein = await place.open({ context: { ...usual, summarizer: scriptedSummarizer() } })
    const overflow = { failure: new SkeinError('provider.overflow', 'Too long.', { details: { tokens: 9_000 } }) }
    const model = scriptedModel([overflow, { text: 'now it fits' }], { info })
    const session = await skein.sessions.create({ modelOverride: model })
    await long(session, 4_000)
    await session.send('and now?').result()
    const { items } = await (await place.store()).in('default').records('calibration')
    expect(items).toHaveLength(1)
    const { samples } = items[0]?.value as { samples: number[] }
    expect(samples[0]).toBeGreaterThan(1.5)
    expect(samples[0]).toBeLessThan(3)
  })

  verifies('C39', 'need no repair, whatever a provider calls its calls', async () => {
    const { skein } = await opened()
    const names = ['functions.read:0', 'ü', 'x'.repeat(80), 'functions.read:0', 'plain-1']
    const model = scriptedModel(
      [...names.map((callId, n) => ({ calls: [{ tool: 'read', input: { n }, callId }] })), { text: 'done' }],
      {
        info,
      },
    )
    const tools = [{ name: 'read', description: 'Reads.', input: { type: 'object' }, readOnly: true, run: async () => 'read' }]
    const session = await skein.sessions.create({ modelOverride: model, tools } as never)
    expect(await session.send('go').result()).toMatchObject({ status: 'done', text: 'done' })
    const { repairs } = await session.context({ compact: false, format: 'anthropic' })
    expect(repairs.filter(({ rule }) => rule !== 'roles_adjacent')).toEqual([])
    const asked = (await session.messages()).flatMap(({ parts }) =>
      parts.flatMap(part => (part.type === 'tool_call' ? [part.callId] : [])),
    )
    expect(new Set(asked).size).toBe(names.length)
    for (const id of asked) expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
    expect(asked).toContain('plain-1')
  })

  verifies('C62', 'ends when the provider says so twice', async () => {
    const { skein } = await opened()
    const overflow = { failure: new SkeinError('provider.overflow', 'Too long.') }
    const model = scriptedModel([overflow, overflow, { text: 'never' }], { info })
    const session = await skein.sessions.create({ modelOverride: model })
    await long(session, 4_000)
    expect(await session.send('and now?').result()).toMatchObject({
      status: 'blocked',
      reason: 'context_overflow',
      error: { code: 'context.exhausted' },
    })
    expect(model.requests).toHaveLength(2)
    expect((await session.send('again').result()).text).toBe('never')
  })

  verifies('C92', 'asks with summaries, raw tail and new input, in this order', async () => {
    const { skein } = await opened()
    const model = scriptedModel([{ text: 'yes' }], { info })
    const session = await skein.sessions.create({ modelOverride: model })
    await long(session, 6_600)
    expect(await session.send('the new input').result()).toMatchObject({ status: 'done' })
    const told = (model.requests[0]?.messages ?? []).flatMap(({ parts }) => parts.map(part => JSON.stringify(part)))
    const kinds = told.slice(1).map(text => (text.includes('<summary ') ? 's' : text.includes('the new input') ? 'i' : 'r'))
    expect(kinds.join('')).toMatch(/^s+r+i$/)
  })

  verifies('C68', 'compacts before the next request when the model is changed for a smaller one', async () => {
    const { skein } = await opened()
    const session = await skein.sessions.create()
    const wide = scriptedModel([{ text: 'wide' }], { modelId: 'wide', info: { contextWindow: 100_000, maxOutput: 1_000 } })
    await long(session, 8_000)
    await session.send('one', { model: wide }).result()
    expect(await ofType(session, 'compaction_ended')).toEqual([])
    const narrow = scriptedModel([{ text: 'narrow' }], { modelId: 'narrow', info })
    expect(await session.send('two', { model: narrow }).result()).toMatchObject({ status: 'done', text: 'narrow' })
    expect(await ofType(session, 'compaction_ended')).toHaveLength(1)
    expect(JSON.stringify(narrow.requests[0]?.messages)).toContain('<summary ')
  })

  verifies('C8', 'prepares from 45,600 of 76,000 on, and compacts from 76,000 on, not one token before', async () => {
    const facts = { contextWindow: 100_000, maxOutput: 14_000 }
    const told = async (inputTokens: number): Promise<{ queued: boolean; fits: boolean; usable: number }> => {
      const { skein } = await opened()
      const model = scriptedModel([{ text: 'ok', usage: { inputTokens } }], { info: facts })
      const session = await skein.sessions.create({ modelOverride: model })
      await session.send('go').result()
      const [snapshot] = await session.turns()
      const asked = { facts: { ...facts, ref: 'scripted/script' }, maxTokens: 14_000 }
      const { fits, budget } = await session.context({ compact: false, ...asked })
      return { queued: snapshot?.compactionQueued ?? false, fits, usable: budget.usable }
    }
    // The answer takes 5 tokens.
    expect(await told(45_594)).toEqual({ queued: false, fits: true, usable: 76_000 })
    expect(await told(45_595)).toEqual({ queued: true, fits: true, usable: 76_000 })
    expect(await told(75_994)).toEqual({ queued: true, fits: true, usable: 76_000 })
    expect(await told(75_995)).toEqual({ queued: true, fits: false, usable: 76_000 })
  })

  verifies('C9', 'never compacts for what requests used together', async () => {
    const { skein, summarizer } = await opened()
    const answers = Array.from({ length: 40 }, () => ({ text: 'ok', usage: { inputTokens: 5_000, outputTokens: 5 } }))
    const model = scriptedModel(answers, { info: { contextWindow: 32_000, maxOutput: 4_096 } })
    const session = await skein.sessions.create({ modelOverride: model })
    for (let n = 0; n < 40; n++) expect((await session.send('x').result()).status).toBe('done')
    expect((await session.turns()).some(({ compactionQueued }) => compactionQueued)).toBe(false)
    expect(await ofType(session, 'compaction_started')).toEqual([])
    expect(await skein.jobs.list({ kind: 'context.compact' })).toEqual([])
    expect(summarizer.asked).toEqual([])
  })

  it('takes a request’s size for what it showed, not for what a swap has made of it meanwhile', async () => {
    const { skein } = await opened({ ...tight })
    const session = await skein.sessions.create()
    await fill(session, 9)
    const { tokens } = await session.context()
    expect((await session.compact()).status).toBe('done')
    // The host was given its context before that, and says what it took.
    await session.record({ user: 'x', assistant: 'y', usage: { inputTokens: tokens.total, outputTokens: 2 } })
    const next = await session.context({ compact: false })
    expect(next.prefix.brokenBy).toBe('swap')
    expect(next.fits).toBe(true)
    await fill(session, 1, 2_000)
    expect((await session.context()).fits).toBe(true)
  })

  it('ends when it is cancelled, also while it waits for a compaction, which goes on', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const summarizer = scriptedSummarizer([async () => (asked.resolve(), await answer.promise), 'extracts'])
    const skein = await (await memoryPlace()).open({ context: { ...usual, summarizer } })
    const model = scriptedModel([{ text: 'yes' }], { info })
    const session = await skein.sessions.create({ modelOverride: model })
    await long(session, 8_000)
    const run = session.send('go')
    await asked.promise
    await run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled' })
    expect((await session.info()).compaction.state).toBe('summarizing')
    answer.resolve()
    await expect.poll(async () => (await session.info()).compaction.state).toBe('idle')
    expect((await ofType(session, 'compaction_ended')).map(({ data }) => (data as CompactionResult).status)).toEqual(['done'])
    expect((await session.send('again').result()).status).toBe('done')
  })

  it('is not disturbed by a compaction that swaps while it is asked', async () => {
    const { skein } = await opened()
    const gate = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const model = scriptedModel(
      [
        async () => (asked.resolve(), await gate.promise, { text: 'slow', calls: [{ tool: 'add', input: {} }] }),
        { text: 'done' },
      ],
      { info: { contextWindow: 100_000, maxOutput: 1_000 } },
    )
    const add = { name: 'add', description: 'Adds.', input: { type: 'object' }, run: () => 3 } as const
    const session = await skein.sessions.create({ modelOverride: model, tools: [add] })
    await long(session, 4_000)
    const run = session.send('go')
    await asked.promise
    expect((await session.compact()).status).toBe('done')
    gate.resolve()
    expect(await run.result()).toMatchObject({ status: 'done', text: 'done' })
    expect(JSON.stringify(model.requests[0]?.messages)).not.toContain('<summary ')
    expect(JSON.stringify(model.requests[1]?.messages)).toContain('<summary ')
    const prefixes = (await ofType(session, 'usage_recorded')).map(
      ({ data }) => (data as { prefix?: { brokenBy: string | null } }).prefix?.brokenBy,
    )
    expect(prefixes.filter(one => one !== undefined)).toEqual([null, 'swap'])
    await proveBranch(session)
  })
})

describe('closing', () => {
  verifies('C89', 'waits for a compaction, is fine twice, and leaves a store that was handed in open', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const { place, skein, session } = await room([async () => (asked.resolve(), await answer.promise), 'extracts'])
    await fill(session, 8)
    const compacting = session.compact()
    await asked.promise
    const closing = session.close()
    answer.resolve()
    await Promise.all([closing, session.close()])
    expect((await compacting).status).toBe('done')
    await session.close()
    const again = await skein.sessions.open(session.id)
    expect(await ofType(again, 'context_edited')).toHaveLength(1)
    await skein.close()
    await skein.close()
    expect(await (await place.store()).in('default').session(session.id)).toBeDefined()
  })

  verifies('C89', 'aborts a compaction that goes on for too long, and keeps what it made', async () => {
    const asked = Promise.withResolvers<void>()
    const { skein, session } = await room(['extracts', () => (asked.resolve(), new Promise(() => undefined)), 'extracts'], {
      context: { closeTimeoutMs: 0 },
    })
    await fill(session, 12)
    const compacting = session.compact()
    await asked.promise
    await session.close()
    expect((await compacting).status).toBe('aborted')
    const again = await skein.sessions.open(session.id)
    expect(await added(again)).toHaveLength(1)
    expect((await again.info()).compaction).toEqual({ state: 'idle' })
    expect((await again.compact()).status).toBe('done')
  })

  verifies('C89', 'closes everything within its time, also in the midst of a compaction', async () => {
    const asked = Promise.withResolvers<void>()
    const { skein, session, place } = await room([() => (asked.resolve(), new Promise(() => undefined)), 'extracts'])
    await fill(session, 12)
    const compacting = session.compact()
    await asked.promise
    await skein.close({ waitMs: 50 })
    expect((await compacting).status).toBe('aborted')
    const again = await (await place.open()).sessions.open(session.id)
    expect((await again.info()).compaction).toEqual({ state: 'idle' })
    await proveBranch(again)
  })
})
