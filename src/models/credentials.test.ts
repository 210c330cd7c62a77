import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { memoryCredentials, type StoredCredential } from './credential-store.ts'
import { createCredentials } from './credentials.ts'
import { scriptedModel } from './scripted.ts'
import { createModels, keyedDefaults, type ModelNotice } from './models.ts'

const oauth = { accessToken: 'at', refreshToken: 'rt', expiresAt: 9e12 }

verifies('P11', 'runtime, OAuth, stored key, environment, in this order', async () => {
  const store = memoryCredentials({ anthropic: { oauth, apiKey: 'stored' } })
  const keep = async (credential: StoredCredential) => await store.change('anthropic', () => credential)
  const env: Record<string, string> = { ANTHROPIC_API_KEY: 'environment' }
  const credentials = createCredentials({ env, store })
  const found = async () => {
    const credential = await credentials.find('anthropic')
    return credential?.kind === 'apiKey' ? credential.apiKey : credential?.kind
  }
  credentials.setRuntime('anthropic', 'runtime')
  expect(await found()).toBe('runtime')
  credentials.setRuntime('anthropic', '  ')
  expect(await found()).toBe('oauth')
  await keep({ oauth: { ...oauth, accessToken: ' ' }, apiKey: 'stored' })
  expect(await found()).toBe('stored')
  await keep({ apiKey: 'stored' })
  expect(await found()).toBe('stored')
  await keep({ apiKey: ' ' })
  expect(await found()).toBe('environment')
  env['ANTHROPIC_API_KEY'] = '\n'
  expect(await found()).toBeUndefined()
})

verifies('P17', 'without a credential connecting rejects, naming the provider and what to set', async () => {
  const models = createModels({ env: {} })
  await expect(models.connect('anthropic/claude-opus-4-6')).rejects.toMatchObject({
    code: 'auth.missing',
    message: expect.stringMatching(/Auth failed for anthropic.*ANTHROPIC_API_KEY/),
  })
  expect((await models.check('gemini-pro')).problem).toMatchObject({
    code: 'auth.missing',
    message: expect.stringContaining('Auth failed for google'),
  })
})

verifies('P18', 'OAuth is found only for providers that take it', async () => {
  const credentials = createCredentials({
    env: { GROQ_API_KEY: 'k' },
    store: memoryCredentials({ groq: { oauth }, openai: { oauth, apiKey: 'sk' } }),
  })
  expect(await credentials.find('groq')).toMatchObject({ kind: 'apiKey', source: 'environment' })
  expect(await credentials.find('openai')).toMatchObject({ kind: 'apiKey' })
  expect(await credentials.find('openai-codex')).toMatchObject({ kind: 'oauth' })
})

verifies(
  'P18',
  'a connector of a provider that takes keys only is never given a login, not even one that could refresh it',
  async () => {
    const store = memoryCredentials({ groq: { oauth }, openai: { oauth } })
    const models = createModels({ store })
    for (const provider of ['groq', 'openai'])
      models.register({ provider, connect: () => expect.unreachable(), refresh: () => expect.unreachable() }, { replace: true })
    await expect(models.connect('llama-groq')).rejects.toMatchObject({ code: 'auth.missing' })
    await expect(models.connect('openai/gpt-4o')).rejects.toMatchObject({ code: 'auth.missing' })
    await expect(models.credentials.set('zai', { oauth })).rejects.toMatchObject({ code: 'input.invalid' })
    await expect(models.credentials.set('openai-codex', { apiKey: 'k' })).rejects.toMatchObject({ code: 'input.invalid' })
  },
)

it('what is kept is added to, told by name and kind, and taken away', async () => {
  const store = memoryCredentials()
  const { credentials } = createModels({ store })
  await credentials.set(' Groq ', { apiKey: ' k1 ' })
  await credentials.set('groq', { fields: { baseUrl: 'http://a' } })
  await credentials.set('anthropic', { oauth })
  await credentials.set('mine', { apiKey: 'k2' })
  expect(await store.get('groq')).toEqual({ apiKey: 'k1', fields: { baseUrl: 'http://a' } })
  expect(await credentials.list()).toEqual([
    { provider: 'anthropic', kind: 'oauth', source: 'stored' },
    { provider: 'groq', kind: 'apiKey', source: 'stored' },
    { provider: 'mine', kind: 'apiKey', source: 'stored' },
  ])
  expect([await credentials.remove('GROQ'), await credentials.remove('groq')]).toEqual([true, false])
  expect((await credentials.list()).map(({ provider }) => provider)).toEqual(['anthropic', 'mine'])
})

it('nonsense is refused before anything is kept, and so is keeping where there is no file', async () => {
  const { credentials } = createModels({ store: memoryCredentials() })
  const nonsense: readonly (readonly [unknown, unknown])[] = [
    ['', { apiKey: 'k' }],
    [7, { apiKey: 'k' }],
    ['groq', null],
    ['groq', 'k'],
    ['groq', {}],
    ['groq', { apiKey: ' ' }],
    ['groq', { key: 'k' }],
    ['groq', { fields: { a: 1 } }],
    ['anthropic', { oauth: { accessToken: 'a' } }],
  ]
  for (const [provider, credential] of nonsense)
    await expect(credentials.set(provider as string, credential as StoredCredential)).rejects.toMatchObject({
      code: 'input.invalid',
    })
  expect(await credentials.list()).toEqual([])
  const nowhere = createModels().credentials
  await expect(nowhere.set('groq', { apiKey: 'k' })).rejects.toMatchObject({ code: 'config.invalid' })
  await expect(nowhere.remove('groq')).rejects.toMatchObject({ code: 'config.invalid' })
})

it.each([
  ['google', 'GEMINI_API_KEY'],
  ['google', 'GOOGLE_API_KEY'],
  ['moonshot', 'KIMI_API_KEY'],
  ['kimi-code', 'KIMICODE_API_KEY'],
  ['zai', 'ZAI_API_KEY'],
  ['my-cloud', 'MY_CLOUD_API_KEY'],
])('%s reads %s', async (provider, name) => {
  expect(await createCredentials({ env: { [name]: ' k\n' } }).find(provider)).toEqual({
    kind: 'apiKey',
    apiKey: 'k',
    source: 'environment',
  })
})

it('a base URL comes from the environment, with a key or, where none is needed, without', async () => {
  const env = { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://a/v1', OPENAI_COMPATIBLE_BASE_URL: 'http://b/v1' }
  const credentials = createCredentials({ env })
  expect(await credentials.find('openai')).toMatchObject({ fields: { baseUrl: 'http://a/v1' } })
  expect(await credentials.find('openai-compatible')).toEqual({ kind: 'none', fields: { baseUrl: 'http://b/v1' } })
})

verifies('P12', 'the list and checks tell kinds and places, never a secret', async () => {
  const models = createModels({ env: { OPENAI_API_KEY: 'sk-secret-1' } })
  models.credentials.setRuntime('anthropic', 'sk-secret-2')
  models.register({ provider: 'anthropic', connect: () => scriptedModel([]) }, { replace: true })
  const list = await models.credentials.list()
  expect(list).toEqual([
    { provider: 'anthropic', kind: 'apiKey', source: 'runtime' },
    { provider: 'openai', kind: 'apiKey', source: 'environment' },
  ])
  const told = [
    list,
    await models.check('sonnet'),
    await models.check('gpt5', { apiKey: 'sk-secret-3' }),
    await models.connect('sonnet'),
  ]
  expect(JSON.stringify(told)).not.toContain('sk-secret')
})

it('the default model is the first provider in order that has a key', async () => {
  const notices: ModelNotice[] = []
  const models = (env: Record<string, string>) => createModels({ env, notice: notice => void notices.push(notice) })
  expect(await models({ GEMINI_API_KEY: 'k', GROQ_API_KEY: 'k' }).defaultModel()).toBe('google/gemini-2.5-pro')
  expect(await models({ GROQ_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' }).defaultModel()).toBe('anthropic/claude-sonnet-4-6')
  expect(notices).toEqual([])
  for (const reference of keyedDefaults) expect(createModels().resolve(reference).info.synthesized).toBeUndefined()
})

it('without any key the default is the demo, said aloud', async () => {
  const notices: ModelNotice[] = []
  const models = createModels({ env: { OPENAI_API_KEY: ' ' }, notice: notice => void notices.push(notice) })
  expect(await models.defaultModel()).toBe('demo/echo')
  expect(notices).toEqual([{ level: 'warning', code: 'model.demo', message: 'demo model: no language model is connected' }])
})
