import { isType } from '#journal'
import { SkeinError } from '#kernel'
import { scriptedModel, type ScriptedStep } from '#models'
import type { Session } from '#skein'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, tool, typesOf } from './agent-talk.ts'
import { memoryPlace, onEveryStore, type Place } from './stores.ts'

/** Dollars per million tokens: 1 in, 10 out. */
const prices = [{ provider: 'scripted', model: 'priced', rates: { input: 1_000_000_000, output: 10_000_000_000 } }]
const usage = { inputTokens: 1_000, outputTokens: 100 }
/** What such a request costs, in nano-dollars. */
const each = 2_000_000

const priced = (steps: readonly ScriptedStep[]) =>
  scriptedModel(steps, { provider: 'scripted', modelId: 'priced', info: { prices } })
let count = 0
const look = tool('look', () => 'seen', { readOnly: true })
const again = (): ScriptedStep => ({ calls: [call('look', { n: count++ })], usage })
const reachedIn = async (session: Session) =>
  (await session.entries({ types: ['allowance_reached'] })).flatMap(entry =>
    isType(entry, 'allowance_reached') ? [entry.data] : [],
  )

onEveryStore('an allowance', (place: () => Promise<Place>) => {
  verifies('A53', 'no request is made after the one that reached the money of a run', async () => {
    const skein = await (await place()).open()
    const model = priced([again(), again(), again(), 'never'])
    const session = await skein.sessions.create({ modelOverride: model, tools: [look] })
    const result = await session.send('go', { allowance: { nano: 2 * each } }).result()
    expect(result).toMatchObject({ status: 'blocked', reason: 'allowance_reached', steps: 2, cost: 2 * each })
    expect(model.requests).toHaveLength(2)
    // The calls of the last answer ran, as at any other limit.
    expect((await session.messages()).filter(({ role }) => role === 'tool')).toHaveLength(2)
    expect(await reachedIn(session)).toEqual([{ of: 'run', session: session.id, kind: 'nano', limit: 2 * each, spent: 2 * each }])
    // It was the run's alone.
    expect(await session.send('on').result()).toMatchObject({ status: 'done', text: 'never', steps: 2 })
  })

  verifies('A53', 'one nano-dollar less is not reached', async () => {
    const skein = await (await place()).open()
    const model = priced([again(), again(), { text: 'fine', usage }])
    const session = await skein.sessions.create({ modelOverride: model, tools: [look] })
    const result = await session.send('go', { allowance: { nano: 2 * each + 1 } }).result()
    expect(result).toMatchObject({ status: 'done', text: 'fine', steps: 3 })
    expect(await typesOf(session)).not.toContain('allowance_reached')
  })

  verifies('A53', "a session's holds over its runs and over a restart, and tokens of every kind count", async () => {
    const here = await place()
    const first = await here.open()
    const model = priced([
      { text: 'one', usage },
      { text: 'two', usage: { ...usage, cacheReadTokens: 500 } },
    ])
    const created = await first.sessions.create({ modelOverride: model, allowance: { tokens: 2_700 } })
    expect((await created.send('a').result()).status).toBe('done')
    expect((await created.send('b').result()).status).toBe('done')
    await first.close()
    const skein = await here.open()
    const next = priced(['three'])
    const session = await skein.sessions.open(created.id, { modelOverride: next })
    expect(await session.send('c').result()).toMatchObject({ status: 'blocked', reason: 'allowance_reached', steps: 0 })
    expect(next.requests).toHaveLength(0)
    expect(await reachedIn(session)).toEqual([{ of: 'session', session: session.id, kind: 'tokens', limit: 2_700, spent: 2_700 }])
    // What this process is told counts instead.
    const lifted = await skein.sessions.open(created.id, { allowance: null })
    expect(await lifted.send('d').result()).toMatchObject({ status: 'done', text: 'three' })
  })

  verifies('A53', 'failed attempts count, and no retry follows the one that reached it', async () => {
    const skein = await (await place()).open()
    const model = priced([{ usage, failure: new SkeinError('provider.unavailable', 'Away.') }, 'never'])
    const session = await skein.sessions.create({ modelOverride: model, allowance: { nano: each } })
    const result = await session.send('go').result()
    expect(result).toMatchObject({ status: 'blocked', reason: 'allowance_reached', steps: 1 })
    expect(model.requests).toHaveLength(1)
  })

  verifies('A53', 'a request whose usage is not told counts by its estimate', async () => {
    const skein = await (await place()).open()
    const model = priced([{ calls: [call('look', { n: count++ })] }, 'never'])
    const session = await skein.sessions.create({ modelOverride: model, tools: [look] })
    const result = await session.send('go', { allowance: { tokens: 1 } }).result()
    expect(result).toMatchObject({ status: 'blocked', reason: 'allowance_reached', steps: 1, cost: null })
    const [used] = await session.entries({ types: ['usage_recorded'] })
    expect(used !== undefined && isType(used, 'usage_recorded') && used.data.estimate?.inputTokens).toBeGreaterThan(0)
    expect(used !== undefined && isType(used, 'usage_recorded') && used.data.usage.inputTokens).toBeNull()
  })

  verifies('A53', 'time that runs went on is limited, of a run and of a session', async () => {
    const here = await place()
    const skein = await here.open()
    const slow = tool('slow', () => here.clock.advance(400), { readOnly: true })
    const steps = (n: number): ScriptedStep[] => Array.from({ length: n }, () => ({ calls: [call('slow', { n: count++ })] }))
    const model = scriptedModel([...steps(3), 'never'])
    const session = await skein.sessions.create({ modelOverride: model, tools: [slow] })
    const result = await session.send('go', { allowance: { wallMs: 1_200 } }).result()
    expect(result).toMatchObject({ status: 'blocked', reason: 'allowance_reached', steps: 3 })
    expect(await reachedIn(session)).toMatchObject([{ of: 'run', kind: 'wallMs', limit: 1_200, spent: 1_200 }])

    const other = scriptedModel([...steps(1), 'one', ...steps(1), 'never'])
    const whole = await skein.sessions.create({ modelOverride: other, tools: [slow], allowance: { wallMs: 800 } })
    expect(await whole.send('a').result()).toMatchObject({ status: 'done', text: 'one' })
    // Time in which none went on does not count.
    here.clock.advance(3_600_000)
    expect(await whole.send('b').result()).toMatchObject({ status: 'blocked', reason: 'allowance_reached', steps: 1 })
    expect(other.requests).toHaveLength(3)
  })

  verifies('A53', 'money with a model without prices is refused before anything is written, unless it is allowed', async () => {
    const skein = await (await place()).open()
    const model = scriptedModel([{ text: 'fine', usage }])
    const session = await skein.sessions.create({ modelOverride: model, allowance: { nano: 5 } })
    const before = (await session.info()).seq
    expect(await codeOf(session.send('go').result())).toBe('allowance.unpriced')
    expect((await session.info()).seq).toBe(before)
    expect(model.requests).toHaveLength(0)
    const allowed = await skein.sessions.open(session.id, { allowance: { nano: 5, allowUnpriced: true } })
    expect(await allowed.send('go').result()).toMatchObject({ status: 'done', cost: null })
  })

  verifies('A53 A3', 'what is no allowance is refused, and nothing is written', async () => {
    const skein = await (await place()).open()
    for (const allowance of [{ nano: -1 }, { tokens: 1.5 }, { wallMs: '9' }, { allowUnpriced: 1 }, { money: 1 }, 5]) {
      const made = skein.sessions.create({ allowance: allowance as never })
      expect([allowance, await codeOf(made)]).toEqual([allowance, 'config.invalid'])
    }
    expect((await skein.sessions.list()).items).toEqual([])
    const model = priced(['never'])
    const session = await skein.sessions.create({ modelOverride: model })
    const result = await session.send('go', { allowance: { nano: 0 } }).result()
    expect(result).toMatchObject({ status: 'blocked', reason: 'allowance_reached', steps: 0 })
    expect(model.requests).toHaveLength(0)
  })
})

describe('an allowance', () => {
  verifies('A53', 'asks for no summary ahead once it is reached', async () => {
    let asked = 0
    const summarizer = { id: 'counting', maxInputTokens: 100_000, summarize: async () => ({ text: `summary ${++asked}` }) }
    const skein = await (await memoryPlace()).open({ context: { summarizer, keepTokens: 500, leafTokens: 700 } })
    const words = 'some words of it '.repeat(400)
    for (const [allowance, isAsked] of [
      [{ tokens: 1 }, false],
      [{ tokens: 1_000_000 }, true],
    ] as const) {
      const session = await skein.sessions.create({ allowance, model: 'anthropic/claude-haiku-4-5-20251001' })
      await session.send('go', { model: scriptedModel([{ text: 'ok', usage }]) }).result()
      for (let n = 0; n < 60; n++) await session.record({ user: `${n} ${words}`, assistant: words })
      asked = 0
      await session.prepareContext(new AbortController().signal)
      expect([allowance, asked > 0]).toEqual([allowance, isAsked])
    }
  })

  it('is kept with the session for whoever opens it, and not with one that was given none', async () => {
    const skein = await (await memoryPlace()).open()
    const kept = await skein.sessions.create({ allowance: { nano: 7 } })
    const plain = await skein.sessions.create()
    const dataOf = async (session: Session) => (await session.entries({ types: ['session_created'] }))[0]?.data
    expect(await dataOf(kept)).toMatchObject({ allowance: { nano: 7 } })
    expect(await dataOf(plain)).not.toHaveProperty('allowance')
  })
})
