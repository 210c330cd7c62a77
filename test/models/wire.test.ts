import type { Part } from '#journal'
import { type ConnectedModel, createModels, type ModelEvent, type ModelRequest, type RequestMessage } from '#models'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import {
  anthropicError,
  anthropicFrames,
  chatError,
  chatFrames,
  googleFrames,
  type FaultAnswer,
  faultServer,
  type FaultServer,
  responsesFrames,
  upTo,
} from './fault-server.ts'

const user = (text: string): RequestMessage => ({ role: 'user', parts: [{ type: 'text', text }] })
const tools = [
  { name: 'read', description: 'Reads a file.', inputSchema: { type: 'object', properties: { path: { type: 'string' } } } },
]
const request: ModelRequest = { system: 'Be brief.', messages: [user('Hi')], tools, maxTokens: 100 }
const live = new AbortController().signal

/** A connected model whose provider is this server. */
function at(server: FaultServer, reference: string): Promise<ConnectedModel> {
  const env = {
    ANTHROPIC_API_KEY: 'sk-ant',
    ANTHROPIC_BASE_URL: `${server.url}/v1`,
    OPENAI_API_KEY: 'sk-oai',
    OPENAI_BASE_URL: `${server.url}/v1`,
    GOOGLE_API_KEY: 'sk-goo',
    GOOGLE_BASE_URL: `${server.url}/v1beta`,
    DEEPSEEK_API_KEY: 'sk-ds',
    DEEPSEEK_BASE_URL: `${server.url}/v1`,
    OPENAI_COMPATIBLE_BASE_URL: `${server.url}/v1`,
  }
  return createModels({ env }).connect(reference)
}

async function ask(
  reference: string,
  answer: FaultAnswer,
  asked = request,
): Promise<{ events: ModelEvent[]; server: FaultServer; model: ConnectedModel }> {
  await using server = await faultServer([answer])
  const model = await at(server, reference)
  const events: ModelEvent[] = []
  for await (const event of model.stream(asked, live)) events.push(event)
  return { events, server, model }
}

const textOf = (events: readonly ModelEvent[]): string =>
  events.flatMap(event => (event.type === 'text_delta' ? [event.text] : [])).join('')
const usageOf = (events: readonly ModelEvent[]) => events.flatMap(event => (event.type === 'usage' ? [event.usage] : [])).at(-1)
const closings = (events: readonly ModelEvent[]) => events.filter(({ type }) => type === 'ended' || type === 'failed')
const errorOf = (events: readonly ModelEvent[]) => {
  const last = events.at(-1)
  return last?.type === 'failed' ? last.error : undefined
}

const formats = [
  { name: "Anthropic's messages", reference: 'sonnet', frames: anthropicFrames, path: '/v1/messages' },
  { name: "OpenAI's responses", reference: 'gpt5', frames: responsesFrames, path: '/v1/responses' },
  { name: "OpenAI's chat format", reference: 'deepseek', frames: chatFrames, path: '/v1/chat/completions' },
  {
    name: "Google's format",
    reference: 'gemini-flash',
    frames: googleFrames,
    path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
  },
] as const

describe.each(formats)('$name over a socket', ({ reference, frames, path }) => {
  it('gives text, usage and one end', async () => {
    const { events, server } = await ask(reference, { frames: frames({ text: 'Hello there' }) })
    expect(textOf(events)).toBe('Hello there')
    expect(closings(events)).toEqual([expect.objectContaining({ type: 'ended', reason: 'stop' })])
    expect(usageOf(events)).toMatchObject({ inputTokens: 10, outputTokens: 5 })
    expect(events[0]).toMatchObject({ type: 'request_started', responseId: expect.any(String) })
    expect(server.requests.map(made => made.path)).toEqual([path])
  })

  it('gives a call with its whole input', async () => {
    const { events } = await ask(reference, { frames: frames({ call: { id: 'call_1', name: 'read', input: { path: 'a b' } } }) })
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'call_ended', callId: 'call_1', name: 'read', input: '{"path":"a b"}' }),
    )
    expect(closings(events)).toEqual([expect.objectContaining({ type: 'ended', reason: 'tool_calls' })])
  })

  verifies('P25', 'a stream that ends without its finish, and a socket that is cut, are truncated', async () => {
    const half = upTo(frames({ text: 'Hello there' }), 'Hello')
    for (const then of ['end', 'cut'] as const) {
      const { events } = await ask(reference, { frames: half, then })
      expect(textOf(events)).toBe('Hello ')
      expect(closings(events)).toMatchObject([{ type: 'failed', error: { code: 'provider.truncated', retryable: true } }])
    }
  })

  it('an abort ends a hanging stream with its reason, and the provider sees that the client has left', async () => {
    await using server = await faultServer([{ frames: upTo(frames({ text: 'Hello there' }), 'Hello'), then: 'hang' }])
    const stop = new AbortController()
    const model = await at(server, reference)
    const seen: string[] = []
    const reading = (async () => {
      for await (const event of model.stream(request, stop.signal)) {
        seen.push(event.type)
        if (event.type === 'text_delta') setImmediate(() => stop.abort(new Error('enough')))
      }
    })()
    await expect(reading).rejects.toThrow('enough')
    await server.left
    expect(seen).toContain('text_delta')
  })

  it('an abort ends a request that was never answered', async () => {
    await using server = await faultServer([{ frames: [], then: 'hang' }])
    const stop = new AbortController()
    const model = await at(server, reference)
    const reading = (async () => {
      for await (const _event of model.stream(request, stop.signal));
    })()
    setImmediate(() => stop.abort(new Error('enough')))
    await expect(reading).rejects.toThrow('enough')
  })

  it.each([
    [401, 'auth.rejected'],
    [403, 'auth.rejected'],
    [400, 'provider.rejected'],
    [404, 'provider.rejected'],
    [503, 'provider.unavailable'],
    [529, 'provider.unavailable'],
  ])('status %i is %s, asked once', async (status, code) => {
    const { events, server } = await ask(reference, { status })
    expect(closings(events)).toMatchObject([{ type: 'failed', error: { code, details: { status } } }])
    expect(server.requests).toHaveLength(1)
  })

  verifies('P28', 'Retry-After of a limited provider is told in milliseconds', async () => {
    const { events } = await ask(reference, { status: 429, headers: { 'retry-after': '60' } })
    expect(errorOf(events)).toMatchObject({ code: 'provider.unavailable', details: { retryAfterMs: 60_000 } })
  })

  it('a context that is too long is an overflow', async () => {
    const body = { error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' } }
    const { events } = await ask(reference, { status: 400, body })
    expect(errorOf(events)?.code).toBe('provider.overflow')
  })
})

it('a provider that cannot be reached is unavailable', async () => {
  const gone = await faultServer([{ status: 500 }])
  await gone[Symbol.asyncDispose]()
  const events: ModelEvent[] = []
  for await (const event of (await at(gone, 'sonnet')).stream(request, live)) events.push(event)
  expect(errorOf(events)).toMatchObject({ code: 'provider.unavailable', retryable: true })
})

describe("Anthropic's usage", () => {
  const usage = {
    input_tokens: 9,
    cache_read_input_tokens: 4_000,
    cache_creation_input_tokens: 600,
    cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 400 },
    output_tokens: 21,
  }
  it('has both lifetimes of written tokens, and costs what they cost', async () => {
    const { events, model } = await ask('sonnet', { frames: anthropicFrames({ text: 'Hello there', usage }) })
    const told = usageOf(events)
    expect(told).toMatchObject({
      inputTokens: 9,
      cacheReadTokens: 4_000,
      cacheWrite5mTokens: 200,
      cacheWrite1hTokens: 400,
      outputTokens: 21,
    })
    expect(told && model.cost(told, Date.parse('2026-11-01')).parts).toMatchObject({
      cacheWrite5m: 750_000,
      cacheWrite1h: 2_400_000,
    })
  })
  verifies('P26', 'survives a cut, an error in the stream and an abort', async () => {
    const half = upTo(anthropicFrames({ text: 'Hello there', usage }), 'Hello')
    const known = { inputTokens: 9, cacheReadTokens: 4_000, cacheWrite5mTokens: 200, cacheWrite1hTokens: 400 }
    expect(usageOf((await ask('sonnet', { frames: half, then: 'cut' })).events)).toMatchObject(known)

    const failed = await ask('sonnet', { frames: [...half, anthropicError('overloaded_error', 'Overloaded')] })
    expect(usageOf(failed.events)).toMatchObject(known)
    expect(errorOf(failed.events)).toMatchObject({ code: 'provider.unavailable' })

    await using server = await faultServer([{ frames: half, then: 'hang' }])
    const stop = new AbortController()
    const events: ModelEvent[] = []
    const reading = (async () => {
      for await (const event of (await at(server, 'sonnet')).stream(request, stop.signal)) {
        events.push(event)
        if (event.type === 'text_delta') stop.abort(new Error('enough'))
      }
    })()
    await expect(reading).rejects.toThrow('enough')
    expect(usageOf(events)).toMatchObject(known)
  })
  it('of an overload before the first word is not there, the failure is', async () => {
    const { events } = await ask('sonnet', { frames: [anthropicError('overloaded_error', 'Overloaded')] })
    expect(errorOf(events)).toMatchObject({ code: 'provider.unavailable' })
    expect(usageOf(events)).toBeUndefined()
  })
})

/** The assistant's message as the journal would keep it, through JSON and back. */
function kept(events: readonly ModelEvent[]): RequestMessage {
  const texts = new Map<string, string>()
  const parts: Part[] = []
  for (const event of events) {
    if (event.type === 'text_delta' || event.type === 'reasoning_delta')
      texts.set(event.id, (texts.get(event.id) ?? '') + event.text)
    const data = 'providerData' in event && event.providerData !== undefined ? { providerData: event.providerData } : {}
    if (event.type === 'reasoning_ended') parts.push({ type: 'reasoning', text: texts.get(event.id) ?? '', ...data })
    if (event.type === 'text_ended') parts.push({ type: 'text', text: texts.get(event.id) ?? '', ...data })
    if (event.type === 'call_ended')
      parts.push({ type: 'tool_call', callId: event.callId, tool: event.name, input: JSON.parse(event.input), ...data })
  }
  return JSON.parse(JSON.stringify({ role: 'assistant', parts })) as RequestMessage
}

const call = { id: 'call_1', name: 'read', input: { path: 'a' } }
const thinking = { text: 'Let me see.', signature: 'EqQBCkYIBRgCIkA+/==' }
const result: RequestMessage = {
  role: 'tool',
  parts: [{ type: 'tool_result', callId: 'call_1', tool: 'read', status: 'ok', output: 'content' }],
}

async function again(reference: string, frames: string[]): Promise<{ first: unknown; second: unknown }> {
  await using server = await faultServer([{ frames }])
  const model = await at(server, reference)
  const asked: ModelRequest = { ...request, thinking: 'medium' }
  const events: ModelEvent[] = []
  for await (const event of model.stream(asked, live)) events.push(event)
  for await (const _event of model.stream({ ...asked, messages: [...asked.messages, kept(events), result] }, live));
  const [first, second] = server.requests.map(made => made.body)
  return { first, second }
}

describe('what a provider wants back', () => {
  verifies('P30', "Anthropic's signed and redacted thinking go back byte for byte, after the same beginning", async () => {
    const { first, second } = await again('sonnet', anthropicFrames({ thinking, redacted: 'EmwK/redacted+==', call }))
    const { messages, system, tools: offered } = second as { messages: { content: unknown[] }[]; system: unknown; tools: unknown }
    expect(messages[1]?.content).toEqual([
      { type: 'thinking', thinking: thinking.text, signature: thinking.signature },
      { type: 'redacted_thinking', data: 'EmwK/redacted+==' },
      expect.objectContaining({ type: 'tool_use', id: 'call_1', name: 'read', input: { path: 'a' } }),
    ])
    expect(first).toMatchObject({ messages: messages.slice(0, 1), system, tools: offered })
  })

  verifies('P30', "OpenAI's encrypted reasoning goes back, and nothing is kept there", async () => {
    const { first, second } = await again('gpt5', responsesFrames({ thinking, call }))
    expect(first).toMatchObject({ store: false, include: expect.arrayContaining(['reasoning.encrypted_content']) })
    const { input } = second as { input: { type?: string }[] }
    expect(input.find(item => item.type === 'reasoning')).toMatchObject({
      encrypted_content: thinking.signature,
      summary: [{ type: 'summary_text', text: thinking.text }],
    })
    expect(input.find(item => item.type === 'function_call')).toMatchObject({ call_id: 'call_1', name: 'read' })
    expect(input.slice(0, 2)).toEqual((first as { input: unknown[] }).input)
  })
})

verifies('P30', "Google's thought signatures go back with their calls", async () => {
  const thinking = { text: 'Let me see.', signature: 'CpcBAcu98P+/=' }
  const frames = googleFrames({ thinking, call: { id: 'call_1', name: 'read', input: { path: 'a' } } })
  const { second } = await again('gemini-pro', frames)
  const { contents } = second as { contents: { role: string; parts: object[] }[] }
  expect(contents[1]?.parts).toContainEqual(
    expect.objectContaining({ functionCall: expect.objectContaining({ name: 'read' }), thoughtSignature: thinking.signature }),
  )
})

it('an error in the middle of a chat stream is judged by what it says', async () => {
  const half = upTo(chatFrames({ text: 'Hello there' }), 'Hello')
  const limited = await ask('deepseek', { frames: [...half, chatError('rate_limit_exceeded', 'Slow down')] })
  expect(closings(limited.events)).toMatchObject([{ type: 'failed', error: { code: 'provider.unavailable' } }])
  const tooLong = await ask('deepseek', { frames: [chatError('context_length_exceeded', 'Too long')] })
  expect(errorOf(tooLong.events)?.code).toBe('provider.overflow')
})

it.each([
  ['sonnet', anthropicFrames({ text: 'Hi', stop: 'max_tokens' }), 'max_tokens'],
  ['deepseek', chatFrames({ text: 'Hi', stop: 'length' }), 'length'],
  ['gemini-flash', googleFrames({ text: 'Hi', stop: 'MAX_TOKENS' }), 'MAX_TOKENS'],
])("an answer of %s that ran into its limit ends with length, the provider's word beside it", async (reference, frames, raw) => {
  expect((await ask(reference, { frames })).events.at(-1)).toEqual({ type: 'ended', reason: 'length', rawFinishReason: raw })
})

it('an OpenAI-compatible server without a key is sent none', async () => {
  const { events, server } = await ask('openai-compatible/llama', { frames: chatFrames({ text: 'Hi' }) })
  expect(textOf(events)).toBe('Hi')
  expect(server.requests[0]?.headers.authorization).toBeUndefined()
  expect(server.requests[0]?.body).toMatchObject({ model: 'llama', stream: true, stream_options: { include_usage: true } })
})

it('files, tool errors and the system prompt arrive as the provider wants them', async () => {
  const messages: RequestMessage[] = [
    {
      role: 'user',
      parts: [
        { type: 'text', text: 'Look' },
        { type: 'file', mediaType: 'image/png', bytes: 3, data: new Uint8Array([1, 2, 3]) },
      ],
    },
    { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c', tool: 'read', input: { path: 'x' } }] },
    { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 'read', status: 'denied', output: 'Not allowed.' }] },
  ]
  const { server } = await ask(
    'sonnet',
    { frames: anthropicFrames({ text: 'ok' }) },
    { ...request, messages, cache: { ttl: '1h' } },
  )
  expect(server.requests[0]?.headers['x-api-key']).toBe('sk-ant')
  expect(server.requests[0]?.body).toMatchObject({
    model: 'claude-sonnet-4-6',
    max_tokens: 100,
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AQID' } },
        ],
      },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'c', name: 'read', input: { path: 'x' } }] },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c', content: 'Not allowed.', is_error: true, cache_control: { ttl: '1h' } },
        ],
      },
    ],
    tools: [{ name: 'read', cache_control: { ttl: '1h' } }],
  })
})
