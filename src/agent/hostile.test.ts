import { isType, memoryStore } from '#journal'
import { manualClock, manualTimers } from '#kernel'
import { type ModelEvent, type ModelPort, scriptedModel } from '#models'
import { openSkein, type Session, type Skein } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false })
  opened.push(skein)
  return skein
}

/** A port that tells whatever it is given, as foreign code may. */
const port = (stream: () => AsyncGenerator<unknown>): ModelPort => ({
  provider: 'foreign',
  modelId: 'one',
  stream: stream as unknown as () => AsyncIterable<ModelEvent>,
})
const text = { type: 'text_delta', id: 't', text: 'half' }
const ended = { type: 'ended', reason: 'stop' }

describe('a port that lies', () => {
  const cycle: unknown[] = []
  cycle.push(cycle)
  const lies: Record<string, () => AsyncGenerator<unknown>> = {
    'throws an error': async function* () {
      yield text
      throw new Error('mid')
    },
    'throws what is no error': async function* () {
      yield text
      throw Object.create(null)
    },
    'fails with no error of ours': async function* () {
      yield text
      yield { type: 'failed', error: new Error('plain') }
    },
    'tells a text that is none': async function* () {
      yield text
      yield { type: 'text_delta', id: 't', text: { a: 1 } }
    },
    'hands over a cycle to keep': async function* () {
      yield text
      yield { type: 'text_ended', id: 't', providerData: cycle }
    },
  }
  for (const [how, stream] of Object.entries(lies)) {
    it(`fails the run and keeps what had come when it ${how}`, async () => {
      const session = await (await open()).sessions.create({ modelOverride: port(stream) })
      const run = session.send('go')
      expect(await run.result()).toMatchObject({ status: 'failed', text: 'half', error: { code: expect.any(String) as string } })
      const types: string[] = []
      for await (const event of run) types.push(event.type)
      expect(types.at(-1)).toBe('run_ended')
      expect((await session.info()).running).toBeNull()
    })
  }

  it('counts tokens that are no counts as unknown', async () => {
    const usage = { inputTokens: Number.NaN, outputTokens: '5', cacheReadTokens: -3, reasoningTokens: 7 }
    const session = await (
      await open()
    ).sessions.create({
      modelOverride: port(async function* () {
        yield text
        yield { type: 'usage', usage }
        yield ended
      }),
    })
    expect(await session.send('go').result()).toMatchObject({
      status: 'done',
      usage: { inputTokens: null, outputTokens: null, cacheReadTokens: null, reasoningTokens: 7 },
    })
    expect((await session.usage()).usage).toMatchObject({
      inputTokens: 0,
      outputTokens: 0,
      cacheReadTokens: 0,
      reasoningTokens: 7,
    })
  })

  it('is cancelled also when it is deaf', async () => {
    const session = await (
      await open()
    ).sessions.create({
      modelOverride: port(async function* () {
        yield text
        await new Promise(() => undefined)
      }),
    })
    const run = session.send('go')
    for await (const event of run) if (event.type === 'text_delta') break
    await run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled', text: 'half' })
  })

  it('hears nothing that follows the end', async () => {
    const session = await (
      await open()
    ).sessions.create({
      modelOverride: port(async function* () {
        yield text
        yield ended
        yield { type: 'failed', error: new Error('late') }
      }),
    })
    expect(await session.send('go').result()).toMatchObject({ status: 'done', text: 'half' })
  })

  it('gives each call its own id, in an answer and over the steps', async () => {
    const call = (n: number): { tool: string; input: { n: number }; callId: string } => ({
      tool: 'echo',
      input: { n },
      callId: 'same',
    })
    const model = scriptedModel([{ calls: [call(1), call(2)] }, { calls: [call(3)] }, 'done'])
    const echo = {
      name: 'echo',
      description: 'Says it again.',
      input: { type: 'object' },
      run: ({ n }: { n: number }) => n,
    } as const
    const session = await (await open()).sessions.create({ modelOverride: model, tools: [echo] })
    await session.send('go').result()
    const parts = (await session.messages()).flatMap(message => message.parts)
    const calls = parts.flatMap(part => (part.type === 'tool_call' ? [part] : []))
    const results = parts.flatMap(part => (part.type === 'tool_result' ? [part] : []))
    expect(new Set(calls.map(part => part.callId)).size).toBe(3)
    expect(results.map(part => [part.callId, part.output])).toEqual(
      calls.map(part => [part.callId, (part.input as { n: number }).n]),
    )
  })
})

describe('a tool that misbehaves', () => {
  const tools: Record<string, () => unknown> = {
    'throws what has no text': () => {
      throw Object.create(null)
    },
    'throws an error whose message is none': () => {
      throw Object.assign(new Error('x'), { message: { a: 1n } })
    },
    'gives more than a part takes': () => 'x'.repeat(33 * 2 ** 20),
    'throws more than a part takes': () => {
      throw new Error('x'.repeat(33 * 2 ** 20))
    },
  }
  for (const [how, run] of Object.entries(tools)) {
    it(`is an error result, and the run goes on, when it ${how}`, async () => {
      const model = scriptedModel([{ calls: [{ tool: 'odd' }] }, 'fine'])
      const odd = { name: 'odd', description: 'Odd.', input: { type: 'object' }, run } as const
      const session = await (await open()).sessions.create({ modelOverride: model, tools: [odd] })
      expect(await session.send('go').result()).toMatchObject({ status: 'done', text: 'fine' })
      const results = (await session.messages()).flatMap(message => message.parts.filter(part => part.type === 'tool_result'))
      expect(results).toMatchObject([{ status: 'error' }])
    })
  }
})

describe('the same input again', () => {
  it('joins the run that is going on, also when both come at once', async () => {
    let answer = (): void => undefined
    const delay = new Promise<void>(resolve => (answer = resolve))
    const session = await (await open()).sessions.create({ modelOverride: scriptedModel([{ delay, text: 'one' }, 'two']) })
    const runs = [1, 2, 3].map(() => session.send('x', { idempotencyKey: 'k' }))
    const receipts = await Promise.all(runs.map(run => run.receipt))
    expect(receipts.map(({ disposition }) => disposition)).toEqual(['started', 'duplicate', 'duplicate'])
    answer()
    expect((await Promise.all(runs.map(run => run.result()))).map(result => result.text)).toEqual(['one', 'one', 'one'])
  })

  it('ends a run that died, with the index of its turn', async () => {
    const skein = await open()
    const session = await skein.sessions.create({ modelOverride: scriptedModel([{ hang: true }, 'next']) })
    await session.record({ user: 'a', assistant: 'b' })
    await session.send('x', { idempotencyKey: 'k' }).receipt
    // What a process leaves that was killed: the entries, and no lease that anybody renews.
    const row = await skein.store.in('default').session(session.id)
    await skein.store
      .in('default')
      .commit([{ type: 'release', fence: { session: session.id, owner: row?.lease.owner ?? '', token: row?.lease.token ?? 0 } }])
    const other = await openSkein({ store: skein.store, worker: false })
    const again = (await other.sessions.open(session.id)).send('x', { idempotencyKey: 'k' })
    expect((await again.receipt).disposition).toBe('duplicate')
    expect(await again.result()).toMatchObject({ status: 'failed', reason: 'abandoned' })
    const endings = (await session.entries({ types: ['turn_ended'] })).flatMap(entry =>
      isType(entry, 'turn_ended') ? [entry.data.index] : [],
    )
    expect(endings).toEqual([0, 1])
    await other.close()
    await session.cancel()
  })
})

describe('options of the wrong shape', () => {
  it('are refused before any effect', async () => {
    const { sessions } = await open()
    for (const options of [null, 'x', 7, { tools: 'x' }, { tools: [null] }, { tools: { one: 1 } }]) {
      await expect(sessions.create(options as never)).rejects.toMatchObject({ code: 'input.invalid' })
      await expect(sessions.open('chat', { orCreate: options as never })).rejects.toMatchObject({ code: 'input.invalid' })
    }
    expect((await sessions.list()).items).toEqual([])
  })
})

describe('waiting for a run of another process', () => {
  async function parted(): Promise<{ waiting: Promise<unknown>; die: () => void; session: Session; look: () => void }> {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const asleep = { after: () => () => undefined }
    const timers = manualTimers()
    const first = await openSkein({ store, clock, timers: asleep, worker: false })
    const session = await first.sessions.create({ modelOverride: scriptedModel([{ hang: true }]) })
    await session.send('x', { idempotencyKey: 'k' }).receipt
    const second = await openSkein({ store, clock, timers, worker: false })
    opened.push(second)
    const again = await second.sessions.open(session.id)
    const waiting = again.send('x', { idempotencyKey: 'k' }).result()
    waiting.catch(() => undefined)
    await expect.poll(() => timers.count).toBeGreaterThan(0)
    return { waiting, die: () => void clock.advance(60_000), session, look: () => timers.ring(15_000) }
  }

  it('ends when that process dies, and not before', async () => {
    const { waiting, die, session, look } = await parted()
    let over = false
    void waiting.finally(() => (over = true)).catch(() => undefined)
    look()
    expect((await session.info()).running).not.toBeNull()
    expect(over).toBe(false)
    die()
    look()
    expect(await waiting).toMatchObject({ status: 'failed', reason: 'abandoned' })
  })

  it('ends with an error that says why when nobody can end that run any more', async () => {
    const { waiting, die, session, look } = await parted()
    await session.end('over')
    die()
    look()
    await expect(waiting).rejects.toMatchObject({ code: 'session.ended' })
  })
})
