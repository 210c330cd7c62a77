import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { manualClock, manualTimers, SkeinError } from '#kernel'
import { verifies } from '#verifies'
import { credentialFile } from './credential-file.ts'
import { memoryCredentials, type StoredCredential } from './credential-store.ts'
import { refreshLimits } from './fresh-oauth.ts'
import { createModels, type Models, type ModelsOptions } from './models.ts'
import type { Connector, ModelEvent, OAuth } from './port.ts'
import { scriptedModel } from './scripted.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-oauth-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const now = 1_800_000_000_000
const minute = 60_000
const login = (lastsMs: number, name = 'at'): OAuth => ({
  accessToken: name,
  refreshToken: `r-${name}`,
  expiresAt: now + lastsMs,
})
const ref = 'openai-codex/gpt-5.4'
const signal = new AbortController().signal

interface Place {
  readonly models: Models
  /** The tokens that ports were made with. */
  readonly used: string[]
}

function placeOf(oauth: OAuth, refresh: Connector['refresh'], options: ModelsOptions = {}): Place {
  const used: string[] = []
  const models = createModels({ clock: { now: () => now }, store: memoryCredentials({ openai: { oauth } }), ...options })
  models.register({
    provider: 'openai-codex',
    connect(credential) {
      const token = credential.kind === 'oauth' ? credential.oauth.accessToken : credential.kind
      used.push(token)
      return scriptedModel([`with ${token}`, `again with ${token}`])
    },
    ...(refresh === undefined ? {} : { refresh }),
  })
  return { models, used }
}

async function ask(model: Awaited<ReturnType<Models['connect']>>): Promise<ModelEvent[]> {
  const events: ModelEvent[] = []
  for await (const event of model.stream({ messages: [], tools: [] }, signal)) events.push(event)
  return events
}

it('a token is refreshed from 300 s before its time is over, and kept where it was', async () => {
  for (const [lastsMs, token] of [
    [5 * minute + 1, 'at'],
    [5 * minute, 'new'],
  ] as const) {
    // prettier-ignore
    const store = memoryCredentials({ openai: { oauth: login(lastsMs), fields: { a: 'b' } } })
    const { models, used } = placeOf(login(0), async () => login(60 * minute, 'new'), { store })
    await models.connect(ref)
    expect(used).toEqual([token])
    expect(await store.get('openai')).toMatchObject({ oauth: { accessToken: token }, fields: { a: 'b' } })
  }
})

verifies('P15', 'runs that find a token due at the same time refresh it once', async () => {
  let refreshes = 0
  const { models, used } = placeOf(login(minute), async () => {
    refreshes++
    await new Promise(setImmediate)
    return login(60 * minute, `new ${refreshes}`)
  })
  await Promise.all(Array.from({ length: 20 }, () => models.connect(ref)))
  expect([refreshes, [...new Set(used)]]).toEqual([1, ['new 1']])
})

verifies('P15', 'a token that another process has just got is used, even if it lasts for less than 300 s', async () => {
  const store = memoryCredentials({ openai: { oauth: login(minute) } })
  // Between reading and locking, another process is quicker.
  const quick = { ...store, change: async (...[provider, decide]: Parameters<typeof store.change>) => {
      await store.change(provider, () => ({ oauth: login(2 * minute, 'theirs') }))
      await store.change(provider, decide)
    } } // prettier-ignore
  const { models, used } = placeOf(login(0), async () => login(60 * minute, 'ours'), { store: quick })
  await models.connect(ref)
  expect(used).toEqual(['theirs'])
})

const refusals: readonly (readonly [string, () => unknown])[] = [
  ['auth.rejected', () => new SkeinError('auth.rejected', 'no')],
  ['status 400', () => Object.assign(new Error('bad'), { status: 400 })],
  ['status 401', () => Object.assign(new Error('bad'), { statusCode: 401 })],
  ['invalid_grant', () => new Error('{"error":"invalid_grant"}')],
]
for (const [name, thrown] of refusals) {
  verifies(
    'P16',
    `a refused refresh (${name}) is auth.expired, also while the token lasts, and the file stays as it is`,
    async () => {
      const file = join(folder, `${name.replaceAll(' ', '-')}.json`)
      await credentialFile(file).change('openai', () => ({ oauth: login(minute) }))
      const before = readFileSync(file, 'utf8')
      const refuse = async (): Promise<OAuth> => {
        throw thrown()
      }
      const { models, used } = placeOf(login(0), refuse, { store: credentialFile(file) })
      await expect(models.connect(ref)).rejects.toMatchObject({
        code: 'auth.expired',
        message: expect.stringContaining('Auth failed for openai-codex'),
      })
      expect([readFileSync(file, 'utf8'), used]).toEqual([before, []])
      expect(existsSync(`${file}.lock`)).toBe(false)
    },
  )
}

const unreachable: readonly (readonly [string, () => unknown])[] = [
  ['fetch failed', () => new TypeError('fetch failed')],
  ['status 503', () => Object.assign(new Error('busy'), { status: 503 })],
  ['status 429', () => Object.assign(new Error('busy'), { status: 429 })],
  ['something unknown', () => 'odd'],
]
for (const [name, thrown] of unreachable) {
  verifies('P16', `an unreachable one (${name}) is auth.refresh_failed, but a token that lasts is used`, async () => {
    const fail = async (): Promise<OAuth> => {
      throw thrown()
    }
    const lasting = placeOf(login(1), fail)
    await lasting.models.connect(ref)
    expect(lasting.used).toEqual(['at'])
    await expect(placeOf(login(0), fail).models.connect(ref)).rejects.toMatchObject({
      code: 'auth.refresh_failed',
      retryable: true,
      details: { provider: 'openai-codex' },
    })
  })
}

verifies(
  'P16',
  'a refresh that never answers fails before the lock can become stale, and one that answers nothing fails',
  async () => {
    const timers = manualTimers()
    let told: AbortSignal | undefined
    const { models } = placeOf(login(0), (_oauth, signal) => ((told = signal), new Promise<never>(() => {})), { timers })
    const connecting = models.connect(ref)
    await expect.poll(() => timers.count).toBe(1)
    timers.ring(refreshLimits.refreshMs)
    await expect(connecting).rejects.toMatchObject({ code: 'auth.refresh_failed' })
    expect(told?.aborted).toBe(true)
    for (const answer of [
      undefined,
      {},
      { accessToken: ' ', refreshToken: 'r', expiresAt: 1 },
      { accessToken: 'a', expiresAt: NaN },
    ])
      await expect(placeOf(login(0), async () => answer as OAuth).models.connect(ref)).rejects.toMatchObject({
        code: 'auth.refresh_failed',
      })
  },
)

it('a provider that gives no new refresh token keeps the old one', async () => {
  const store = memoryCredentials({ openai: { oauth: login(0) } })
  const { models } = placeOf(login(0), async () => ({ accessToken: 'new', expiresAt: now + 60 * minute }) as OAuth, { store })
  await models.connect(ref)
  expect(await store.get('openai')).toEqual({ oauth: { ...login(60 * minute, 'new'), refreshToken: 'r-at' } })
})

verifies('P12', 'tokens that a refresh repeats in its failure are not in the error', async () => {
  const { models } = placeOf(login(0, 'secret-token'), async oauth => {
    throw new Error(`cannot use ${oauth.refreshToken} of ${oauth.accessToken}`)
  })
  const error: unknown = await models.connect(ref).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'auth.refresh_failed' })
  expect((error as Error).cause).toBeUndefined()
  expect(`${String(error)} ${(error as Error).stack}`).not.toContain('secret-token')
})

verifies('P33', 'a refresh runs under the file lock', async () => {
  const file = join(folder, 'locked.json')
  await credentialFile(file).change('openai', () => ({ oauth: login(0) }))
  const seen: boolean[] = []
  const refresh = async (): Promise<OAuth> => {
    seen.push(existsSync(`${file}.lock`))
    return login(60 * minute, 'new')
  }
  const { models, used } = placeOf(login(0), refresh, { store: credentialFile(file) })
  await models.connect(ref)
  expect([seen, used, existsSync(`${file}.lock`)]).toEqual([[true], ['new'], false])
})

verifies(
  'P33',
  'without a refresh a token is used to its last moment and is auth.expired from then on, which a check tells',
  async () => {
    const lasting = placeOf(login(1), undefined)
    await lasting.models.connect(ref)
    expect((await lasting.models.check(ref)).problem).toBeNull()
    const over = placeOf(login(0), undefined)
    await expect(over.models.connect(ref)).rejects.toMatchObject({ code: 'auth.expired' })
    expect((await over.models.check(ref)).problem?.code).toBe('auth.expired')
    expect(over.used).toEqual([])
  },
)

verifies('P32', 'nothing is refreshed for a provider without a connector', async () => {
  const store = memoryCredentials({ 'kimi-code': { oauth: login(0) } })
  const before = await store.get('kimi-code')
  const touched = { ...store, change: async () => expect.unreachable() }
  await expect(createModels({ store: touched }).connect('kimi')).rejects.toMatchObject({ code: 'model.provider_missing' })
  expect(await store.get('kimi-code')).toEqual(before)
})

it('a long run outlives its token: each request looks at the login, and another process may have renewed it', async () => {
  const clock = manualClock(now)
  const store = memoryCredentials({ openai: { oauth: login(60 * minute) } })
  const refresh = async (): Promise<OAuth> => ({ ...login(0, 'renewed'), expiresAt: clock.now() + 60 * minute })
  const { models, used } = placeOf(login(0), refresh, { clock, store })
  const model = await models.connect(ref)
  await ask(model)
  clock.advance(56 * minute)
  expect(await ask(model)).toContainEqual(expect.objectContaining({ text: 'with renewed' }))
  const theirs: StoredCredential = { oauth: { ...login(0, 'theirs'), expiresAt: clock.now() + 60 * minute } }
  await store.change('openai', () => theirs)
  expect(await ask(model)).toContainEqual(expect.objectContaining({ text: 'with theirs' }))
  expect(used).toEqual(['at', 'renewed', 'theirs'])
  await store.change('openai', () => null)
  expect((await ask(model)).at(-1)).toMatchObject({ type: 'failed', error: { code: 'auth.missing' } })
})
