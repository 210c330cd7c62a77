import { expect, it } from 'vitest'
import { manualTimers } from '#kernel'
import { createModels } from './models.ts'
import type { AiSdkModel, ModelEvent, ModelPort } from './port.ts'
import { retryLimits } from './retry.ts'

const request = { messages: [], tools: [] }
const live = new AbortController().signal

/** Reads a stream while the test rings its timers. */
function reading(model: ModelPort | AiSdkModel, signal = live) {
  const begun: number[] = []
  const manual = manualTimers()
  const timers = {
    ...manual,
    after: (ms: number, run: () => void) => (begun.push(ms), manual.after(ms, run)),
    get count() {
      return manual.count
    },
  }
  const events: ModelEvent[] = []
  const over = (async () => {
    for await (const event of createModels({ timers }).override(model).stream(request, signal)) events.push(event)
    return events
  })()
  return { timers, begun, events, over }
}

const failed = { type: 'failed', error: { code: 'provider.unavailable', retryable: true, details: { silentMs: 300_000 } } }

/** Says something, then nothing; deaf to its signal unless that is looked at. */
const mute = (said: readonly ModelEvent[], signals: AbortSignal[] = []): ModelPort => ({
  provider: 'own',
  modelId: 'mute',
  async *stream(_request, signal) {
    signals.push(signal)
    yield* said
    await new Promise<never>(() => {})
  },
})

it.each([[[]], [[{ type: 'text_delta', id: 't', text: 'Hel' } as const]]])(
  'an own port that says nothing for 300 s after %j has failed, and is told to stop',
  async said => {
    const signals: AbortSignal[] = []
    const { timers, events, over } = reading(mute(said, signals))
    await expect.poll(() => [events.length, timers.count]).toEqual([said.length, 1])
    timers.ring(retryLimits.silenceMs)
    expect((await over).at(-1)).toMatchObject(failed)
    expect(signals[0]?.aborted).toBe(true)
  },
)

it('each event begins the time anew, and a reader that is slow is no silent provider', async () => {
  const timers = manualTimers()
  const gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>())
  const port: ModelPort = {
    provider: 'own',
    modelId: 'slow',
    async *stream() {
      for (const gate of gates) {
        await gate.promise
        yield { type: 'text_delta', id: 't', text: 'x' }
      }
      yield { type: 'ended', reason: 'stop' }
    },
  }
  const events = createModels({ timers }).override(port).stream(request, live)[Symbol.asyncIterator]()
  for (const gate of gates) {
    expect(timers.count).toBe(0)
    const next = events.next()
    await expect.poll(() => timers.count).toBe(1)
    gate.resolve()
    expect((await next).value).toMatchObject({ type: 'text_delta' })
  }
  expect((await events.next()).value).toMatchObject({ type: 'ended' })
})

it('an abort ends a deaf port at once, with its reason', async () => {
  const stop = new AbortController()
  const { timers, over } = reading(mute([]), stop.signal)
  await expect.poll(() => timers.count).toBe(1)
  stop.abort(new Error('enough'))
  await expect(over).rejects.toThrow('enough')
  expect(timers.count).toBe(0)
})

it('of an AI SDK model keep-alives count as speech though they say nothing, silence fails', async () => {
  let tell: ReadableStreamDefaultController<unknown> | undefined
  const model = {
    specificationVersion: 'v3',
    provider: 'anthropic.messages',
    modelId: 'm',
    doStream: async () => ({ stream: new ReadableStream({ start: controller => void (tell = controller) }) }),
  }
  const { timers, begun, events, over } = reading(model)
  await expect.poll(() => [tell === undefined, begun.length]).toEqual([false, 2])
  for (let count = 0; count < 3; count++) {
    tell?.enqueue({ type: 'raw', rawValue: { type: 'ping' } })
    await expect.poll(() => [begun.length, timers.count]).toEqual([count + 3, 1])
  }
  expect(events).toEqual([])
  timers.ring(retryLimits.silenceMs)
  expect((await over).at(-1)).toMatchObject(failed)
})

it('an AI SDK model that never answers is silent, too', async () => {
  const model = { specificationVersion: 'v3', provider: 'p', modelId: 'm', doStream: () => new Promise<never>(() => {}) }
  const { timers, over } = reading(model)
  await expect.poll(() => timers.count).toBe(1)
  timers.ring(retryLimits.silenceMs)
  expect((await over).at(-1)).toMatchObject(failed)
})
