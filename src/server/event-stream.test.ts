import { describe, expect, it } from 'vitest'
import { manualTimers } from '#kernel'
import { memoryStore, type Store } from '#journal'
import type { SessionEvent } from '#session'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { createFace } from './create-handler.ts'
import { eventStream, frame } from './event-stream.ts'
import type { ServerOptions } from './index.ts'

/** Reads frames one by one; nothing is read that nobody asked for. */
function framesOf(body: ReadableStream<Uint8Array>) {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  const next = async (): Promise<string | undefined> => {
    for (;;) {
      const end = rest.indexOf('\n\n')
      if (end >= 0) {
        const found = rest.slice(0, end)
        rest = rest.slice(end + 2)
        return found
      }
      const { done, value } = await reader.read()
      if (done) return undefined
      rest += decoder.decode(value, { stream: true })
    }
  }
  return { next, cancel: () => reader.cancel() }
}
const idOf = (text: string | undefined) => /^id: (.*)$/m.exec(text ?? '')?.[1]
const live = (n: number) => ({ type: 'text_delta', after: 1, n, text: `t${n}` }) as unknown as SessionEvent

const open = async (options: ServerOptions = {}, store: Store | string = 'memory:') => {
  const skein = await openSkein({ store, worker: false })
  const face = createFace(skein, options)
  const get = (path: string, headers: Record<string, string> = {}) =>
    face.fetch(new Request(`http://localhost${path}`, { headers }))
  return { skein, face, get, [Symbol.asyncDispose]: () => skein.close() }
}

describe('an event stream', () => {
  it('begins with retry, names each event, and pings when there is nothing', async () => {
    const timers = manualTimers()
    let give = (_: IteratorResult<SessionEvent>): void => undefined
    let closed = 0
    const body = eventStream({
      frame,
      events: { next: () => new Promise<IteratorResult<SessionEvent>>(resolve => (give = resolve)) },
      timers, pingMs: 15_000, stopping: new AbortController().signal,
      alive: async () => undefined, ending: async () => undefined, closed: () => void closed++,
    }) // prettier-ignore
    const frames = framesOf(body)
    expect(await frames.next()).toBe('retry: 1000')
    const first = frames.next()
    give({ done: false, value: live(3) })
    expect(await first).toBe('event: text_delta\nid: 1.3\ndata: {"type":"text_delta","after":1,"n":3,"text":"t3"}')
    const ping = frames.next()
    timers.ring(15_000)
    expect(await ping).toBe(': ping')
    const last = frames.next()
    give({ done: true, value: undefined })
    expect(await last).toBeUndefined()
    expect([closed, timers.count]).toEqual([1, 0])
  })

  it('takes no more from its source than a slow reader reads, and no ping piles up', async () => {
    const timers = manualTimers()
    let taken = 0
    const body = eventStream({
      frame,
      events: { next: async () => ({ done: false, value: live(++taken) }) },
      timers, pingMs: 1, stopping: new AbortController().signal,
      alive: async () => undefined, ending: async () => undefined, closed: () => undefined,
    }) // prettier-ignore
    const frames = framesOf(body)
    await frames.next()
    for (let round = 0; round < 50; round++) {
      timers.ring(1)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(taken).toBeLessThanOrEqual(2)
    expect(idOf(await frames.next())).toBe('1.1')
    await frames.cancel()
  })

  it('a type with line ends cannot forge a field', () => {
    expect(
      frame({ type: 'a\ndata: x\r\n\r\nid: 9', after: 2, n: 1 } as unknown as SessionEvent)
        .split('\n')
        .slice(0, 2),
    ).toEqual(['event: a data: x    id: 9', 'id: 2.1'])
  })
})

describe('following a session', () => {
  verifies('H5', 'resumed after 5 it begins at 6; resumed after 5.3 it misses no entry either', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create()
    for (let n = 0; n < 9; n++) await session.append({ role: 'user', content: `m${n}` })
    const ids = async (path: string, headers: Record<string, string> = {}) => {
      const { body } = await server.get(`/v1/sessions/${session.id}/events${path}`, headers)
      const frames = framesOf(body as ReadableStream<Uint8Array>)
      await frames.next()
      const found: string[] = []
      while (found.at(-1) !== '10') found.push(idOf(await frames.next()) ?? 'none')
      await frames.cancel()
      return found
    }
    expect(await ids('')).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'])
    for (const id of ['5', '5.3']) expect(await ids('', { 'last-event-id': id })).toEqual(['6', '7', '8', '9', '10'])
    expect(await ids('?after=8')).toEqual(['9', '10'])
    expect(await ids('?after=2', { 'last-event-id': '8' })).toEqual(['9', '10'])
  })

  verifies('H6', 'a position that is malformed or beyond the end is 400 before the stream begins', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create()
    for (const id of ['2', '99999', '-1', '1.', '1.2.3', 'x', '1e3', ' ', '0x1', '9'.repeat(30)]) {
      const asked = [
        await server.get(`/v1/sessions/${session.id}/events`, { 'last-event-id': id }),
        await server.get(`/v1/sessions/${session.id}/events?after=${encodeURIComponent(id)}`),
      ]
      for (const response of asked) {
        expect([id, response.status, response.headers.get('content-type')]).toEqual([id, 400, 'application/json'])
      }
    }
    expect((await server.get(`/v1/sessions/nobody/events`)).status).toBe(404)
  })

  it('a turn shows its deltas between its entries, and types choose', async () => {
    await using server = await open()
    const session = await server.skein.sessions.create()
    const all = framesOf((await server.get(`/v1/sessions/${session.id}/events`)).body as ReadableStream<Uint8Array>)
    const some = framesOf(
      (await server.get(`/v1/sessions/${session.id}/events?types=text_delta,run_ended`)).body as ReadableStream<Uint8Array>,
    )
    await session.send('hello there').result()
    const seen: string[] = []
    while (seen.at(-1) !== 'run_ended') seen.push(/^event: (.*)$/m.exec((await all.next()) ?? '')?.[1] ?? 'none')
    expect(seen.indexOf('text_delta')).toBeGreaterThan(seen.indexOf('turn_started'))
    expect(seen.indexOf('text_delta')).toBeLessThan(seen.lastIndexOf('message_added'))
    const chosen: string[] = []
    await some.next()
    while (!chosen.at(-1)?.includes('run_ended')) chosen.push((await some.next()) ?? 'none')
    expect(new Set(chosen.map(text => /^event: (.*)$/m.exec(text)?.[1]))).toEqual(new Set(['text_delta', 'run_ended']))
    const said = chosen.slice(0, -1).map(text => (JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '{}') as { text: string }).text)
    expect(said.join('')).toBe('You said: hello there')
    await Promise.all([all.cancel(), some.cancel()])
  })

  it('ends with session_erased when the session is, and with server_stopping when the server stops', async () => {
    await using server = await open()
    const [gone, stays] = [await server.skein.sessions.create(), await server.skein.sessions.create()]
    const [erased, stopped] = await Promise.all(
      [gone, stays].map(async ({ id }) =>
        framesOf((await server.get(`/v1/sessions/${id}/events?after=1`)).body as ReadableStream<Uint8Array>),
      ),
    )
    await Promise.all([erased?.next(), stopped?.next()])
    const [end, stop] = [erased?.next(), stopped?.next()]
    await server.skein.sessions.delete(gone.id, { erase: true })
    expect([await end, await erased?.next()]).toEqual(['event: session_erased\ndata: {}', undefined])
    await server.face.stop()
    expect([await stop, await stopped?.next()]).toEqual(['event: server_stopping\ndata: {}', undefined])
  })

  it('a reader that leaves ends the watch of the store', async () => {
    const store = memoryStore()
    let watching = 0
    const counting: Store = {
      ...store,
      in: tenant => {
        const rows = store.in(tenant)
        const watch: typeof rows.watch = async function* (...asked) {
          watching++
          try {
            yield* rows.watch(...asked)
          } finally {
            watching--
          }
        }
        return { ...rows, watch }
      },
    }
    await using server = await open({}, counting)
    const session = await server.skein.sessions.create()
    const frames = framesOf((await server.get(`/v1/sessions/${session.id}/events`)).body as ReadableStream<Uint8Array>)
    await frames.next()
    await frames.next()
    const waiting = frames.next()
    expect(watching).toBe(1)
    await frames.cancel()
    expect(await waiting).toBeUndefined()
    await expect.poll(() => watching).toBe(0)
  })

  it('at most maxStreams a tenant; one that its reader left is free again, with its watch', async () => {
    const timers = manualTimers()
    await using server = await open({ maxStreams: 3, timers })
    const session = await server.skein.sessions.create()
    const path = `/v1/sessions/${session.id}/events`
    const streams = [await server.get(path), await server.get(path), await server.get(path)]
    const refused = await server.get(path)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(timers.count).toBe(3)
    await streams[0]?.body?.cancel()
    expect(timers.count).toBe(2)
    const again = await server.get(path)
    expect(again.status).toBe(200)
    expect(await (await server.get('/metrics')).text()).toContain('skein_event_streams 3')
    for (const response of [...streams.slice(1), again]) await response.body?.cancel()
    expect([await (await server.get('/metrics')).text(), timers.count]).toEqual([
      expect.stringContaining('skein_event_streams 0'),
      0,
    ])
  })
})
