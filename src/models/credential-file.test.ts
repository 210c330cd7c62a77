import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs' // prettier-ignore
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { manualClock } from '#kernel'
import { verifies } from '#verifies'
import { credentialFile, credentialPlace } from './credential-file.ts'
import { memoryCredentials } from './credential-store.ts'
import { createModels } from './models.ts'
import { scriptedModel } from './scripted.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-credentials-'))
  file = join(folder, 'credentials.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string): number => statSync(path).mode & 0o777

it.each(['file', 'memory'])('a %s store keeps, tells and forgets', async kind => {
  const store = kind === 'file' ? credentialFile(file) : memoryCredentials()
  expect([await store.get('groq'), await store.list()]).toEqual([undefined, []])
  await store.change('groq', () => ({ apiKey: 'k1' }))
  await store.change('groq', kept => ({ ...kept, fields: { baseUrl: 'http://a' } }))
  await store.change('zai', () => ({ apiKey: 'k2' }))
  expect(await store.get('groq')).toEqual({ apiKey: 'k1', fields: { baseUrl: 'http://a' } })
  await expect(store.change('groq', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await store.change('groq', () => undefined)
  await store.change('gone', () => null)
  expect([...(await store.list())].sort()).toEqual(['groq', 'zai'])
  await store.change('zai', () => null)
  expect(await store.list()).toEqual(['groq'])
})

it.each(['file', 'memory'])('changes of a %s store come one after the other', async kind => {
  const store = kind === 'file' ? credentialFile(file) : memoryCredentials()
  const add = (number: number) =>
    store.change('p', async kept => {
      await new Promise(setImmediate)
      return { fields: { ...kept?.fields, [number]: 'x' } }
    })
  await Promise.all(Array.from({ length: 20 }, (_, number) => add(number)))
  expect(Object.keys((await store.get('p'))?.fields ?? {})).toHaveLength(20)
})

verifies('P13', 'file and folder are for their owner alone, whatever they were', async () => {
  const deep = join(folder, 'a', 'b', 'credentials.json')
  await credentialFile(deep).change('groq', () => ({ apiKey: 'k' }))
  expect([modeOf(deep), modeOf(join(folder, 'a'))]).toEqual([0o600, 0o700])
  writeFileSync(file, '{"other":1}')
  chmodSync(file, 0o666)
  await credentialFile(file).change('groq', () => ({ apiKey: 'k' }))
  expect(modeOf(file)).toBe(0o600)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ other: 1, groq: { apiKey: 'k' } })
  expect(readdirSync(folder).sort()).toEqual(['a', 'credentials.json'])
})

it('the lock and the new file stand beside the real file, through links that have a target and that have none yet', async () => {
  const real = join(folder, 'real')
  mkdirSync(real)
  const [link, again] = [join(folder, 'link.json'), join(folder, 'again.json')]
  symlinkSync('real/c.json', link)
  symlinkSync('link.json', again)
  for (const path of [again, link]) {
    await credentialFile(path).change('groq', kept => {
      expect(existsSync(join(real, 'c.json.lock'))).toBe(true)
      return { ...kept, apiKey: path }
    })
    expect(JSON.parse(readFileSync(join(real, 'c.json'), 'utf8'))).toEqual({ groq: { apiKey: path } })
  }
  expect(readdirSync(folder).sort()).toEqual(['again.json', 'link.json', 'real'])
  expect(readdirSync(real)).toEqual(['c.json'])
})

it('a lock of a process that died is stale after 30 s, and what it left is removed', async () => {
  writeFileSync(`${file}.lock`, 'somebody')
  writeFileSync(`${file}.${'a'.repeat(32)}.tmp`, '{"groq":')
  const clock = manualClock(statSync(`${file}.lock`).mtimeMs + 30_000)
  const pauses: number[] = []
  const store = credentialFile(file, {
    clock,
    pause: async ms => {
      pauses.push(ms)
      clock.advance(1)
    },
  })
  await store.change('groq', () => ({ apiKey: 'k' }))
  expect(pauses.length).toBe(1)
  expect(readdirSync(folder)).toEqual(['credentials.json'])
})

it('a lock that another process holds is waited for, for 10 s, then it is auth.locked and nothing has changed', async () => {
  writeFileSync(`${file}.lock`, 'somebody')
  const clock = manualClock(statSync(`${file}.lock`).mtimeMs)
  const began = clock.now()
  const store = credentialFile(file, { clock, pause: async ms => void clock.advance(Math.ceil(ms)) })
  await expect(store.change('groq', () => ({ apiKey: 'k' }))).rejects.toMatchObject({ code: 'auth.locked', retryable: true })
  expect(clock.now() - began).toBeGreaterThanOrEqual(10_000)
  expect(clock.now() - began).toBeLessThan(10_100)
  expect(readdirSync(folder)).toEqual(['credentials.json.lock'])
  const freed = credentialFile(file, { clock, pause: async () => rmSync(`${file}.lock`) })
  await freed.change('groq', () => ({ apiKey: 'k' }))
  expect(await store.get('groq')).toEqual({ apiKey: 'k' })
})

it('who was taken for dead does not write over what came after', async () => {
  const [slow, quick] = [credentialFile(file), credentialFile(file)]
  const late = slow.change('groq', async () => {
    utimesSync(`${file}.lock`, 0, 0)
    await quick.change('groq', () => ({ apiKey: 'quick' }))
    return { apiKey: 'slow' }
  })
  await expect(late).rejects.toMatchObject({ code: 'auth.locked' })
  expect(await quick.get('groq')).toEqual({ apiKey: 'quick' })
  expect(readdirSync(folder)).toEqual(['credentials.json'])
})

it('of many who find a stale lock one after the other goes in', async () => {
  writeFileSync(`${file}.lock`, 'somebody')
  utimesSync(`${file}.lock`, 0, 0)
  let inside = 0
  const enter = credentialFile(file)
  await Promise.all(
    Array.from({ length: 12 }, () =>
      enter.change('p', async kept => {
        expect(++inside).toBe(1)
        await new Promise(setImmediate)
        inside--
        return { fields: { n: String(Number(kept?.fields?.['n'] ?? 0) + 1) } }
      }),
    ),
  )
  expect(await enter.get('p')).toEqual({ fields: { n: '12' } })
})

verifies('P14', 'a corrupt file is told and never overwritten; a runtime key, the demo and an own model still work', async () => {
  writeFileSync(file, '{"openai":{"apiKey":"sk-')
  const models = createModels({ env: { OPENAI_API_KEY: 'sk-env' }, store: credentialFile(file) })
  models.register({ provider: 'openai', connect: () => scriptedModel(['ok']) }, { replace: true })
  const corrupt = { code: 'auth.store_corrupt', details: { file } }
  await expect(models.connect('gpt5')).rejects.toMatchObject(corrupt)
  await expect(models.credentials.set('groq', { apiKey: 'k' })).rejects.toMatchObject(corrupt)
  await expect(models.credentials.remove('openai')).rejects.toMatchObject(corrupt)
  await expect(models.credentials.list()).rejects.toMatchObject(corrupt)
  expect(readFileSync(file, 'utf8')).toBe('{"openai":{"apiKey":"sk-')
  models.credentials.setRuntime('openai', 'sk-runtime')
  expect((await models.connect('gpt5')).credential).toBe('apiKey')
  expect((await models.connect('gpt5', { apiKey: 'sk-own' })).credential).toBe('apiKey')
  expect((await models.connect('demo/echo')).credential).toBe('none')
  expect(readdirSync(folder)).toEqual(['credentials.json'])
})

it('a call may name another file than all others use', async () => {
  const other = join(folder, 'other.json')
  await credentialFile(file).change('groq', () => ({ apiKey: 'of all' }))
  await credentialFile(other).change('zai', () => ({ apiKey: 'of one' }))
  const models = createModels({ store: credentialFile(file) })
  const sourceOf = async (ref: string, credentials?: string) => (await models.check(ref, { credentials })).source
  expect([await sourceOf('llama-groq'), await sourceOf('glm')]).toEqual(['stored', null])
  expect([await sourceOf('llama-groq', other), await sourceOf('glm', other)]).toEqual([null, 'stored'])
  models.credentials.setRuntime('groq', 'of this process')
  expect(await sourceOf('llama-groq', other)).toBe('runtime')
})

it('a file that cannot be read says which, and not that it is corrupt', async () => {
  mkdirSync(file)
  await expect(credentialFile(file).get('groq')).rejects.toMatchObject({ code: 'config.invalid', details: { file } })
  await expect(credentialFile(file).change('groq', () => ({ apiKey: 'k' }))).rejects.toMatchObject({ code: 'config.invalid' })
  expect(readdirSync(folder)).toEqual(['credentials.json'])
})

it.each([
  [{ SKEIN_CREDENTIALS: ' /c.json ', HOME: '/home/a' }, '/c.json'],
  [{ SKEIN_CREDENTIALS: ' ', XDG_CONFIG_HOME: '/x', HOME: '/home/a' }, '/x/skein/credentials.json'],
  [{ XDG_CONFIG_HOME: 'relative', HOME: '/home/a' }, '/home/a/.config/skein/credentials.json'],
  [{ OPENAI_API_KEY: 'k' }, undefined],
])('the place in %j is %s', (env, place) => {
  expect(credentialPlace(env)).toBe(place)
})
