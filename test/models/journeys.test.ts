import { LLMock } from '@copilotkit/aimock'
import { isType } from '#journal'
import { openSkein, type Skein } from '#skein'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { verifies } from '#verifies'

const mock = new LLMock({ port: 0, host: '127.0.0.1' })
let skein: Skein

const usage = (input: number, output: number) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  input_tokens: input,
  output_tokens: output,
  promptTokenCount: input,
  candidatesTokenCount: output,
  totalTokenCount: input + output,
})

beforeAll(async () => {
  const call = { name: 'weather', arguments: '{"city":"Oslo"}', id: 'call_w' }
  // It answers the result only if it finds it where this wire has it.
  mock.on(
    { hasToolResult: true, toolResultContains: 'rain in Oslo', sequenceIndex: 0 },
    { content: 'It rains.', usage: usage(40, 4) },
  )
  mock.on({ userMessage: 'And now?', turnIndex: 2 }, { content: 'It still rains.', usage: usage(60, 5) })
  mock.on({ userMessage: 'weather', hasToolResult: false }, { toolCalls: [call], usage: usage(12, 3), finishReason: 'stop' })
  await mock.start()
  const env = {
    ANTHROPIC_API_KEY: 'k',
    ANTHROPIC_BASE_URL: `${mock.url}/v1`,
    OPENAI_API_KEY: 'k',
    OPENAI_BASE_URL: `${mock.url}/v1`,
    GOOGLE_API_KEY: 'k',
    GOOGLE_BASE_URL: `${mock.url}/v1beta`,
    OPENAI_COMPATIBLE_BASE_URL: `${mock.url}/v1`,
  }
  skein = await openSkein({ store: 'memory:', worker: false, env })
})
afterAll(async () => {
  await skein.close()
  await mock.stop()
})

describe.each([
  ['claude-haiku-4-5-20251001', '/v1/messages'],
  ['gpt-5.4-mini', '/v1/responses'],
  ['gemini-2.5-flash', 'gemini-2.5-flash:streamGenerateContent'],
  ['openai-compatible/llama', '/v1/chat/completions'],
])('a conversation with %s', (model, path) => {
  verifies('P25 A13 A52', 'calls a tool, is told its result, goes on, and counts what each request used', async () => {
    mock.resetMatchCounts()
    const before = mock.getRequests().length
    const asked: unknown[] = []
    const weather = {
      name: 'weather',
      description: 'Tells the weather.',
      input: { type: 'object', properties: { city: { type: 'string' } } },
      run: (input: unknown) => (asked.push(input), 'rain in Oslo'),
    } as const
    const session = await skein.sessions.create({ model, tools: [weather], system: 'Be brief.', thinking: 'off' })
    const first = await session.send('weather?').result()
    expect(first).toMatchObject({ status: 'done', text: 'It rains.', steps: 2, usage: { inputTokens: 52, outputTokens: 7 } })
    expect(asked).toEqual([{ city: 'Oslo' }])
    const second = await session.send('And now?').result()
    expect(second).toMatchObject({
      status: 'done',
      text: 'It still rains.',
      steps: 1,
      usage: { inputTokens: 60, outputTokens: 5 },
    })
    const used = (await session.entries({ types: ['usage_recorded'] })).filter(entry => isType(entry, 'usage_recorded'))
    expect(used.map(({ data }) => [data.usage.inputTokens, data.usage.outputTokens])).toEqual([
      [12, 3],
      [40, 4],
      [60, 5],
    ])
    const requests = mock.getRequests().slice(before)
    expect(requests).toHaveLength(3)
    for (const request of requests) expect(request.path).toContain(path)
  })
})
