import { SkeinError } from '#kernel'
import { expect, it } from 'vitest'
import { fullUsage } from '#journal'
import { verifies } from '#verifies'
import { missing } from './connectors.ts'
import { memoryCredentials } from './credential-store.ts'
import { createModels } from './models.ts'
import type { ModelEvent, ModelInfo } from './port.ts'
import { scriptedModel } from './scripted.ts'

const house: ModelInfo = { provider: 'house', id: 'm1', name: 'M1', contextWindow: 10_000, maxOutput: 1_000, capabilities: {} }
const signal = new AbortController().signal
const request = { messages: [], tools: [] }

verifies('P32', 'a provider without a connector is refused, naming models.register, before its token is touched', async () => {
  const oauth = { accessToken: 'at', refreshToken: 'rt', expiresAt: 0 }
  const models = createModels({ store: memoryCredentials({ 'openai-codex': { oauth }, 'kimi-code': { oauth } }) })
  for (const reference of ['openai-codex/gpt-5.5', 'kimi-code/kimi2.6']) {
    await expect(models.connect(reference)).rejects.toMatchObject({
      code: 'model.provider_missing',
      message: expect.stringContaining('models.register'),
    })
    expect((await models.check(reference)).problem?.code).toBe('model.provider_missing')
  }
})

it('a registered model and connector are used, and their keys are found by their name', async () => {
  const models = createModels({ env: { HOUSE_API_KEY: 'k' } })
  models.register(house)
  models.alias('mine', 'house/m1')
  models.register({ provider: 'house', connect: (credential, info) => scriptedModel([`${credential.kind} ${info.id}`]) })
  const model = await models.connect('Mine')
  expect(model).toMatchObject({ provider: 'house', modelId: 'm1', info: house, credential: 'apiKey', route: { reason: 'named' } })
  const texts: string[] = []
  for await (const event of model.stream(request, signal)) if (event.type === 'text_delta') texts.push(event.text)
  expect(texts).toEqual(['apiKey m1'])
})

verifies('P31', 'a port of any kind is given neither tools nor thinking that its model does not take', async () => {
  const asked = { messages: [], tools: [{ name: 't', description: 't', inputSchema: {} }], thinking: 'high' } as const
  const given = async (capabilities: ModelInfo['capabilities']) => {
    const port = scriptedModel(['ok'], { info: { capabilities } })
    for await (const _event of createModels().override(port).stream(asked, signal));
    return port.requests[0]
  }
  expect(await given({ tools: false, reasoning: false })).toEqual({ messages: [], tools: [] })
  expect(await given({})).toEqual({ messages: [], tools: asked.tools })
  expect(await given({ reasoning: true })).toEqual(asked)
})

it('registering twice is refused without replace', () => {
  const models = createModels()
  models.register(house)
  expect(() => models.register(house)).toThrow(expect.objectContaining({ code: 'model.duplicate' }))
  models.register({ ...house, maxOutput: 7 }, { replace: true })
  expect(models.resolve('house/m1').info.maxOutput).toBe(7)
  expect(() => models.register({ provider: 'openai', connect: () => scriptedModel([]) })).toThrow(
    expect.objectContaining({ code: 'model.duplicate' }),
  )
  expect(() => models.alias('Sonnet', 'opus')).toThrow(expect.objectContaining({ code: 'model.duplicate' }))
})

it("the user's rows go before Skein's, and Skein's before others", () => {
  const row = (input: number) => ({ provider: 'anthropic', model: 'claude-opus-4-6', rates: { input } })
  const usage = fullUsage({ inputTokens: 1_000_000, outputTokens: 0 })
  const cost = (options: Parameters<typeof createModels>[0]) =>
    createModels(options)
      .override(scriptedModel([], { provider: 'anthropic', modelId: 'claude-opus-4-6' }))
      .cost(usage, Date.now()).total
  expect(cost({ prices: [row(1)], morePrices: () => [row(3)] })).toBe(1)
  expect(cost({ morePrices: () => [row(3)] })).toBe(5_000_000_000)
})

verifies('P12', 'a key that a provider repeats in its refusal is not in the failure', async () => {
  const models = createModels()
  const failure = new SkeinError('auth.rejected', 'Incorrect API key provided: sk-live-123.')
  models.register({ provider: 'openai', connect: () => scriptedModel([{ failure }]) }, { replace: true })
  const model = await models.connect('gpt5', { apiKey: 'sk-live-123' })
  const events: ModelEvent[] = []
  for await (const event of model.stream(request, signal)) events.push(event)
  expect(events.at(-1)).toMatchObject({
    type: 'failed',
    error: { code: 'auth.rejected', message: 'Incorrect API key provided: [REDACTED].' },
  })
})

it('a package that is not installed is told apart from one that is broken, with the command to install it', () => {
  const name = '@ai-sdk/not-there'
  const notFound = Object.assign(new Error(`Cannot find package '${name}' imported from /x`), { code: 'ERR_MODULE_NOT_FOUND' })
  expect(missing(name, 'x', notFound).message).toContain(`npm install ${name}`)
  expect(missing('@ai-sdk/other', 'x', notFound).message).toContain(`could not be loaded: Cannot find package '${name}'`)
  expect(missing(name, 'x', notFound).code).toBe('model.provider_missing')
})

it('an OpenAI-compatible server needs to be told where', async () => {
  await expect(createModels({ env: {} }).connect('openai-compatible/llama')).rejects.toMatchObject({
    code: 'config.invalid',
    message: expect.stringContaining('OPENAI_COMPATIBLE_BASE_URL'),
  })
})
