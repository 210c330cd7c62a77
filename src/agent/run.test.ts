import { isSkeinError, SkeinError } from '#kernel'
import { isType } from '#journal'
import { scriptedModel } from '#models'
import { isEntryEvent } from '#session'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  opened.push(skein)
  return skein
}

const adder = {
  name: 'add',
  description: 'Adds two numbers.',
  input: { type: 'object' },
  run: ({ a, b }: { a: number; b: number }) => a + b,
} as const

describe('running a turn', () => {
  it('streams the answer, and everything it said is in the journal', async () => {
    const session = await (await open()).sessions.create()
    const run = session.send('Hello')
    const types: string[] = []
    let text = ''
    for await (const event of run) {
      types.push(event.type)
      if (event.type === 'text_delta' && !isEntryEvent(event)) text += String(event['text'])
    }
    expect(types[0]).toBe('run_started')
    expect(types.at(-1)).toBe('run_ended')
    expect(text).toBe('You said: Hello')
    expect(await run.result()).toMatchObject({ status: 'done', reason: 'answered', text, steps: 1, cost: 0, demo: true })
    expect((await session.messages()).map(message => message.role)).toEqual(['user', 'assistant'])
  })

  it('gives a late reader the same events, ended', async () => {
    const session = await (await open()).sessions.create()
    const run = session.send('Hello')
    await run.result()
    const types: string[] = []
    for await (const event of run) types.push(event.type)
    expect(types.filter(type => type === 'text_delta').length).toBeGreaterThan(0)
    expect(types.at(-1)).toBe('run_ended')
  })

  it('ends without a reader, and a late one still gets the whole text of 30,000 deltas', async () => {
    const words = Array.from({ length: 30_000 }, (_, n) => `${n} `)
    const session = await (await open()).sessions.create({ modelOverride: scriptedModel([{ text: words }]) })
    const run = session.send('go')
    await run.result()
    let text = ''
    for await (const event of run) if (event.type === 'text_delta' && !isEntryEvent(event)) text += String(event['text'])
    expect(text).toBe(words.join(''))
  })

  it('tells the model of every tool that it may call, whoever brought it', async () => {
    const model = scriptedModel(['ok', 'ok'])
    const skein = await open({ tools: [{ ...adder, name: 'house' }], context: { recall: false } })
    const session = await skein.sessions.create({ modelOverride: model, tools: [{ ...adder, name: 'own' }] })
    await session.send('x', { tools: [{ ...adder, name: 'call' }] }).result()
    await session.send('y').result()
    const told = model.requests.map(request => request.tools.map(({ name }) => name).sort())
    expect(told).toEqual([
      ['call', 'house', 'own'],
      ['house', 'own'],
    ])
  })

  it('runs the tools that it asks for and goes on until an answer without calls', async () => {
    const model = scriptedModel([{ text: 'Let me see.', calls: [{ tool: 'add', input: { a: 2, b: 3 } }] }, { text: 'It is 5.' }])
    const session = await (await open()).sessions.create({ modelOverride: model, tools: [adder] })
    expect(await session.send('2 + 3?').result()).toMatchObject({ status: 'done', text: 'It is 5.', steps: 2 })
    expect((await session.messages()).map(message => message.parts.at(-1))).toMatchObject([
      { type: 'text' },
      { type: 'tool_call', tool: 'add', input: { a: 2, b: 3 } },
      { type: 'tool_result', tool: 'add', status: 'ok', output: 5 },
      { type: 'text', text: 'It is 5.' },
    ])
    expect(model.requests[1]?.messages.map(message => message.role)).toEqual(['user', 'assistant', 'tool'])
    expect((await session.usage()).requests).toBe(2)
  })

  it('tells the model what was wrong with a call, and goes on', async () => {
    const failing = { ...adder, name: 'fail', run: () => Promise.reject(new Error('out of numbers')) }
    const model = scriptedModel([
      {
        calls: [
          { tool: 'gone', input: {} },
          { tool: 'fail', input: {} },
        ],
      },
      { text: 'ok' },
    ])
    const session = await (await open()).sessions.create({ modelOverride: model, tools: [failing] })
    expect((await session.send('go').result()).status).toBe('done')
    const results = (await session.messages()).flatMap(message => message.parts.filter(part => part.type === 'tool_result'))
    expect(results).toMatchObject([
      { status: 'error', output: 'There is no tool named gone.' },
      { status: 'error', output: 'out of numbers' },
    ])
  })

  it('stops after as many steps as it may take', async () => {
    const call = { calls: [{ tool: 'add', input: { a: 1, b: 1 } }] }
    const session = await (
      await open()
    ).sessions.create({ modelOverride: scriptedModel([call, call, call, call]), tools: [adder], maxSteps: 3 })
    expect(await session.send('go').result()).toMatchObject({ status: 'blocked', reason: 'step_limit', steps: 3 })
  })

  it('keeps what came before a cancel, and can be used again', async () => {
    const model = scriptedModel([{ text: 'Half an ans', hang: true }, { text: 'whole' }])
    const session = await (await open()).sessions.create({ modelOverride: model })
    const run = session.send('go')
    for await (const event of run) if (event.type === 'text_delta') break
    await run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'user_cancelled', text: 'Half an ans' })
    expect((await session.messages()).at(-1)).toMatchObject({
      role: 'assistant',
      finishReason: 'aborted',
      parts: [{ text: 'Half an ans' }],
    })
    expect((await session.send('again').result()).text).toBe('whole')
    expect((await session.info()).running).toBeNull()
  })

  it('asks again after a failure that can pass, and counts every attempt', async () => {
    const timers = {
      after: (ms: number, run: () => void) => {
        if (ms < 5_000 && ms !== 2_000) queueMicrotask(run)
        return () => undefined
      },
    }
    const failure = { failure: new SkeinError('provider.unavailable', 'Overloaded.') }
    const session = await (
      await open({ timers })
    ).sessions.create({ modelOverride: scriptedModel([failure, failure, { text: 'at last' }]) })
    expect(await session.send('go').result()).toMatchObject({ status: 'done', text: 'at last', steps: 1 })
    expect((await session.entries({ types: ['step_retried'] })).length).toBe(2)
    expect((await session.usage()).requests).toBe(3)
  })

  it('ends failed when asking again cannot help, and shows the failed text to nobody', async () => {
    const model = scriptedModel([{ text: 'half', failure: new SkeinError('provider.rejected', 'No.') }, { text: 'fine' }])
    const session = await (await open()).sessions.create({ modelOverride: model })
    expect(await session.send('go').result()).toMatchObject({
      status: 'failed',
      reason: 'provider_error',
      error: { code: 'provider.rejected' },
    })
    await session.send('again').result()
    expect(JSON.stringify(model.requests[1])).not.toContain('half')
  })
})

describe('admitting an input', () => {
  const codeOf = async (work: Promise<unknown>): Promise<string> => {
    try {
      await work
    } catch (error) {
      return isSkeinError(error) ? error.code : String(error)
    }
    return 'resolved'
  }

  it('refuses blank input, a second run and a held session, and writes nothing', async () => {
    const gate = Promise.withResolvers<void>()
    const session = await (
      await open()
    ).sessions.create({ modelOverride: scriptedModel([async () => (await gate.promise, { text: 'late' })]) })
    for (const blank of ['', '  ', [], {}, 7]) expect(await codeOf(session.send(blank).receipt)).toBe('input.invalid')
    await session.hold('review')
    expect(await codeOf(session.send('x').receipt)).toBe('session.held')
    await session.release('review')
    const run = session.send('first')
    const { runId } = await run.receipt
    await expect(session.send('second').receipt).rejects.toMatchObject({
      code: 'session.busy',
      details: { by: 'run', run: runId },
    })
    gate.resolve()
    await run.result()
    expect(await session.messages()).toHaveLength(2)
  })

  it('runs an input with a key once, and answers its repetition with the first run', async () => {
    const model = scriptedModel([{ text: 'once' }])
    const session = await (await open()).sessions.create({ modelOverride: model })
    const first = session.send('go', { idempotencyKey: 'k' })
    const result = await first.result()
    const again = session.send('go', { idempotencyKey: 'k' })
    expect(await again.receipt).toMatchObject({ disposition: 'duplicate', runId: first.id })
    expect(await again.result()).toMatchObject({ text: 'once', turn: result.turn, status: 'done' })
    expect(await codeOf(session.send('other', { idempotencyKey: 'k' }).receipt)).toBe('idempotency.mismatch')
    expect(model.requests).toHaveLength(1)
  })

  it('ends a run that died with its process before it begins the next', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    const store = skein.store.in('default')
    const ids = { run: 'run_01HF7YAT00AAAAAAAAAAAAAAAA', turn: 'trn_01HF7YAT00AAAAAAAAAAAAAAAA' }
    const died = { id: 'ent_01HF7YAT00AAAAAAAAAAAAAAAA', parentId: null, type: 'run_started', v: 1, at: 1, ...ids, data: {} }
    await store.commit([
      { type: 'append', session: session.id, entries: [died], head: { merge: { running: { ...ids, since: 1 } } } },
    ] as never)
    expect((await session.info()).running).toMatchObject({ run: ids.run })
    expect((await session.send('on').result()).status).toBe('done')
    const ended = (await session.entries({ types: ['run_ended'] })).filter(entry => entry.run === ids.run)
    expect(ended[0]?.data).toMatchObject({ status: 'failed', reason: 'abandoned' })
    expect(ended.every(entry => isType(entry, 'run_ended'))).toBe(true)
  })
})
