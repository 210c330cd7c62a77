import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { hmacSha256 } from '#kernel'
import { createHandler } from '#server'
import type { SkeinOptions } from '#skein'
import { terminalAdapter, webhookAdapter } from '#gateway'
import { adapterContract } from '#testing'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'
import { codeOf } from './agent-talk.ts'
import { freshFolder, memoryPlace } from './stores.ts'

const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const secret = 'a secret of many characters'
const sign = (body: string, at: number, key = secret): string => {
  const seconds = Math.floor(at / 1_000)
  return `t=${seconds},v1=${hmacSha256(key, `${seconds}.${body}`)}`
}

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server on loopback that takes replies, and answers with what it is told to. */
async function receiver(statusOf: (nth: number) => number = () => 200): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    request.on('end', () => {
      received.push({ headers: request.headers, body })
      response.writeHead(statusOf(received.length)).end('{}')
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/reply`, received }
}

type Gateway = NonNullable<SkeinOptions['gateway']>

describe('what is delivered to local', () => {
  verifies('G79', 'is a file there whole, for its owner, whatever anybody wrote', async () => {
    const at = await memoryPlace()
    const folder = join(freshFolder(), 'a', 'output')
    const gateway: Gateway = { outputDir: folder, platforms: { slack: {}, telegram: { home: { chatId: 'H', threadId: '7' } } } }
    const skein = await at.open({ worker: true, gateway })
    const deliver = skein.gateway.deliver.bind(skein.gateway)
    expect(await deliver('local', 'plain')).toEqual({ id: expect.stringMatching(/^out_/), to: 'local' })
    expect(await deliver('origin', 'no origin')).toMatchObject({ to: 'local', instead: 'no_origin' })
    expect(await deliver('nowhere:..%2F..%2Fetc', 'unknown')).toMatchObject({ to: 'local', instead: 'unknown_platform' })
    expect(await deliver('origin', 'typed', { origin: { platform: 'local', chatId: 'cli' } })).toMatchObject({ to: 'local' })
    expect(await deliver('file:../../x', 'a name')).toMatchObject({ to: 'local', instead: 'unknown_platform' })
    await skein.in('other').gateway.deliver('local', 'of another')
    const texts = async (of: string): Promise<string[]> => {
      const names = (await readdir(of).catch(() => [] as string[])).filter(name => name.endsWith('.md'))
      return (await Promise.all(names.map(name => readFile(join(of, name), 'utf8')))).sort()
    }
    await expect.poll(() => texts(folder)).toEqual(['a name\n', 'no origin\n', 'plain\n', 'typed\n', 'unknown\n'])
    await expect.poll(() => texts(join(folder, '@other'))).toEqual(['of another\n'])
    expect((await readdir(join(folder, '..'))).sort()).toEqual(['output'])
    for (const name of (await readdir(folder)).filter(one => one.endsWith('.md')))
      expect((await lstat(join(folder, name))).mode & 0o777).toBe(0o600)
    expect(await deliver('slack:C123ABC', 'x')).toMatchObject({ to: 'slack:C123ABC' })
    expect(await deliver('Telegram', 'x')).toMatchObject({ to: 'telegram:H:7' })
    expect(await codeOf(deliver('slack', 'x'))).toBe('target.invalid')
    expect(await codeOf(deliver('local', ' '))).toBe('input.invalid')
  })

  verifies('G79', 'follows no link that stands in its way', async () => {
    const at = await memoryPlace()
    const root = freshFolder()
    const folder = join(root, 'output')
    await mkdir(folder)
    await writeFile(join(root, 'victim'), 'untouched')
    const skein = await at.open({ gateway: { outputDir: folder } })
    const { id } = await skein.gateway.deliver('local', 'new')
    const name = `${new Date(at.clock.now()).toISOString().replaceAll(':', '-')}-${id}.md`
    await symlink(join(root, 'victim'), join(folder, `${name}.part`))
    await symlink(join(root, 'victim'), join(folder, name))
    await skein.gateway.start({ adapters: [] })
    await expect.poll(async () => await readFile(join(folder, name), 'utf8')).toBe('new\n')
    expect(await readFile(join(root, 'victim'), 'utf8')).toBe('untouched')
    expect(await readdir(folder)).toEqual([name])
  })
})

describe('webhooks', () => {
  const open = async (gateway: Gateway = { platforms: { webhook: { allow: 'all' } } }, replies?: string) => {
    const at = await memoryPlace()
    const skein = await at.open({ gateway })
    const hook = { secret, ...(replies === undefined ? {} : { replyUrl: replies }) }
    await skein.gateway.start({ adapters: [webhookAdapter({ hooks: { shop: hook } })] })
    const handle = createHandler(skein, { clock: at.clock })
    const post = async (
      body: string,
      signature: string | null = sign(body, at.clock.now()),
      name = 'shop',
    ): Promise<{
      status: number
      value: { error?: { code: string; details: Record<string, unknown> } } & Record<string, unknown>
    }> => {
      const headers = new Headers({ 'content-type': 'application/json', host: 'hooks.example' })
      if (signature !== null) headers.set('skein-signature', signature)
      const request = new Request(`http://hooks.example/v1/gateway/hooks/${name}`, { method: 'POST', headers, body })
      const response = await handle(request)
      return { status: response.status, value: (await response.json()) as never }
    }
    const rows = async (): Promise<number> => (await skein.gateway.inbox.list()).items.length
    return { at, skein, post, rows }
  }
  const message = (more: object = {}): string => JSON.stringify({ text: 'hello', chatId: 'c1', userId: 'u1', ...more })

  verifies('G81', 'that are not signed, too old, too long or no message store nothing', async () => {
    const { at, skein, post, rows } = await open()
    const now = at.clock.now()
    const body = message()
    for (const [status, text, signature] of [
      [401, body, null],
      [401, body, ''],
      [401, body, sign(body, now, 'another secret of many')],
      [401, body, sign(`${body} `, now)],
      [401, body, sign(body, now - 301_000)],
      [401, body, sign(body, now + 301_000)],
      [401, body, `${sign(body, now)},t=1`],
      [401, 'no json', sign('x', now)],
      [400, 'no json', undefined],
      [400, '[]', undefined],
      [400, '{"text":7}', undefined],
      [400, message({ chatId: {} }), undefined],
      [400, message({ internal: true }), undefined],
      [400, message({ platform: 'telegram' }), undefined],
      [413, JSON.stringify({ text: 'x'.repeat(1_048_576) }), undefined],
      [413, JSON.stringify({ text: 'x'.repeat(200_001) }), undefined],
    ] as const) {
      const answered = await post(text, signature)
      expect([text.slice(0, 40), signature, answered.status]).toEqual([text.slice(0, 40), signature, status])
    }
    expect((await post(body, sign(body, now), 'nobody')).status).toBe(404)
    expect(await rows()).toBe(0)
    expect((await skein.gateway.list()).items).toEqual([])
  })

  verifies('G81', 'are 202 with a receipt, and 200 with the same one when they come again', async () => {
    const { at, skein, post, rows } = await open()
    const body = message({ eventId: 'e1' })
    const first = await post(body, sign(body, at.clock.now() - 299_000))
    expect([first.status, first.value['status']]).toEqual([202, 'started'])
    const again = await post(body)
    expect([again.status, again.value]).toEqual([200, { ...first.value, duplicate: true }])
    expect(await rows()).toBe(1)
    expect((await skein.gateway.list()).items.map(({ key }) => key)).toEqual(['k1:main:webhook:dm:s=shop:c=c1'])
    expect((await post(message())).status).toBe(202)
    expect((await post(message())).status).toBe(202)
    await expect.poll(rows).toBe(3)
  })

  verifies('G81', 'that are refused say so, with the receipt', async () => {
    const { post, rows } = await open({})
    const { status, value } = await post(message())
    expect([status, value.error?.code]).toEqual([403, 'auth.denied'])
    expect(value.error?.details['receipt']).toMatchObject({ status: 'refused', reason: 'unauthorized' })
    expect(await rows()).toBe(1)
  })

  verifies('G81', 'are answered signed, with an idempotency key, as often as it takes; 410 is for ever', async () => {
    const flaky = await receiver(nth => (nth === 1 ? 500 : 200))
    const { at, skein, post } = await open(undefined, flaky.url)
    await post(message())
    await expect.poll(() => flaky.received.length).toBe(1)
    // The pause before the next attempt passes.
    const stateLater = async (): Promise<string | undefined> => {
      at.clock.advance(1_000)
      return (await skein.gateway.outbox.list()).items[0]?.state
    }
    await expect.poll(stateLater).toBe('delivered')
    const [one, two] = flaky.received as [Received, Received]
    expect(JSON.parse(two.body)).toMatchObject({ kind: 'answer', text: 'You said: hello', chatId: 'c1' })
    expect([one.body, one.headers['idempotency-key']]).toEqual([two.body, two.headers['idempotency-key']])
    const [, seconds = ''] = /^t=(\d+),/.exec(String(two.headers['skein-signature'])) ?? []
    expect(two.headers['skein-signature']).toBe(sign(two.body, Number(seconds) * 1_000))
    expect(Number(seconds) * 1_000).toBeGreaterThan(1_794_999_999_000)

    const gone = await receiver(() => 410)
    const other = await open(undefined, gone.url)
    await other.post(message())
    await expect.poll(async () => (await other.skein.gateway.outbox.list()).items[0]?.state).toBe('abandoned')
    expect([gone.received.length, (await other.skein.gateway.outbox.list()).items[0]?.reason]).toEqual([1, 'permanent'])
  })
})

/** Lines that come when a test says so. */
function typedLines(): { lines: AsyncIterable<string>; type(text: string): void; taken(): number } {
  const waiting: string[] = []
  let wake = (): void => undefined
  let taken = 0
  async function* read(): AsyncGenerator<string> {
    for (;;) {
      const line = waiting.shift()
      if (line === undefined) await new Promise<void>(resolve => (wake = resolve))
      else {
        yield line
        taken++
      }
    }
  }
  return {
    lines: read(),
    type: text => {
      waiting.push(text)
      wake()
    },
    taken: () => taken,
  }
}

adapterContract(
  'G82 · terminal',
  async () => {
    const { lines, type, taken } = typedLines()
    const sent: string[] = []
    let count = 0
    return {
      adapter: terminalAdapter({ lines, write: text => void sent.push(text) }),
      to: { platform: 'local', chatId: 'cli' },
      emit: async text => {
        const mine = ++count
        type(text)
        // The next line is asked for once the one before was taken.
        while (taken() < mine) await new Promise(resolve => setTimeout(resolve, 1))
      },
      sent: () => sent,
    }
  },
  { describe, it },
)

adapterContract(
  'G82 · webhook',
  async () => {
    const { url, received } = await receiver()
    const adapter = webhookAdapter({ hooks: { shop: { secret, replyUrl: url } } })
    return {
      adapter,
      to: { platform: 'webhook', chatId: 'c', scopeId: 'shop' },
      emit: async text => {
        const body = JSON.stringify({ text, chatId: 'c' })
        await adapter.receive('shop', { body, signature: sign(body, Date.now()) })
      },
      sent: () => received.map(({ body }) => (JSON.parse(body) as { text: string }).text),
    }
  },
  { describe, it },
)

describe('a terminal', () => {
  verifies('G82', 'speaks with a session of its own, line by line', async () => {
    const at = await memoryPlace()
    const skein = await at.open()
    const { lines, type } = typedLines()
    const shown: string[] = []
    await skein.gateway.start({ adapters: [terminalAdapter({ lines, write: text => void shown.push(text) })] })
    type('Hello')
    await expect.poll(() => shown).toEqual(['You said: Hello'])
    type('/status')
    await expect.poll(() => shown.length).toBe(2)
    expect((await skein.gateway.list()).items.map(({ key, legacyKey }) => [key, legacyKey])).toEqual([
      ['k1:main:local:dm:c=cli', 'agent:main:local:dm:cli'],
    ])
  })
})

describe('a hook that is asked too often', () => {
  verifies('G81', 'is 429 with the time to wait, whoever asks, and other hooks are not', async () => {
    const at = await memoryPlace()
    const skein = await at.open({ gateway: { platforms: { webhook: { allow: 'all' } } } })
    await skein.gateway.start({ adapters: [webhookAdapter({ hooks: { shop: { secret }, other: { secret } } })] })
    const handle = createHandler(skein, { clock: at.clock, hookRate: { perSecond: 0.5, burst: 2 } })
    const body = JSON.stringify({ text: 'hello', chatId: 'c1', userId: 'u1' })
    const ask = async (name: string, signature = sign(body, at.clock.now())): Promise<Response> =>
      await handle(
        new Request(`http://hooks.example/v1/gateway/hooks/${name}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', host: 'hooks.example', 'skein-signature': signature },
          body,
        }),
      )
    expect([(await ask('shop')).status, (await ask('shop', 't=1,v1=no')).status]).toEqual([202, 401])
    const refused = await ask('shop')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '2'])
    expect(await refused.json()).toMatchObject({ error: { code: 'rate.limited', details: { retryAfterMs: 2_000 } } })
    expect((await skein.gateway.inbox.list()).items).toHaveLength(1)
    expect((await ask('other')).status).toBe(202)
    at.clock.advance(2_000)
    expect((await ask('shop')).status).toBe(202)
    expect(() => createHandler(skein, { hookRate: { perSecond: 0, burst: 1 } })).toThrow('server.hookRate')
  })
})
