import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SkeinError } from '#kernel'
import { memoryCredentials, scriptedModel, type ScriptedModel } from '#models'
import { createHandler } from '#server'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { afterEach, describe, expect } from 'vitest'
import { verifies } from '#verifies'

const folder = mkdtempSync(join(tmpdir(), 'skein-models-'))
const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  opened.push(skein)
  return skein
}

const usage = { inputTokens: 1_000, outputTokens: 0, cacheReadTokens: 0 }
const oauth = { accessToken: 'at', refreshToken: 'rt', expiresAt: 9e12 }

describe("a session's model", () => {
  verifies(
    'P10',
    'set while a run goes on is journaled and holds from the next run on, which takes its route and price',
    async () => {
      const skein = await open({
        models: { store: memoryCredentials({ openai: { oauth } }) },
        env: { ANTHROPIC_API_KEY: 'sk-ant-1' },
      })
      const gate = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      const claude = scriptedModel([
        { calls: [{ tool: 'note' }], usage },
        { text: 'done', usage },
      ])
      const codex = scriptedModel([{ text: 'hello', usage }])
      skein.models.register({ provider: 'anthropic', connect: () => claude }, { replace: true })
      skein.models.register({ provider: 'openai-codex', connect: () => codex })
      const note = {
        name: 'note',
        description: 'Notes.',
        input: { type: 'object' },
        readOnly: true,
        run: async () => {
          begun.resolve()
          await gate.promise
          return 'noted'
        },
      } as const
      const session = await skein.sessions.create({ model: 'opus', tools: [note] })
      const run = session.send('Hi')
      await begun.promise
      await session.setModel('gpt-5.4')
      gate.resolve()
      expect(await run.result()).toMatchObject({ status: 'done', steps: 2, cost: 10_000_000 })
      expect([claude.requests.length, codex.requests.length]).toEqual([2, 0])
      expect(await session.send('Again').result()).toMatchObject({ status: 'done', text: 'hello', cost: 0 })
      const models = async (type: string): Promise<unknown[]> =>
        (await session.entries()).filter(entry => entry.type === type).map(entry => (entry.data as { model: unknown }).model)
      expect(await models('model_changed')).toContain('gpt-5.4')
      expect(await models('run_started')).toEqual(['anthropic/claude-opus-4-6', 'openai-codex/gpt-5.4'])
      expect(await models('usage_recorded')).toEqual([
        'anthropic/claude-opus-4-6',
        'anthropic/claude-opus-4-6',
        'openai-codex/gpt-5.4',
      ])
    },
  )

  verifies(
    'P24',
    'is recorded with what was paid by which rates, so that another price table changes nothing of it',
    async () => {
      const skein = await open({
        models: { store: memoryCredentials({ openai: { oauth } }) },
        env: { ANTHROPIC_API_KEY: 'sk-ant-1' },
      })
      for (const provider of ['anthropic', 'openai-codex'])
        skein.models.register({ provider, connect: () => scriptedModel([{ text: 'ok', usage }]) }, { replace: true })
      const session = await skein.sessions.create({ model: 'opus' })
      await session.send('Hi').result()
      await session.setModel('gpt-5.4')
      await session.send('Again').result()
      const used = (await session.entries()).filter(entry => entry.type === 'usage_recorded').map(entry => entry.data)
      expect(used).toMatchObject([
        {
          cost: 5_000_000,
          costParts: { input: 5_000_000, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 },
          rates: { input: 5_000_000_000, output: 25_000_000_000, cacheWrite1h: 10_000_000_000 },
        },
        { cost: 0, billing: 'subscription', listNano: 2_500_000, rates: { input: 2_500_000_000 } },
      ])
      expect(used[0]).not.toHaveProperty('billing')
    },
  )

  verifies('P17', 'without a credential refuses a send, and nothing else: the journal is as it was', async () => {
    const skein = await open()
    const session = await skein.sessions.create({ model: 'groq/llama-3.3-70b-versatile' })
    await session.record({ user: 'Hi', assistant: 'Hello' })
    expect((await session.context()).messages).toHaveLength(2)
    const before = await session.entries()
    const run = session.send('Go on')
    const refusal = { code: 'auth.missing', message: expect.stringContaining('Auth failed for groq') }
    await expect(run.receipt).rejects.toMatchObject(refusal)
    await expect(run.result()).rejects.toMatchObject(refusal)
    expect(await session.entries()).toEqual(before)
  })
})

describe('a provider that fails', () => {
  const busy = (details = {}) => new SkeinError('provider.unavailable', 'busy', { details: { status: 429, ...details } })
  /** Waits are over as soon as they begin; those of a lease are not. */
  const timers = {
    waits: [] as number[],
    after(ms: number, run: () => void) {
      if (ms < 1_000 || ms > 45_000 || ms === 5_000) return () => undefined
      timers.waits.push(ms)
      const timer = setImmediate(run)
      return () => clearImmediate(timer)
    },
  }
  const run = async (model: ScriptedModel) => {
    const session = await (await open({ timers })).sessions.create({ modelOverride: model })
    return { session, result: await session.send('Hi').result() }
  }

  verifies('P28', 'for a moment is asked again: 429, 429, success is one answer', async () => {
    const model = scriptedModel([{ failure: busy() }, { failure: busy() }, 'here'])
    const { session, result } = await run(model)
    expect(result).toMatchObject({ status: 'done', text: 'here', steps: 1 })
    expect(model.requests).toHaveLength(3)
    expect((await session.messages()).map(({ role }) => role)).toEqual(['user', 'assistant'])
  })

  verifies('P28', 'for good is asked once: a refused key, and a Retry-After of a minute', async () => {
    const refused = scriptedModel([{ failure: new SkeinError('auth.rejected', 'no') }, 'never'])
    expect((await run(refused)).result).toMatchObject({ status: 'failed', reason: 'auth_failed' })
    const later = scriptedModel([{ failure: busy({ retryAfterMs: 60_000 }) }, 'never'])
    expect((await run(later)).result).toMatchObject({ status: 'failed', reason: 'provider_error' })
    expect([refused.requests.length, later.requests.length]).toEqual([1, 1])
  })

  verifies('P29', 'after it had begun to answer gets two more attempts, none of which sees what was cut', async () => {
    const model = scriptedModel([
      { text: 'first half', cut: true },
      { text: 'second half', cut: true },
      { text: 'third half', cut: true },
      'never',
    ])
    const { session, result } = await run(model)
    expect(result).toMatchObject({ status: 'failed', reason: 'truncated' })
    expect(model.requests).toHaveLength(3)
    for (const request of model.requests) expect(JSON.stringify(request.messages)).not.toContain('half')
    expect(JSON.stringify((await session.context()).messages)).not.toContain('half')
    expect(JSON.stringify(await session.entries())).toContain('third half')
  })
})

describe('a key that was given to this process', () => {
  const secret = 'sk-live-0123456789abcdef'

  verifies('P12', 'is in no file, entry, event, log, error or answer, whatever a provider says', async () => {
    const place = mkdtempSync(join(tmpdir(), 'skein-secret-'))
    const told: unknown[] = []
    try {
      const skein = await open({
        store: `sqlite:${join(place, 'skein.db')}`,
        credentials: join(place, 'credentials.json'),
        onNotice: notice => void told.push(notice),
        logger: { log: line => void told.push(line) },
      })
      const failures = [
        new SkeinError('auth.rejected', `Incorrect key ${secret}.`, {
          details: { status: 401, headers: { authorization: [`Bearer ${secret}`] } },
          cause: new Error(secret),
        }),
        new SkeinError('provider.rejected', `No: ${secret}`, { details: { [secret]: true } }),
      ]
      let made = 0
      skein.models.register(
        {
          provider: 'openai',
          connect() {
            if (made++ === 2) throw new Error(`cannot use ${secret}`)
            return {
              provider: 'openai',
              modelId: 'gpt-5.4',
              async *stream() {
                const failure = failures.shift()
                if (failure === undefined) throw new Error(`broke with ${secret}`)
                yield { type: 'failed', error: failure }
              },
            }
          },
        },
        { replace: true },
      )
      skein.models.credentials.setRuntime('openai', ` ${secret} `)
      await skein.models.credentials.set('groq', { apiKey: 'kept-key-of-groq' })
      const session = await skein.sessions.create({ model: 'gpt5' })
      for (let turn = 0; turn < 4; turn++) {
        const run = session.send('Hi')
        const result = await run.result().catch((error: unknown) => error)
        expect(result).toMatchObject(turn === 2 ? { code: 'provider.rejected' } : { status: 'failed' })
        told.push(result, (result as Error).stack, (result as Error).cause)
        if (turn !== 2) for await (const event of run) told.push(event)
      }
      const direct = await skein.models.connect('gpt5', { apiKey: secret })
      for await (const event of direct.stream({ messages: [], tools: [] }, new AbortController().signal))
        told.push(
          event,
          event.type === 'failed' && [event.error.message, event.error.details, event.error.cause, event.error.stack],
        )
      const http = createHandler(skein, { logger: { log: line => void told.push(line) } })
      for (const path of ['credentials', 'models/check?ref=gpt5', `sessions/${session.id}/messages`, 'metrics']) {
        const answer = await http(new Request(`http://127.0.0.1/v1/${path}`, { headers: { host: '127.0.0.1' } }))
        told.push(path, answer.status, await answer.text())
      }
      expect(told).toContain(
        '{"items":[{"provider":"openai","kind":"apiKey","source":"runtime"},{"provider":"groq","kind":"apiKey","source":"stored"}]}',
      )
      told.push(await session.entries(), await session.export('messages'), await skein.models.check('gpt5'))
      for await (const line of session.exportLines('skein')) told.push(line)
      const text = JSON.stringify(told)
      expect(text).toContain('[REDACTED]')
      expect(text).not.toContain(secret)
      expect(text).not.toContain('kept-key-of-groq')
      await opened.splice(0)[0]?.close()
      const files = readdirSync(place)
      expect(files).toContain('skein.db')
      for (const name of files) expect(readFileSync(join(place, name)).includes(secret), name).toBe(false)
    } finally {
      rmSync(place, { recursive: true, force: true })
    }
  })
})
