import { describe, expect, it } from 'vitest'
import { memoryStore, type Store } from '#journal'
import { manualClock, manualTimers } from '#kernel'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { createFace } from './create-handler.ts'
import { createHandler, type LogLine, type ServerOptions } from './index.ts'

const open = async (options: ServerOptions = {}, store: Store | string = 'memory:') => {
  const skein = await openSkein({ store, worker: false })
  const handler = createHandler(skein, options)
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const json = body === undefined ? {} : { body: JSON.stringify(body) }
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    return await handler(new Request(`http://localhost${path}`, { method, headers: { ...type, ...headers }, ...json }))
  }
  return { skein, handler, ask, [Symbol.asyncDispose]: () => skein.close() }
}
const errorOf = async (response: Response) =>
  (
    (await response.json()) as {
      error: { code: string; details: { issues?: { path: string; message: string }[] }; requestId: string; message: string }
    }
  ).error
const created = async (ask: Awaited<ReturnType<typeof open>>['ask']) =>
  ((await (await ask('POST', '/v1/sessions', {})).json()) as { id: string }).id

describe('checking a request', () => {
  verifies(
    'H2',
    'unknown fields and parameters are 400 with every path, malformed ids 400, unknown ids 404, all with the request id',
    async () => {
      await using server = await open()
      const id = await created(server.ask)
      const cases = [
        ['POST', '/v1/sessions', { titel: 'x', tags: [1] }, 400, ['tags[0]', 'titel']],
        ['POST', '/v1/sessions', null, 400, ['body']],
        ['POST', `/v1/sessions/${id}/cancel`, null, 400, ['body']],
        ['PUT', `/v1/sessions/${id}/thinking`, { level: 'high' }, 400, ['thinking', 'level']],
        ['POST', `/v1/sessions/${id}/label`, { entryId: 'e', text: 3 }, 400, ['text']],
        ['POST', `/v1/sessions/${id}/append`, { messages: [], extra: { a: 1 } }, 400, ['extra']],
        ['GET', `/v1/sessions/${id}/messages?limt=3&befor=x`, undefined, 400, ['limt', 'befor']],
        ['GET', `/v1/sessions/${id}/messages?limit=1001`, undefined, 400, ['limit']],
        ['GET', `/v1/sessions/${id}/messages?limit=5&limit=6`, undefined, 400, ['limit']],
        ['GET', `/v1/sessions/${id}?verbose=true`, undefined, 400, ['verbose']],
        [
          'POST',
          `/v1/sessions/${id}/append`,
          { messages: [{ role: 'user', content: [{ type: 'text', text: 1 }] }] },
          400,
          ['messages[0].content[0].text'],
        ],
        ['GET', '/v1/sessions/ses_x', undefined, 400, ['id']],
        ['GET', '/v1/sessions/..%2Fa', undefined, 400, ['id']],
        ['GET', `/v1/sessions/${id}/entries/ent_1`, undefined, 400, ['entryId']],
        ['GET', '/v1/sessions/ses_01HF7YAT000000000000000000', undefined, 404, undefined],
        ['GET', '/v1/sessions/nobody', undefined, 404, undefined],
        ['GET', `/v1/sessions/${id}/entries/ent_01HF7YAT000000000000000000`, undefined, 404, undefined],
        ['GET', `/v1/sessions/${id}/runs/run_01HF7YAT000000000000000000`, undefined, 404, undefined],
      ] as const
      for (const [method, path, body, status, paths] of cases) {
        const response = await server.ask(method, path, body, { 'x-request-id': 'mine' })
        const error = await errorOf(response)
        expect({
          path,
          status: response.status,
          paths: error.details.issues?.map(issue => issue.path),
          id: error.requestId,
        }).toEqual({ path, status, paths, id: 'mine' })
      }
    },
  )

  it.each([
    ['/v1/sessions/first/inputs', {}, 'input: Missing; expected one of string, array, object.'],
    ['/v1/sessions/first/inputs', { input: 3 }, 'input: Expected one of string, array, object, received number.'],
    ['/v1/sessions/first/move-to', { to: 'x' }, 'entryId: Missing; expected string.'],
    ['/v1/sessions/first/hold', { reason: 7 }, 'reason: Expected string, received number.'],
    [
      '/v1/sessions/first/context',
      { format: 'x' },
      'format: Expected one of auto, skein, openai, openai-responses, anthropic, ai-sdk.',
    ],
  ])('to %s, %j is told as it is meant', async (path, body, message) => {
    await using server = await open()
    await server.ask('POST', '/v1/sessions', { id: 'first' })
    expect((await errorOf(await server.ask('POST', path, body))).message).toBe(message)
  })

  verifies('J2', 'a malformed id is refused before the store is asked, an unknown alias is session.not_found', async () => {
    const store = memoryStore()
    let reads = 0
    const counting: Store = {
      ...store,
      in: tenant => {
        const rows = store.in(tenant)
        return { ...rows, session: ref => (reads++, rows.session(ref)), record: rows.record.bind(rows) }
      },
    }
    await using server = await open({}, counting)
    for (const id of ['ses_x', 'ses_01hf7yat000000000000000000', `ses_01HF7YAT${'0'.repeat(17)}`, '..%2Fa']) {
      expect((await errorOf(await server.ask('GET', `/v1/sessions/${id}`))).code, id).toBe('input.invalid')
    }
    expect(reads).toBe(0)
    expect((await errorOf(await server.ask('GET', '/v1/sessions/nobody'))).code).toBe('session.not_found')
  })

  verifies('H3', 'a body of a byte too many is 413 before it is parsed, told or counted, and nothing is stored', async () => {
    const maxBodyBytes = 10 * 2 ** 20
    await using server = await open()
    const id = await created(server.ask)
    const tooLong = `{"messages":"${'x'.repeat(maxBodyBytes)}`
    const told = new Request(`http://localhost/v1/sessions/${id}/append`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': String(maxBodyBytes + 1) },
      body: '{}',
    })
    const counted = new Request(`http://localhost/v1/sessions/${id}/append`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([tooLong.slice(0, maxBodyBytes + 1)]).stream(),
      duplex: 'half',
    } as RequestInit)
    for (const request of [told, counted]) {
      const response = await server.handler(request)
      expect(response.status).toBe(413)
      expect((await errorOf(response)).code).toBe('input.too_large')
    }
    const fits = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(maxBodyBytes - 50) }] })
    expect((await server.ask('POST', `/v1/sessions/${id}/append`, JSON.parse(fits))).status).toBe(201)
    expect(((await (await server.ask('GET', `/v1/sessions/${id}`)).json()) as { seq: number }).seq).toBe(2)
  })

  it('broken JSON and broken UTF-8 are refused, never repaired', async () => {
    await using server = await open()
    const id = await created(server.ask)
    const send = (body: BodyInit) =>
      server.handler(
        new Request(`http://localhost/v1/sessions/${id}/append`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        }),
      )
    const broken = Buffer.concat([
      Buffer.from('{"messages":[{"role":"user","content":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}]}'),
    ])
    expect((await errorOf(await send(broken))).message).toContain('UTF-8')
    expect((await errorOf(await send('{"messages":'))).message).toContain('JSON')
    expect((await errorOf(await send('[]'))).code).toBe('input.invalid')
    expect((await errorOf(await send('{"__proto__":{},"messages":[]}'))).details.issues?.[0]?.path).toBe('__proto__')
    expect((await errorOf(await send('{"messages":[{"role":"custom","content":"x"}]}'))).code).toBe('input.invalid')
  })

  it('values pass through whole, keys such as __proto__ included', async () => {
    await using server = await open()
    const metadata = '{"a":{"__proto__":{"b":1}},"c":"\\ud800"}'
    const response = await server.handler(
      new Request('http://localhost/v1/sessions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"metadata":${metadata}}`,
      }),
    )
    expect(await response.text()).toContain(`"metadata":${metadata}`)
  })

  it('another media type, charset or encoding is 415; an empty body needs none', async () => {
    await using server = await open()
    const id = await created(server.ask)
    const send = (headers: Record<string, string>, body = '{}') =>
      server.handler(new Request(`http://localhost/v1/sessions/${id}/end`, { method: 'POST', headers, body }))
    for (const headers of [
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/json; charset=latin1' },
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    ]) {
      const response = await send(headers as Record<string, string>)
      expect([response.status, (await errorOf(response)).code]).toEqual([415, 'input.unsupported'])
    }
    expect((await send({ 'content-type': 'application/json; charset="UTF-8"' })).status).toBe(200)
    expect((await server.ask('POST', `/v1/sessions/${id}/reopen`)).status).toBe(200)
  })

  it('nesting beyond 128 is refused with its path', async () => {
    await using server = await open()
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const response = await server.handler(
      new Request('http://localhost/v1/sessions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"metadata":{"deep":${deep}}}`,
      }),
    )
    expect([response.status, (await errorOf(response)).code]).toEqual([400, 'input.invalid'])
  })
})

describe('answering', () => {
  it('every answer says nosniff, no-store and its request id; an unsafe one is replaced', async () => {
    await using server = await open()
    for (const path of ['/health', '/v1/sessions', '/nothing']) {
      const { headers } = await server.ask('GET', path, undefined, { 'x-request-id': 'a.b:c-1' })
      expect([headers.get('x-content-type-options'), headers.get('cache-control'), headers.get('x-request-id')]).toEqual([
        'nosniff',
        'no-store',
        'a.b:c-1',
      ])
    }
    for (const unsafe of ['a b', 'x'.repeat(129), '<script>']) {
      expect((await server.ask('GET', '/health', undefined, { 'x-request-id': unsafe })).headers.get('x-request-id')).toMatch(
        /^req_[0-9A-Z]{26}$/,
      )
    }
  })

  it('the request id is the trace id of what was written', async () => {
    await using server = await open()
    const id = await created(server.ask)
    await server.ask(
      'POST',
      `/v1/sessions/${id}/append`,
      { messages: { role: 'user', content: 'hi' } },
      { 'x-request-id': 'trace-7' },
    )
    const { items } = (await (await server.ask('GET', `/v1/sessions/${id}/entries?after=1`)).json()) as {
      items: { traceId: string }[]
    }
    expect(items.map(item => item.traceId)).toEqual(['trace-7'])
  })

  it('HEAD answers like GET without a body, and opens no stream', async () => {
    await using server = await open()
    const id = await created(server.ask)
    const response = await server.ask('HEAD', `/v1/sessions/${id}/events`)
    expect([response.status, response.headers.get('content-type'), response.body]).toEqual([200, 'text/event-stream', null])
    expect(await (await server.ask('GET', '/metrics')).text()).toContain('skein_event_streams 0')
  })

  verifies('H12', 'no origin is allowed but an exactly configured one', async () => {
    await using server = await open({ origins: ['https://app.example'] })
    const allowed = async (origin: string) =>
      (await server.ask('GET', '/health', undefined, { origin })).headers.get('access-control-allow-origin')
    expect(await allowed('https://app.example')).toBe('https://app.example')
    for (const other of ['https://app.example.evil.test', 'http://app.example', 'https://APP.example', 'null'])
      expect(await allowed(other)).toBeNull()
    const preflight = await server.ask('OPTIONS', '/v1/sessions', undefined, {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, 'https://app.example'])
    await using closed = await open()
    for (const path of ['/health', '/v1/sessions']) {
      const response = await closed.ask('GET', path, undefined, { origin: 'https://app.example' })
      expect([...response.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([])
    }
  })

  it('what breaks inside is 500 without its message, logged with its places alone', async () => {
    const store = memoryStore()
    const lines: LogLine[] = []
    const breaking: Store = {
      ...store,
      in: tenant => ({ ...store.in(tenant), sessions: () => Promise.reject(new TypeError('secret text of a person')) }),
    }
    await using server = await open({ logger: { log: line => lines.push(line) } }, breaking)
    const response = await server.ask('GET', '/v1/sessions')
    const text = await response.text()
    expect(response.status).toBe(500)
    expect(text).toContain('skein.bug')
    expect(text + JSON.stringify(lines)).not.toContain('secret text')
    expect(lines.map(line => line.event)).toEqual(['broken', 'request'])
  })
})

describe('time', () => {
  it('a request that takes too long is 504 server.timeout, and what was not taken yet writes nothing', async () => {
    const timers = manualTimers()
    const store = memoryStore()
    let release = (): void => undefined
    const held = new Promise<void>(resolve => (release = resolve))
    let reached = (): void => undefined
    const waiting = new Promise<void>(resolve => (reached = resolve))
    let tell = (_: string): void => undefined
    const outcome = new Promise<string>(resolve => (tell = resolve))
    let slow = false
    const late: Store = {
      ...store,
      in: tenant => {
        const rows = store.in(tenant)
        return {
          ...rows,
          commit: async (changes, options) => {
            if (!slow) return await rows.commit(changes, options)
            reached()
            await held
            const committed = rows.commit(changes, options)
            committed.then(
              () => tell('written'),
              () => tell('taken back'),
            )
            return await committed
          },
        }
      },
    }
    await using server = await open({ timers }, late)
    const id = await created(server.ask)
    slow = true
    const answer = server.ask('POST', `/v1/sessions/${id}/append`, { messages: { role: 'user', content: 'hi' } })
    await waiting
    timers.ring(30_000)
    const response = await answer
    expect([response.status, (await errorOf(response)).code]).toEqual([504, 'server.timeout'])
    release()
    expect(await outcome).toBe('taken back')
    expect(((await (await server.ask('GET', `/v1/sessions/${id}`)).json()) as { seq: number }).seq).toBe(1)
  })

  verifies('H9', 'over the rate is 429 with Retry-After, without effect, until the bucket fills', async () => {
    const clock = manualClock()
    await using server = await open({ rate: { perSecond: 0.5, burst: 2 }, clock })
    const id = await created(server.ask)
    expect((await server.ask('GET', `/v1/sessions/${id}`)).status).toBe(200)
    const refused = await server.ask('POST', `/v1/sessions/${id}/append`, { messages: { role: 'user', content: 'hi' } })
    expect([refused.status, refused.headers.get('retry-after'), (await errorOf(refused)).code]).toEqual([
      429,
      '2',
      'rate.limited',
    ])
    expect((await server.ask('GET', '/health')).status).toBe(200)
    clock.advance(2_000)
    const info = (await (await server.ask('GET', `/v1/sessions/${id}`)).json()) as { seq: number }
    expect(info.seq).toBe(1)
  })
})

describe('stopping', () => {
  verifies('H11', '/ready is 503 while stopping or without the store, /health stays 200', async () => {
    const store = memoryStore()
    let away = false
    const flaky: Store = {
      ...store,
      ping: () => (away ? Promise.reject(new Error('connect ECONNREFUSED 10.1.2.3')) : store.ping()),
    }
    await using skein = await openSkein({ store: flaky, worker: false })
    const face = createFace(skein)
    const status = async (path: string) => (await face.fetch(new Request(`http://localhost${path}`))).status
    expect([await status('/ready'), await status('/health')]).toEqual([200, 200])
    away = true
    const unready = await face.fetch(new Request('http://localhost/ready'))
    expect([unready.status, (await unready.text()).includes('10.1.2.3')]).toEqual([503, false])
    expect(await status('/health')).toBe(200)
    away = false
    await face.stop()
    expect([await status('/ready'), await status('/health'), await status('/v1/sessions')]).toEqual([503, 200, 503])
    const refused = await face.fetch(new Request('http://localhost/v1/sessions'))
    expect((await errorOf(refused)).code).toBe('server.stopping')
  })
})
