import { LLMock } from '@copilotkit/aimock'
import { complete, createModels, type ModelEvent, type ModelRequest, type Models } from '#models'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const mock = new LLMock({ port: 0, host: '127.0.0.1' })
const live = new AbortController().signal
let models: Models

beforeAll(async () => {
  const usage = {
    prompt_tokens: 12,
    completion_tokens: 3,
    total_tokens: 15,
    input_tokens: 12,
    output_tokens: 3,
    promptTokenCount: 12,
    candidatesTokenCount: 3,
    totalTokenCount: 15,
  }
  mock.onMessage('hello', { content: 'Hi from the other side', usage })
  mock.onMessage('weather', {
    toolCalls: [{ name: 'weather', arguments: '{"city":"Oslo"}', id: 'call_w' }],
    usage,
    // Gemini has no finish reason for calls.
    finishReason: 'stop',
  })
  await mock.start()
  models = createModels({
    env: {
      ANTHROPIC_API_KEY: 'k',
      ANTHROPIC_BASE_URL: `${mock.url}/v1`,
      OPENAI_API_KEY: 'k',
      OPENAI_BASE_URL: `${mock.url}/v1`,
      GOOGLE_API_KEY: 'k',
      GOOGLE_BASE_URL: `${mock.url}/v1beta`,
      OPENAI_COMPATIBLE_BASE_URL: `${mock.url}/v1`,
    },
  })
})
afterAll(() => mock.stop())

const asking = (text: string): ModelRequest => ({
  system: 'Be brief.',
  messages: [{ role: 'user', parts: [{ type: 'text', text }] }],
  tools: [
    {
      name: 'weather',
      description: 'Tells the weather.',
      inputSchema: { type: 'object', properties: { city: { type: 'string' } } },
    },
  ],
  maxTokens: 500,
})

describe.each(['claude-haiku-4-5-20251001', 'gpt-5.4-mini', 'gemini-2.5-flash', 'openai-compatible/llama'])(
  '%s, spoken to through its own package',
  id => {
    it('answers with text and usage', async () => {
      const answer = await complete(await models.connect(id), asking('hello'), live)
      expect(answer).toMatchObject({
        text: 'Hi from the other side',
        reason: 'stop',
        usage: { inputTokens: 12, outputTokens: 3 },
      })
    })

    it('calls a tool', async () => {
      const events: ModelEvent[] = []
      for await (const event of (await models.connect(id)).stream(asking('weather'), live)) events.push(event)
      expect(events).toContainEqual(expect.objectContaining({ type: 'call_ended', name: 'weather', input: '{"city":"Oslo"}' }))
      expect(events.filter(({ type }) => type === 'ended' || type === 'failed')).toHaveLength(1)
      expect(events.at(-1)).toMatchObject({ type: 'ended' })
    })
  },
)
