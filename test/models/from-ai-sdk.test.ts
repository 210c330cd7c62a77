import { type AiSdkModel, createModels, fromAiSdk, type ModelEvent, type ModelPort, type ModelRequest } from '#models'
import { isSkeinError, manualClock } from '#kernel'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { fakeSdkModel } from './sdk-fake.ts'

const request: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }], tools: [] }
const v4Usage = {
  inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 2, text: 2, reasoning: undefined },
}
const v2Usage = { inputTokens: 10, outputTokens: 2, totalTokens: 12 }
const hello = [
  { type: 'stream-start', warnings: [] },
  { type: 'response-metadata', id: 'resp_1' },
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', delta: 'Hel' },
  { type: 'text-delta', id: '0', delta: 'lo' },
  { type: 'text-end', id: '0' },
]
const finish = (unified: string, raw?: string) => ({ type: 'finish', usage: v4Usage, finishReason: { unified, raw } })
const rawStart = { type: 'raw', rawValue: { type: 'message_start', message: { usage: { input_tokens: 77, output_tokens: 1 } } } }

async function read(port: ModelPort, signal = new AbortController().signal, asked = request): Promise<ModelEvent[]> {
  const events: ModelEvent[] = []
  for await (const event of port.stream(asked, signal)) events.push(event)
  return events
}
const last = async (model: AiSdkModel): Promise<ModelEvent | undefined> => (await read(fromAiSdk(model))).at(-1)

describe('reading an answer', () => {
  it.each([
    ['v4', finish('stop', 'end_turn')],
    ['v3', finish('stop', 'end_turn')],
    ['v2', { type: 'finish', usage: v2Usage, finishReason: 'stop' }],
  ])('of a %s object gives its text, usage and end', async (version, end) => {
    const events = await read(fromAiSdk(fakeSdkModel([...hello, end], { version })))
    const raw = version === 'v2' ? {} : { rawFinishReason: 'end_turn' }
    expect(events).toEqual([
      { type: 'request_started', responseId: 'resp_1' },
      { type: 'text_delta', id: '0#0', text: 'Hel' },
      { type: 'text_delta', id: '0#0', text: 'lo' },
      { type: 'usage', usage: expect.objectContaining({ inputTokens: 10, outputTokens: 2 }) },
      { type: 'ended', reason: 'stop', ...raw },
    ])
  })

  it('begins a new part where a provider uses an id again', async () => {
    const again = hello.slice(2)
    const events = await read(fromAiSdk(fakeSdkModel([...again, ...again, finish('stop')])))
    expect(new Set(events.flatMap(event => (event.type === 'text_delta' ? [event.id] : []))).size).toBe(2)
  })

  it('replaces a call id that the conversation has used, in deltas and end alike', async () => {
    const call = [
      { type: 'tool-input-start', id: 'c1', toolName: 'read' },
      { type: 'tool-input-delta', id: 'c1', delta: '{"a":1}' },
      { type: 'tool-input-end', id: 'c1' },
      { type: 'tool-call', toolCallId: 'c1', toolName: 'read', input: '{"a":1}' },
    ]
    const used: ModelRequest = {
      ...request,
      messages: [
        { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c1', tool: 'read', input: {} }] },
        ...request.messages,
      ],
    }
    const events = await read(fromAiSdk(fakeSdkModel([...call, ...call, finish('tool-calls')])), undefined, used)
    expect(events.filter(event => event.type.startsWith('call_'))).toMatchObject([
      { type: 'call_delta', callId: 'c1-2', name: 'read', text: '{"a":1}' },
      { type: 'call_ended', callId: 'c1-2', name: 'read', input: '{"a":1}' },
      { type: 'call_delta', callId: 'c1-3' },
      { type: 'call_ended', callId: 'c1-3' },
    ])
    expect(events.at(-1)).toMatchObject({ type: 'ended', reason: 'tool_calls' })
  })

  it.each([
    ['v4', { type: 'data', data: new Uint8Array([1, 2]) }],
    ['v3', 'AQI='],
    ['v2', new Uint8Array([1, 2])],
  ])('gives the bytes of a file of %s', async (version, content) => {
    const model = fakeSdkModel([{ type: 'file', mediaType: 'image/png', data: content }, finish('stop')], { version })
    expect(await read(fromAiSdk(model))).toContainEqual({
      type: 'file_ended',
      mediaType: 'image/png',
      bytes: new Uint8Array([1, 2]),
    })
  })
})

describe('the end of a stream', () => {
  const endings: [string, unknown[], object][] = [
    ['no finish', hello, {}],
    ['interrupted', [...hello, finish('interrupted')], {}],
    ['other without a raw reason', [...hello, finish('other')], {}],
    ['v2 unknown', [...hello, { type: 'finish', usage: v2Usage, finishReason: 'unknown' }], { version: 'v2' }],
    ['nothing at all', [], {}],
    ['a malformed call', [...hello, finish('error', 'MALFORMED_FUNCTION_CALL')], {}],
  ]
  for (const [name, parts, more] of endings) {
    verifies('P25', `${name} is one failed, truncated`, async () => {
      const events = await read(fromAiSdk(fakeSdkModel(parts, more)))
      expect(events.filter(({ type }) => type === 'ended' || type === 'failed')).toMatchObject([
        { error: { code: 'provider.truncated' } },
      ])
      expect(events.at(-1)?.type).toBe('failed')
    })
  }
  it('is other where the provider says its own reason', async () => {
    expect(await last(fakeSdkModel([...hello, finish('other', 'pause')]))).toEqual({
      type: 'ended',
      reason: 'other',
      rawFinishReason: 'pause',
    })
  })
  it.each([
    ['length', 'length'],
    ['content-filter', 'content_filter'],
  ])('%s is %s', async (unified, reason) => {
    expect(await last(fakeSdkModel([...hello, finish(unified)]))).toEqual({ type: 'ended', reason })
  })
  it('is failed once, with the first error, where an error part is followed by a finish', async () => {
    const model = fakeSdkModel([
      ...hello,
      { type: 'error', error: { message: 'Overloaded', type: 'overloaded_error', statusCode: 529 } },
      finish('error'),
    ])
    const events = await read(fromAiSdk(model))
    expect(events.filter(({ type }) => type === 'ended' || type === 'failed')).toMatchObject([
      { type: 'failed', error: { code: 'provider.unavailable', details: { status: 529 } } },
    ])
  })
})

describe('usage of a stream that does not end well', () => {
  verifies('P26', 'is kept when it is cut', async () => {
    const events = await read(fromAiSdk(fakeSdkModel([rawStart, ...hello])))
    expect(events).toContainEqual({ type: 'usage', usage: expect.objectContaining({ inputTokens: 77 }) })
  })
  verifies('P26', 'is kept when it fails', async () => {
    const broken = Object.assign(new TypeError('terminated'), {
      cause: Object.assign(new Error('closed'), { code: 'UND_ERR_SOCKET' }),
    })
    const events = await read(fromAiSdk(fakeSdkModel([rawStart, ...hello], { then: { thrown: broken } })))
    expect(events).toContainEqual({ type: 'usage', usage: expect.objectContaining({ inputTokens: 77 }) })
    expect(events.at(-1)).toMatchObject({ type: 'failed', error: { code: 'provider.truncated' } })
  })
  verifies('P26', 'is kept when it is aborted, and the abort throws its reason at once though the provider hangs', async () => {
    const model = fakeSdkModel([rawStart, ...hello], { then: 'hang' })
    const stop = new AbortController()
    const events: ModelEvent[] = []
    const reading = (async () => {
      for await (const event of fromAiSdk(model).stream(request, stop.signal)) {
        events.push(event)
        if (event.type === 'text_delta' && event.text === 'lo') setImmediate(() => stop.abort(new Error('enough')))
      }
    })()
    await expect(reading).rejects.toThrow('enough')
    expect(events).toContainEqual({ type: 'usage', usage: expect.objectContaining({ inputTokens: 77 }) })
    expect(model.cancelled()).toBe(true)
  })
})

it('asks nothing when it is aborted before it begins', async () => {
  const model = fakeSdkModel(hello)
  await expect(read(fromAiSdk(model), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
  expect(model.calls).toEqual([])
})

it('a caller that stops reading stops the provider', async () => {
  const model = fakeSdkModel(hello, { then: 'hang' })
  for await (const event of fromAiSdk(model).stream(request, new AbortController().signal)) if (event.type === 'text_delta') break
  expect(model.cancelled()).toBe(true)
  expect((model.calls[0]?.['abortSignal'] as AbortSignal).aborted).toBe(true)
})

it('a call that the provider refuses is failed, with Retry-After told by the clock', async () => {
  const clock = manualClock(Date.parse('2026-11-01T00:00:00Z'))
  const refuse = Object.assign(new Error('Slow down'), {
    statusCode: 429,
    responseHeaders: { 'Retry-After': 'Sun, 01 Nov 2026 00:00:20 GMT' },
  })
  const events = await read(fromAiSdk(fakeSdkModel([], { refuse }), {}, { clock }))
  expect(events).toMatchObject([
    { type: 'failed', error: { code: 'provider.unavailable', details: { status: 429, retryAfterMs: 20_000 } } },
  ])
})

it.each([{ specificationVersion: 'v1', doStream() {} }, { specificationVersion: 'v3' }, null, 'claude'])('refuses %j', thing => {
  const refused = (() => {
    try {
      return fromAiSdk(thing as never)
    } catch (error) {
      return error
    }
  })()
  expect(isSkeinError(refused) && refused.code).toBe('model.unsupported')
})

describe('what a provider attaches', () => {
  const signed = { anthropic: { signature: 'c2lnbmF0dXJl+/=="' } }
  const redacted = { anthropic: { redactedData: 'EmwK' } }
  const itemId = { openai: { itemId: 'msg_1', phase: null } }
  const call = { google: { thoughtSignature: 'CpcB' } }
  const answer = [
    { type: 'reasoning-start', id: 'r0' },
    { type: 'reasoning-delta', id: 'r0', delta: 'Let me see.' },
    { type: 'reasoning-delta', id: 'r0', delta: '', providerMetadata: signed },
    { type: 'reasoning-end', id: 'r0' },
    { type: 'reasoning-start', id: 'r1', providerMetadata: redacted },
    { type: 'reasoning-end', id: 'r1' },
    { type: 'text-start', id: 't', providerMetadata: itemId },
    { type: 'text-delta', id: 't', delta: 'Reading.' },
    { type: 'text-end', id: 't' },
    { type: 'tool-call', toolCallId: 'c', toolName: 'read', input: '{"path":"a"}', providerMetadata: call },
    finish('tool-calls'),
  ]
  verifies('P30', 'comes with the event that closes its part, and goes back with the part unchanged', async () => {
    const events = await read(fromAiSdk(fakeSdkModel(answer)))
    const closing = events.filter(({ type }) => ['reasoning_ended', 'text_ended', 'call_ended'].includes(type))
    expect(closing.map(event => ('providerData' in event ? event.providerData : undefined))).toEqual([
      signed,
      redacted,
      itemId,
      call,
    ])

    const model = fakeSdkModel([...hello, finish('stop')])
    await read(fromAiSdk(model), undefined, {
      tools: [],
      messages: [
        ...request.messages,
        {
          role: 'assistant',
          parts: [
            { type: 'reasoning', text: 'Let me see.', providerData: signed },
            { type: 'reasoning', text: '', providerData: redacted },
            { type: 'text', text: 'Reading.', providerData: itemId },
            { type: 'tool_call', callId: 'c', tool: 'read', input: { path: 'a' }, providerData: call },
          ],
        },
      ],
    })
    const prompt = model.calls[0]?.['prompt'] as { content: { providerOptions?: unknown }[] }[]
    expect(JSON.stringify(prompt[1]?.content.map(part => part.providerOptions))).toBe(
      JSON.stringify([signed, redacted, itemId, call]),
    )
  })
})

describe('an override', () => {
  const models = createModels()
  const tools = [{ name: 'read', description: 'Reads.', inputSchema: { type: 'object' } }]
  const usage = {
    inputTokens: 10,
    outputTokens: 2,
    cacheReadTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    reasoningTokens: null,
  }

  verifies('P31', 'without prices is unpriced, without a window has 128,000, assumed', () => {
    const model = models.override(fakeSdkModel([], { provider: 'house.chat' }))
    expect(model.info).toMatchObject({ provider: 'house', id: 'fake-1', contextWindow: 128_000, assumed: true })
    expect(model.cost(usage, 0).total).toBe(null)
  })
  verifies('P31', 'takes from the registry what it does not say itself', () => {
    const port: ModelPort = {
      provider: 'anthropic',
      modelId: 'claude-haiku-4-5-20251001',
      info: { maxOutput: 999 },
      stream: async function* () {},
    }
    const { info, cost } = models.override(port)
    expect(info).toMatchObject({ contextWindow: 200_000, maxOutput: 999 })
    expect(info.assumed).toBeUndefined()
    expect(cost(usage, 0).total).toBe(20_000)
  })
  verifies('P31', 'is offered no tools with tools: false, and no thinking with reasoning: false', async () => {
    const ask = async (capabilities: { tools?: boolean; reasoning?: boolean }) => {
      const model = fakeSdkModel([...hello, finish('stop')])
      await read(models.override(fromAiSdk(model, { capabilities })), undefined, { ...request, tools, thinking: 'high' })
      return model.calls[0] ?? {}
    }
    expect(await ask({ tools: false, reasoning: false })).not.toHaveProperty('tools')
    expect(await ask({ reasoning: false })).not.toHaveProperty('reasoning')
    expect(await ask({ reasoning: false })).toHaveProperty('tools')
    expect(await ask({ reasoning: true })).toMatchObject({ reasoning: 'high' })
  })
})
