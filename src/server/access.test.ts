import { describe, expect, it } from 'vitest'
import { manualClock, systemRandom } from '#kernel'
import { memoryStore } from '#journal'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { createHandler, type LogLine, newAccessToken, serve, type ServerOptions } from './index.ts'

const secrets = { reader: 'reader-secret-1', writer: 'writer-secret-1', admin: 'admin-secret-11', other: 'other-secret-11' }
const tokens = [
  { name: 'r', secret: secrets.reader, scopes: ['read'] },
  { name: 'w', secret: secrets.writer },
  { name: 'a', secret: secrets.admin, scopes: ['admin'] },
  { name: 'o', secret: secrets.other, tenant: 'other', scopes: ['admin'] },
] as const

const open = async (options: ServerOptions = {}) => {
  const skein = await openSkein({ store: 'memory:', worker: false })
  const handler = createHandler(skein, options)
  const ask = async (
    method: string,
    path: string,
    { token, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
  ) =>
    await handler(
      new Request(`http://localhost${path}`, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    )
  return { skein, ask, [Symbol.asyncDispose]: () => skein.close() }
}
const codeOf = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code

describe('with tokens', () => {
  verifies('H7', 'missing and wrong tokens get the same 401, and a read token that writes gets 403', async () => {
    await using server = await open({ tokens })
    const bodies = new Set<string>()
    for (const authorization of [
      undefined,
      '',
      'Bearer',
      'Bearer wrong',
      `Bearer skn_${'a'.repeat(43)}`,
      `Basic ${secrets.reader}`,
      secrets.reader,
    ]) {
      const response = await server.ask('GET', '/v1/sessions', {
        headers: { 'x-request-id': 'same', ...(authorization === undefined ? {} : { authorization }) },
      })
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      bodies.add(await response.text())
    }
    expect([...bodies]).toHaveLength(1)
    expect((await server.ask('GET', '/v1/sessions', { token: secrets.reader })).status).toBe(200)
    const denied = await server.ask('POST', '/v1/sessions', { token: secrets.reader, body: {} })
    expect([denied.status, await codeOf(denied)]).toEqual([403, 'auth.denied'])
    expect(
      ((await (await server.ask('GET', '/v1/sessions', { token: secrets.reader })).json()) as { items: unknown[] }).items,
    ).toEqual([])
    expect((await server.ask('POST', '/v1/sessions', { token: secrets.writer, body: {} })).status).toBe(201)
  })

  it('erasing, evicting and metrics need admin, hiding does not; reading a context with an input is reading', async () => {
    await using server = await open({ tokens })
    const { id } = (await (await server.ask('POST', '/v1/sessions', { token: secrets.writer, body: {} })).json()) as {
      id: string
    }
    const status = async (method: string, path: string, token: string, body?: unknown) =>
      (await server.ask(method, path, { token, body })).status
    expect(await status('POST', `/v1/sessions/${id}/context`, secrets.reader, { input: 'hi' })).toBe(200)
    expect(await status('GET', '/metrics', secrets.writer)).toBe(403)
    expect(await status('GET', '/metrics', secrets.admin)).toBe(200)
    expect(await status('GET', '/v1/credentials', secrets.writer)).toBe(403)
    expect(await status('POST', '/v1/sessions/evict', secrets.writer, { id })).toBe(403)
    expect(await status('DELETE', `/v1/sessions/${id}?erase=true`, secrets.writer)).toBe(403)
    expect(await status('DELETE', `/v1/sessions/${id}`, secrets.writer)).toBe(200)
    expect(await status('POST', `/v1/sessions/${id}/restore`, secrets.writer)).toBe(200)
    expect(await status('DELETE', `/v1/sessions/${id}?erase=true`, secrets.admin)).toBe(200)
  })

  verifies('S18', 'another tenant sees of an id what an unknown id gives, whatever it asks', async () => {
    await using server = await open({ tokens })
    const body = { id: 'shared-name', title: 'secret plans' }
    const { id } = (await (await server.ask('POST', '/v1/sessions', { token: secrets.writer, body })).json()) as { id: string }
    const big = { messages: [{ role: 'user', content: `needle ${'x'.repeat(5_000)}` }] }
    const added = (await (
      await server.ask('POST', `/v1/sessions/${id}/append`, { token: secrets.writer, body: big })
    ).json()) as { entries: { id: string }[] }
    const entry = added.entries[0]?.id ?? ''
    const stub = (await (
      await server.ask('GET', `/v1/sessions/${id}/messages?parts=stub`, { token: secrets.writer })
    ).json()) as { items: { parts: { blob: string }[] }[] }
    const blob = stub.items[0]?.parts[0]?.blob ?? ''
    expect((await server.ask('GET', `/v1/sessions/${id}/blobs/${blob}`, { token: secrets.writer })).status).toBe(200)
    const unknown = 'ses_01HF7YAT000000000000000000'
    const asked: (readonly [string, string, unknown?])[] = [
      ['GET', ''],
      ['PATCH', '', { title: 'mine' }],
      ['DELETE', ''],
      ['DELETE', '?erase=true'],
      ['POST', '/append', { messages: [{ role: 'user', content: 'x' }] }],
      ['POST', '/record', { user: 'a', assistant: 'b' }],
      ['POST', '/fork', {}],
      ['POST', '/move-to', { entryId: entry }],
      ['POST', '/label', { entryId: entry, text: 'x' }],
      ['POST', '/hold', { reason: 'x' }],
      ['POST', '/end', {}],
      ['POST', '/restore', {}],
      ['POST', '/inputs', { input: 'x' }],
      ['POST', '/cancel', {}],
      ['PUT', '/model', { model: 'demo/echo' }],
      ...[
        '/messages',
        '/conversation',
        '/entries',
        `/entries/${entry}`,
        '/tree',
        '/usage',
        '/search?query=needle',
        '/export',
        '/context',
        '/events',
        `/blobs/${blob}`,
      ].map(path => ['GET', path] as const),
    ]
    for (const [method, path, given] of asked) {
      const seen = async (ref: string) => {
        const response = await server.ask(method, `/v1/sessions/${ref}${path}`, {
          token: secrets.other,
          body: given,
          headers: { 'x-request-id': 'same' },
        })
        return [response.status, (await response.text()).replaceAll(ref, 'ID')]
      }
      expect(await seen(id), `${method} ${path}`).toEqual(await seen(unknown))
      expect(await seen('shared-name'), `${method} ${path}`).toEqual(await seen('other-name'))
    }
    for (const path of ['/v1/sessions', '/v1/sessions/latest', '/v1/sessions/search?query=needle', `/v1/sessions?query=${id}`]) {
      expect(await (await server.ask('GET', path, { token: secrets.other })).text(), path).toMatch(
        /^(\{"items":\[\]\}|null|\{"hits":\[\]\})$/,
      )
    }
    const bundle = await (await server.ask('GET', `/v1/sessions/${id}/export`, { token: secrets.writer })).text()
    const over = await server.skein.in('other').sessions.import('skein', bundle)
    expect(over.created).toBe(true)
    expect(
      ((await (await server.ask('GET', `/v1/sessions/${id}`, { token: secrets.writer })).json()) as { title: string }).title,
    ).toBe('secret plans')
  })

  it('a stored token works at once, in its tenant and scopes, and closes a server that had none', async () => {
    const clock = manualClock()
    await using server = await open({ clock })
    expect((await server.ask('GET', '/v1/sessions')).status).toBe(200)
    const made = await newAccessToken(
      server.skein.store,
      { name: 'ci', tenant: 'acme', scopes: ['write'] },
      { clock, random: systemRandom },
    )
    clock.advance(1_000)
    expect((await server.ask('GET', '/v1/sessions')).status).toBe(401)
    const info = (await (await server.ask('POST', '/v1/sessions', { token: made.token, body: {} })).json()) as { tenant: string }
    expect(info.tenant).toBe('acme')
    expect((await server.ask('GET', '/metrics', { token: made.token })).status).toBe(403)
  })

  verifies('H23', 'a token shows in no log, error, export or metric', async () => {
    const lines: LogLine[] = []
    await using server = await open({ tokens, logger: { log: line => lines.push(line) } })
    const made = await newAccessToken(
      server.skein.store,
      { name: 'ci', tenant: 'default', scopes: ['admin'] },
      { clock: manualClock(), random: systemRandom },
    )
    const shown: string[] = []
    for (const token of [made.token, secrets.admin]) {
      const { id } = (await (await server.ask('POST', '/v1/sessions', { token, body: {} })).json()) as { id: string }
      for (const path of ['', '/messages', '/export', '/nothing', `/messages?limit=${token}`, '?token=1', '/blobs/x']) {
        const response = await server.ask('GET', `/v1/sessions/${id}${path.replace(token, 'x')}`, {
          token,
          headers: { 'last-event-id': 'x' },
        })
        shown.push(await response.text(), JSON.stringify([...response.headers]))
      }
      shown.push(
        await (await server.ask('GET', '/metrics', { token })).text(),
        await (await server.ask('GET', '/openapi.json', { token })).text(),
      )
      shown.push(await (await server.ask('GET', '/v1/sessions', { token: `${token}x` })).text())
    }
    const all = shown.join('\n') + JSON.stringify(lines)
    for (const secret of [made.token, ...Object.values(secrets)]) expect(all.includes(secret)).toBe(false)
    expect(lines.length).toBeGreaterThan(10)
  })
})

describe('without tokens', () => {
  verifies('H8', 'only loopback is listened to, and a foreign Host or page gets 403', async () => {
    await using server = await open()
    for (const host of ['evil.test', 'localhost.evil.test', '10.0.0.1:7544', '127.0.0.1.evil.test', '']) {
      const response = await server.ask('GET', '/v1/sessions', { headers: { host } })
      expect([host, response.status]).toEqual([host, 403])
    }
    for (const host of ['localhost', 'localhost:7544', '127.0.0.1:1', '127.1.2.3', '[::1]:7544'])
      expect((await server.ask('GET', '/v1/sessions', { headers: { host } })).status, host).toBe(200)
    expect((await server.ask('POST', '/v1/sessions', { headers: { origin: 'https://evil.test' } })).status).toBe(403)
    expect((await server.ask('POST', '/v1/sessions', { headers: { origin: 'http://localhost' } })).status).toBe(201)
    for (const host of ['0.0.0.0', '::', '192.168.1.5']) {
      await expect(serve(server.skein, { host, port: 0 })).rejects.toMatchObject({ code: 'config.invalid' })
    }
    await using open0 = await serve(server.skein, { host: '0.0.0.0', port: 0, tokens })
    expect((await fetch(`http://127.0.0.1:${open0.port}/v1/sessions`)).status).toBe(401)
  })

  it('the tenant is default', async () => {
    await using server = await open()
    expect(((await (await server.ask('POST', '/v1/sessions', { body: {} })).json()) as { tenant: string }).tenant).toBe('default')
  })

  it('options that cannot be are config.invalid', async () => {
    const skein = await openSkein({ store: memoryStore(), worker: false })
    for (const options of [
      { port: -1 },
      { requestMs: 0 },
      { origins: ['https://a.test/'] },
      { rate: { perSecond: 0, burst: 1 } },
      { tokens: [{ name: 'x', secret: 'short' }] },
      { tokens: [{ name: 'x', secret: 'long-enough', tenant: '_' }] },
    ]) {
      expect(() => createHandler(skein, options as ServerOptions), JSON.stringify(options)).toThrow(
        expect.objectContaining({ category: 'input' }) as Error,
      )
    }
    await skein.close()
  })
})
