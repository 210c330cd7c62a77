import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { addRawUsage, type RawUsage, usageOfRaw } from './raw-usage.ts'
import { usageOfFinish } from './sdk-usage.ts'

const rawOf = (...chunks: unknown[]): RawUsage => {
  const raw = chunks.reduce<RawUsage | undefined>(addRawUsage, undefined)
  if (raw === undefined) throw new Error('no usage in these chunks')
  return raw
}
const finish = (told: unknown, options: { provider?: string; raw?: RawUsage; ttl?: '5m' | '1h' } = {}) =>
  usageOfFinish(told, { provider: options.provider ?? 'anthropic.messages', raw: options.raw, ttl: options.ttl ?? '5m' })

verifies('P27', 'input leaves out what was read from and written to the cache', () => {
  const outputTokens = { total: 7, text: 5, reasoning: 2 }
  const parts = { total: 4_700, cacheRead: 4_000, cacheWrite: 600 }
  const expected = {
    inputTokens: 100,
    cacheReadTokens: 4_000,
    cacheWrite5mTokens: 600,
    cacheWrite1hTokens: 0,
    outputTokens: 7,
    reasoningTokens: 2,
  }
  expect(finish({ inputTokens: { ...parts, noCache: undefined }, outputTokens })).toEqual(expected)
  expect(finish({ inputTokens: { ...parts, noCache: 100 }, outputTokens })).toEqual(expected)
})

verifies('P34', 'flat input that counts cached tokens in is reduced by them, never below 0', () => {
  const told = { inputTokens: 4_100, outputTokens: 5, cachedInputTokens: 4_000 }
  expect(finish(told, { provider: 'openai.responses' })).toMatchObject({ inputTokens: 100, cacheReadTokens: 4_000 })
  expect(finish({ ...told, cachedInputTokens: 5_000 }, { provider: 'openai.chat' }).inputTokens).toBe(0)
  expect(finish(told, { provider: 'anthropic.messages' }).inputTokens).toBe(4_100)
})

describe('lifetimes of written tokens', () => {
  const told = { inputTokens: { total: 700, noCache: 100, cacheRead: 0, cacheWrite: 600 }, outputTokens: { total: 1 } }
  it('come from the raw usage', () => {
    const raw = rawOf({
      type: 'message_start',
      message: {
        usage: { input_tokens: 100, cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 400 } },
      },
    })
    expect(finish(told, { raw })).toMatchObject({ cacheWrite5mTokens: 200, cacheWrite1hTokens: 400 })
  })
  it('come from what was asked for where the raw usage is silent', () => {
    expect(finish(told, { ttl: '1h' })).toMatchObject({ cacheWrite5mTokens: 0, cacheWrite1hTokens: 600 })
    expect(finish(told, { ttl: '5m' })).toMatchObject({ cacheWrite5mTokens: 600, cacheWrite1hTokens: 0 })
  })
  it('come from the raw usage of the finish if no raw chunk had any', () => {
    const raw = { cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 600 } }
    expect(finish({ ...told, raw })).toMatchObject({ cacheWrite5mTokens: 0, cacheWrite1hTokens: 600 })
  })
})

describe('raw usage', () => {
  it('of Anthropic grows from its start to its delta', () => {
    const start = {
      type: 'message_start',
      message: { usage: { input_tokens: 9, cache_read_input_tokens: 40, cache_creation_input_tokens: 5, output_tokens: 1 } },
    }
    expect(usageOfRaw(rawOf(start), '5m')).toMatchObject({
      inputTokens: 9,
      cacheReadTokens: 40,
      cacheWrite5mTokens: 5,
      outputTokens: 1,
    })
    const delta = { type: 'message_delta', usage: { output_tokens: 30, input_tokens: null } }
    expect(usageOfRaw(rawOf(start, delta), '5m')).toMatchObject({ inputTokens: 9, outputTokens: 30 })
  })
  it('of OpenAI chat, of its responses and of DeepSeek leave cached tokens out of the input', () => {
    const chat = {
      usage: {
        prompt_tokens: 100,
        completion_tokens: 9,
        prompt_tokens_details: { cached_tokens: 60 },
        completion_tokens_details: { reasoning_tokens: 4 },
      },
    }
    expect(usageOfRaw(rawOf(chat), '5m')).toMatchObject({
      inputTokens: 40,
      cacheReadTokens: 60,
      outputTokens: 9,
      reasoningTokens: 4,
    })
    const responses = {
      type: 'response.completed',
      response: { usage: { input_tokens: 100, output_tokens: 9, input_tokens_details: { cached_tokens: 60 } } },
    }
    expect(usageOfRaw(rawOf(responses), '5m')).toMatchObject({ inputTokens: 40, cacheReadTokens: 60, outputTokens: 9 })
    expect(usageOfRaw(rawOf({ usage: { prompt_tokens: 100, prompt_cache_hit_tokens: 64 } }), '5m')).toMatchObject({
      inputTokens: 36,
      cacheReadTokens: 64,
    })
  })
  it('of Google counts thoughts as output', () => {
    const chunk = {
      usageMetadata: { promptTokenCount: 50, cachedContentTokenCount: 20, candidatesTokenCount: 7, thoughtsTokenCount: 3 },
    }
    expect(usageOfRaw(rawOf(chunk), '5m')).toMatchObject({
      inputTokens: 30,
      cacheReadTokens: 20,
      outputTokens: 10,
      reasoningTokens: 3,
    })
  })
  it('is not changed by chunks that say nothing of it', () => {
    const raw = rawOf({ usage: { prompt_tokens: 1 } })
    for (const chunk of [null, 'text', {}, { usage: null }, { type: 'message_start' }, { response: {} }])
      expect(addRawUsage(raw, chunk)).toBe(raw)
  })
})

it('fills from the raw usage what a finish leaves open', () => {
  const raw = rawOf({ usage: { prompt_tokens: 12, completion_tokens: 3 } })
  expect(finish({ inputTokens: {}, outputTokens: {} }, { raw })).toMatchObject({ inputTokens: 12, outputTokens: 3 })
  expect(finish(undefined, { raw })).toMatchObject({ inputTokens: 12, outputTokens: 3 })
})
