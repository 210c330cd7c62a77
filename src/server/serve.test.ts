import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { memoryStore, type Store } from '#journal'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { serve, type ServerOptions } from './index.ts'

const open = async (options: ServerOptions = {}, store: Store | string = 'memory:') => {
  const skein = await openSkein({ store, worker: false })
  const server = await serve(skein, { port: 0, ...options })
  const post = (path: string, body: unknown) =>
    fetch(server.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const metric = async (name: string) =>
    new RegExp(`^${name} (\\d+)$`, 'm').exec(await (await fetch(`${server.url}/metrics`)).text())?.[1]
  return { skein, server, post, metric, [Symbol.asyncDispose]: async () => (await server.close(), await skein.close()) }
}

/** A store whose commits wait until they are let go. */
function gatedStore() {
  const store = memoryStore()
  let open = Promise.resolve()
  let release = (): void => undefined
  let reached = (): void => undefined
  const gated: Store = {
    ...store,
    in: tenant => {
      const rows = store.in(tenant)
      return {
        ...rows,
        commit: async (changes, options) => {
          reached()
          await open
          return await rows.commit(changes, options)
        },
      }
    },
  }
  /** Closes the gate; resolves when somebody stands before it. */
  const close = (): Promise<void> => {
    open = new Promise(resolve => (release = resolve))
    return new Promise(resolve => (reached = resolve))
  }
  return { gated, close, release: () => release() }
}

const until = (holds: () => Promise<boolean>): Promise<void> => expect.poll(holds).toBe(true)

describe('over a real connection', () => {
  verifies('H3', 'a body that is sent in pieces is refused where it gets too long, and nothing is stored', async () => {
    await using given = await open({ maxBodyBytes: 100_000 })
    const { id } = (await (await given.post('/v1/sessions', {})).json()) as { id: string }
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(
        `${given.server.url}/v1/sessions/${id}/append`,
        { method: 'POST', headers: { 'content-type': 'application/json' } },
        response => {
          response.resume()
          resolve(response.statusCode)
          request.destroy()
        },
      )
      request.on('error', error => (request.destroyed ? undefined : reject(error)))
      request.write('{"messages":"')
      const more = (left: number): void => {
        if (request.destroyed || left === 0) return
        request.write('x'.repeat(20_000), () => more(left - 1))
      }
      more(50)
    })
    expect(status).toBe(413)
    expect(((await (await fetch(`${given.server.url}/v1/sessions/${id}`)).json()) as { seq: number }).seq).toBe(1)
  })

  it('a reader that goes away frees its stream, and a slow one holds nobody up', async () => {
    await using given = await open()
    const { id } = (await (await given.post('/v1/sessions', {})).json()) as { id: string }
    const { port } = given.server
    const slow = connect(port, '127.0.0.1')
    slow.write(`GET /v1/sessions/${id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    slow.pause()
    await until(async () => (await given.metric('skein_event_streams')) === '1')
    for (let n = 0; n < 200; n++)
      expect(
        (await given.post(`/v1/sessions/${id}/append`, { messages: { role: 'user', content: 'x'.repeat(50_000) } })).status,
      ).toBe(201)
    expect(await given.metric('skein_event_streams')).toBe('1')
    slow.destroy()
    await until(async () => (await given.metric('skein_event_streams')) === '0')
  })

  it('a port that is taken is config.invalid', async () => {
    await using given = await open()
    await expect(serve(given.skein, { port: given.server.port })).rejects.toMatchObject({ code: 'config.invalid' })
  })
})

describe('closing', () => {
  it('what is in flight is answered, who comes meanwhile is told, and closing again is the same', async () => {
    const gate = gatedStore()
    await using given = await open({}, gate.gated)
    const { id } = (await (await given.post('/v1/sessions', {})).json()) as { id: string }
    const waiting = gate.close()
    const append = given.post(`/v1/sessions/${id}/append`, { messages: { role: 'user', content: 'hi' } })
    await waiting
    const closing = given.server.close()
    const ready = await fetch(`${given.server.url}/ready`)
    const refused = await given.post('/v1/sessions', {})
    expect([ready.status, refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
      503,
      503,
      'server.stopping',
    ])
    gate.release()
    expect((await append).status).toBe(201)
    await Promise.all([closing, given.server.close()])
    await expect(fetch(given.server.url)).rejects.toThrow('fetch failed')
    expect((await (await given.skein.sessions.open(id)).info()).seq).toBe(2)
  })

  it('what outlives its time is cut', async () => {
    const gate = gatedStore()
    await using given = await open({ drainMs: 20 }, gate.gated)
    const { id } = (await (await given.post('/v1/sessions', {})).json()) as { id: string }
    const waiting = gate.close()
    const append = given.post(`/v1/sessions/${id}/append`, { messages: { role: 'user', content: 'hi' } }).then(
      response => response.status,
      () => 'cut',
    )
    await waiting
    await given.server.close()
    expect(await append).toBe('cut')
    gate.release()
  })
})
