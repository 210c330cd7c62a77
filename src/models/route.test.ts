import { expect } from 'vitest'
import { verifies } from '#verifies'
import { memoryCredentials, type StoredCredential } from './credential-store.ts'
import { createModels, type ModelsOptions } from './models.ts'

const oauth = { accessToken: 'at', refreshToken: 'rt', expiresAt: 9e12 }
const models = (stored: Record<string, StoredCredential>, options: ModelsOptions = {}) =>
  createModels({ ...options, store: memoryCredentials(stored) })

verifies('P6', 'gpt-5.4 with an OAuth login alone goes to openai-codex', async () => {
  for (const home of ['openai', 'openai-codex']) {
    const check = await models({ [home]: { oauth } }).check('gpt-5.4')
    expect(check.route).toEqual({ provider: 'openai-codex', id: 'gpt-5.4', reason: 'only_oauth' })
    expect(check.credential).toBe('oauth')
  }
})

verifies('P7', 'any openai key keeps it at openai', async () => {
  const runtime = models({ openai: { oauth } })
  runtime.credentials.setRuntime('openai', 'sk-1')
  const checks = await Promise.all([
    runtime.check('gpt-5.4'),
    models({ openai: { oauth, apiKey: 'sk-2' } }).check('gpt-5.4'),
    models({ openai: { oauth } }, { env: { OPENAI_API_KEY: 'sk-3' } }).check('gpt-5.4'),
    models({ openai: { oauth } }).check('gpt-5.4', { apiKey: 'sk-4' }),
  ])
  expect(checks.map(({ route, source }) => [route.provider, source])).toEqual([
    ['openai', 'runtime'],
    ['openai', 'stored'],
    ['openai', 'environment'],
    ['openai', 'option'],
  ])
})

verifies('P8', 'what the subscription lacks, and what was asked for by name, stays', async () => {
  const some = models({ openai: { oauth } })
  expect((await some.check('gpt-4o')).route.provider).toBe('openai')
  expect((await some.check('gpt-5.4', { provider: 'anthropic' })).route).toMatchObject({ provider: 'anthropic', id: 'gpt-5.4' })
})

verifies('P9', 'kimi follows its login, its key or the provider that was asked for', async () => {
  const login = models({ 'kimi-code': { oauth } })
  expect((await login.check('kimi')).route).toMatchObject({ provider: 'kimi-code', id: 'kimi2.6' })
  const keyed = models({ 'kimi-code': { oauth } }, { env: { MOONSHOT_API_KEY: 'k' } })
  expect((await keyed.check('kimi')).route).toMatchObject({ provider: 'moonshot', id: 'kimi-k2.6' })
  for (const id of ['kimi', 'kimi-k2.5', 'kimi2.6']) {
    expect((await models({}).check(id, { provider: 'kimi-code' })).route).toMatchObject({ provider: 'kimi-code', id: 'kimi2.6' })
  }
})
