import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { builtInAliases, builtInModels } from './catalog.ts'
import { createModels } from './models.ts'

const models = createModels()
const ref = (text?: string, provider?: string): string => models.resolve(text, { provider }).ref
const refusal = (text: string, provider?: string): unknown => {
  try {
    return ref(text, provider)
  } catch (error) {
    return error
  }
}

verifies('P1', 'no model anywhere and Sonnet mean the same one', () => {
  expect(ref()).toBe('anthropic/claude-sonnet-4-6')
  expect(models.resolve(null).ref).toBe('anthropic/claude-sonnet-4-6')
  expect(ref('Sonnet')).toBe('anthropic/claude-sonnet-4-6')
})

verifies('P2', 'the first slash ends the provider, all the rest is the id', () => {
  expect(models.resolve('openrouter/google/gemini-3-flash-preview')).toMatchObject({
    provider: 'openrouter',
    id: 'google/gemini-3-flash-preview',
  })
  expect(models.resolve('google/gemini-2.5-pro')).toMatchObject({ provider: 'google', id: 'gemini-2.5-pro' })
  expect(ref('ANTHROPIC/claude-opus-4-6')).toBe('anthropic/claude-opus-4-6')
})

verifies('P3', 'an explicit provider must agree, but an aggregator takes everything as its id', () => {
  expect(refusal('anthropic/claude-opus-4-6', 'openai')).toMatchObject({ code: 'model.invalid_ref' })
  expect(refusal('sonnet', 'openai')).toMatchObject({ code: 'model.invalid_ref' })
  expect(models.resolve('google/x', { provider: 'openrouter' })).toMatchObject({ provider: 'openrouter', id: 'google/x' })
  expect(models.resolve('openrouter/google/x', { provider: 'OpenRouter' })).toMatchObject({
    provider: 'openrouter',
    id: 'google/x',
  })
  expect(ref('anthropic/claude-opus-4-6', 'anthropic')).toBe('anthropic/claude-opus-4-6')
})

verifies('P4', 'unknown ids of a known family are synthesized, unpriced', () => {
  expect(models.resolve('gpt-9').info).toMatchObject({
    provider: 'openai',
    contextWindow: 200_000,
    maxOutput: 16_384,
    synthesized: true,
  })
  expect(models.resolve('claude-next').info).toMatchObject({
    provider: 'anthropic',
    contextWindow: 200_000,
    maxOutput: 64_000,
    synthesized: true,
  })
  for (const id of ['gpt-9', 'claude-next']) expect(models.resolve(id).info.prices).toBeUndefined()
})

it.each([
  ['gpt-5.9', 'openai', 400_000, 128_000],
  ['some-codex-9', 'openai', 400_000, 128_000],
  ['gpt-4o', 'openai', 128_000, 16_384],
  ['o3-pro', 'openai', 200_000, 100_000],
  ['gemini-9', 'google', 1_048_576, 65_536],
  ['moonshot-v9', 'moonshot', 256_000, 16_384],
  ['glm-9', 'zai', 200_000, 16_384],
])('synthesizes %s as %s, %i tokens in and %i out', (id, provider, contextWindow, maxOutput) => {
  expect(models.resolve(id).info).toMatchObject({ provider, id, contextWindow, maxOutput, synthesized: true })
})

verifies('P5', 'says which model or provider it does not know', () => {
  expect(refusal('mystery-1')).toMatchObject({
    code: 'model.unknown',
    message: expect.stringMatching(/^Unknown model: mystery-1/),
  })
  expect(refusal('sonnet', 'nope')).toMatchObject({ code: 'model.unknown_provider' })
  expect(refusal('nope/claude')).toMatchObject({
    code: 'model.unknown_provider',
    details: expect.objectContaining({ provider: 'nope' }),
  })
  expect(refusal('anthropic/')).toMatchObject({ code: 'model.invalid_ref' })
  expect(refusal('  ')).toMatchObject({ code: 'model.invalid_ref' })
})

it('every alias means a model of the table', () => {
  const known = new Set(builtInModels.map(({ provider, id }) => `${provider}/${id}`))
  for (const [alias, target] of builtInAliases) {
    expect(known).toContain(target)
    expect(ref(alias.toUpperCase())).toBe(target)
  }
})

it('an explicit provider takes any id', () => {
  expect(models.resolve('my-model', { provider: 'openai-compatible' }).info).toMatchObject({
    provider: 'openai-compatible',
    id: 'my-model',
    contextWindow: 200_000,
    synthesized: true,
  })
  expect(ref('gpt-5.4', 'anthropic')).toBe('anthropic/gpt-5.4')
})

it('ids keep their case', () => {
  expect(refusal('anthropic/Claude-Opus-4-6')).toBe('anthropic/Claude-Opus-4-6')
  expect(models.resolve('anthropic/Claude-Opus-4-6').info.synthesized).toBe(true)
})
