import { describe, expect, it } from 'vitest'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { createHandler } from './index.ts'

const open = async () => {
  const skein = await openSkein({ store: 'memory:', worker: false })
  const handler = createHandler(skein)
  const ask = async (method: string, path: string, body: unknown, key?: string) => {
    const raw = typeof body === 'string'
    const response = await handler(
      new Request(`http://localhost${path}`, {
        method,
        headers: {
          'content-type': raw ? 'application/x-ndjson' : 'application/json',
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
        ...(method === 'GET' ? {} : { body: raw ? body : JSON.stringify(body) }),
      }),
    )
    return {
      status: response.status,
      text: await response.text(),
      replay: response.headers.get('idempotent-replay'),
      location: response.headers.get('location'),
    }
  }
  return { skein, ask, [Symbol.asyncDispose]: () => skein.close() }
}
type Ask = Awaited<ReturnType<typeof open>>['ask']
const idOf = (answer: { text: string }) => (JSON.parse(answer.text) as { id: string }).id
const journal = async (ask: Ask, id: string) =>
  (JSON.parse((await ask('GET', `/v1/sessions/${id}/entries?limit=1000`, undefined)).text) as { items: { type: string }[] }).items

describe('repeating a request with its key', () => {
  verifies('H4', 'every write answers the same status and body, and has one effect', async () => {
    await using server = await open()
    const { ask } = server
    const id = idOf(await ask('POST', '/v1/sessions', {}))
    const entries = (
      JSON.parse((await ask('POST', `/v1/sessions/${id}/append`, { messages: [{ role: 'user', content: 'hi' }] })).text) as {
        entries: { id: string }[]
      }
    ).entries
    const entryId = entries[0]?.id
    const at = `/v1/sessions/${id}`
    const writes: (readonly [string, string, unknown])[] = [
      ['POST', '/v1/sessions', { title: 'new' }],
      ['POST', `${at}/append`, { messages: [{ role: 'assistant', content: 'ho' }] }],
      ['POST', `${at}/record`, { user: 'a', assistant: 'b', usage: { inputTokens: 1, outputTokens: 2 } }],
      ['POST', `${at}/add-custom`, { name: 'note', data: 1 }],
      ['POST', `${at}/fork`, { title: 'copy' }],
      ['POST', `${at}/move-to`, { entryId }],
      ['POST', `${at}/label`, { entryId, text: 'start' }],
      ['POST', `${at}/hold`, { reason: 'wait' }],
      ['POST', `${at}/release`, { reason: 'wait' }],
      ['PATCH', at, { title: 'named', tags: ['a'], metadata: { b: 1 } }],
      ['PUT', `${at}/model`, { model: 'demo/echo' }],
      ['PUT', `${at}/thinking`, { thinking: 'high' }],
      ['PUT', `${at}/system`, { system: 'Be brief.' }],
      ['PUT', `${at}/tools`, { tools: [{ name: 'look', description: 'Looks.', inputSchema: {} }] }],
      ['POST', `${at}/inputs`, { input: 'hello' }],
      ['POST', `${at}/cancel`, {}],
      ['POST', `${at}/end`, { reason: 'over' }],
      ['POST', `${at}/reopen`, {}],
    ]
    for (const [index, [method, path, body]] of writes.entries()) {
      const first = await ask(method, path, body, `key-${index}`)
      expect([path, first.status < 300, first.replay]).toEqual([path, true, null])
      if (path.endsWith('/inputs')) await settled(ask, id)
      const before = await journal(ask, id)
      // What happens in between must not show in the answer.
      await ask('POST', `${at}/add-custom`, { name: 'between' })
      const again = await ask(method, path, body, `key-${index}`)
      expect(again).toEqual({ ...first, replay: 'true' })
      expect((await journal(ask, id)).length, path).toBe(before.length + 1)
      const other = await ask(
        method,
        path,
        { ...(body as object), title: 'other', messages: [{ role: 'user', content: 'other' }], input: 'other', reason: 'other' },
        `key-${index}`,
      )
      expect([400, 422], path).toContain(other.status)
    }
    const deleting = await ask('DELETE', at, undefined, 'delete')
    expect(await ask('DELETE', at, undefined, 'delete')).toEqual({ ...deleting, replay: 'true' })
    const restoring = await ask('POST', `${at}/restore`, {}, 'restore')
    expect(await ask('POST', `${at}/restore`, {}, 'restore')).toEqual({ ...restoring, replay: 'true' })
    const bundle = (await ask('GET', `${at}/export`, undefined)).text
    const importing = await ask('POST', '/v1/sessions/import?as=new', bundle, 'import')
    expect([importing.status, importing.location]).toEqual([201, `/v1/sessions/${idOf(importing)}`])
    expect(await ask('POST', '/v1/sessions/import?as=new', bundle, 'import')).toEqual({ ...importing, replay: 'true' })
    expect((await ask('POST', '/v1/sessions/import?as=new', `${bundle}\n`, 'import')).status).toBe(422)
    const erasing = await ask('DELETE', `${at}?erase=true`, undefined, 'erase')
    expect(await ask('DELETE', `${at}?erase=true`, undefined, 'erase')).toEqual({ ...erasing, replay: 'true' })
  })

  verifies('H4', 'a process that died between the effect and keeping its answer has a repeat without effect', async () => {
    await using server = await open()
    const { ask } = server
    const store = server.skein.store.in('default')
    const id = idOf(await ask('POST', '/v1/sessions', {}))
    const at = `/v1/sessions/${id}`
    const writes: (readonly [string, string, unknown])[] = [
      ['POST', '/v1/sessions', { title: 'new' }],
      ['POST', `${at}/add-custom`, { name: 'note' }],
      ['POST', `${at}/fork`, {}],
      ['POST', `${at}/hold`, { reason: 'wait' }],
      ['PATCH', at, { title: 'named', tags: ['a'] }],
      ['PUT', `${at}/model`, { model: 'demo/echo' }],
      ['POST', `${at}/end`, {}],
      ['DELETE', at, undefined],
      ['DELETE', `${at}?erase=true`, undefined],
    ]
    for (const [index, [method, path, body]] of writes.entries()) {
      const first = await ask(method, path, body, `key-${index}`)
      await store.commit([{ type: 'delete_record', collection: 'answer', key: `key-${index}` }])
      const sessions = (await server.skein.sessions.list()).items.map(({ id: each, seq }) => [each, seq])
      const again = await ask(method, path, body, `key-${index}`)
      expect([path, again]).toEqual([path, { ...first, replay: 'true' }])
      expect((await server.skein.sessions.list()).items.map(({ id: each, seq }) => [each, seq])).toEqual(sessions)
    }
  })

  verifies('J24', 'the same key for something else is idempotency.mismatch; another tenant’s key is its own', async () => {
    await using server = await open()
    const { ask } = server
    const id = idOf(await ask('POST', '/v1/sessions', {}, 'k'))
    for (const [method, path, body] of [
      ['POST', '/v1/sessions', { title: 'x' }],
      ['POST', `/v1/sessions/${id}/append`, { messages: [{ role: 'user', content: 'hi' }] }],
      ['POST', `/v1/sessions/${id}/label`, { entryId: 'ent_01HF7YAT000000000000000000', text: null }],
    ] as const) {
      const answer = await ask(method, path, body, 'k')
      expect([path, answer.status, answer.text.includes('idempotency.mismatch')]).toEqual([path, 422, true])
    }
    const other = createHandler(server.skein, { tokens: [{ name: 'o', secret: 'other-secret', tenant: 'other' }] })
    const response = await other(
      new Request('http://localhost/v1/sessions', {
        method: 'POST',
        headers: { authorization: 'Bearer other-secret', 'idempotency-key': 'k', 'content-type': 'application/json' },
        body: '{"title":"y"}',
      }),
    )
    expect(response.status).toBe(201)
  })

  it('many at once have one effect and one answer', async () => {
    await using server = await open()
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.ask('POST', '/v1/sessions', { title: 'one' }, 'k')))
    expect(new Set(answers.map(answer => answer.text)).size).toBe(1)
    expect(answers.filter(answer => answer.replay === null)).toHaveLength(1)
    const id = idOf(answers[0] ?? { text: '{}' })
    const appended = await Promise.all(
      Array.from({ length: 20 }, () =>
        server.ask('POST', `/v1/sessions/${id}/append`, { messages: [{ role: 'user', content: 'hi' }] }, 'a'),
      ),
    )
    expect(new Set(appended.map(answer => answer.text)).size).toBe(1)
    expect(appended.filter(answer => answer.replay === null)).toHaveLength(1)
    expect(await journal(server.ask, id)).toHaveLength(2)
  })

  it('what was refused is not kept: the same key may try again', async () => {
    await using server = await open()
    const id = idOf(await server.ask('POST', '/v1/sessions', {}))
    await server.ask('POST', `/v1/sessions/${id}/end`, {})
    const append = () => server.ask('POST', `/v1/sessions/${id}/append`, { messages: [{ role: 'user', content: 'hi' }] }, 'k')
    expect((await append()).status).toBe(409)
    await server.ask('POST', `/v1/sessions/${id}/reopen`, {})
    expect(await append()).toMatchObject({ status: 201, replay: null })
  })

  verifies('J47', 'once a session is erased, no repeat, read, search or export shows its text', async () => {
    await using server = await open()
    const { ask } = server
    const id = idOf(await ask('POST', '/v1/sessions', { title: 'secretword', id: 'gone' }, 'create'))
    const at = `/v1/sessions/${id}`
    await ask('POST', `${at}/append`, { messages: [{ role: 'user', content: 'secretword' }] }, 'append')
    const fork = idOf(await ask('POST', `${at}/fork`, {}, 'fork'))
    await ask('DELETE', `/v1/sessions/${fork}?erase=true`, undefined)
    await ask('PATCH', at, { title: 'secretword again' }, 'patch')
    expect((await ask('DELETE', `${at}?erase=true`, undefined)).status).toBe(200)
    const asked: (readonly [string, string, unknown, string?])[] = [
      ['POST', `${at}/append`, { messages: [{ role: 'user', content: 'secretword' }] }, 'append'],
      ['PATCH', at, { title: 'secretword again' }, 'patch'],
      ['POST', `${at}/fork`, {}, 'fork'],
      ['GET', at, undefined],
      ['GET', `${at}/export`, undefined],
      ['GET', `${at}/messages`, undefined],
      ['GET', `${at}/events`, undefined],
      ['GET', '/v1/sessions/search?query=secretword', undefined],
      ['GET', '/v1/sessions', undefined],
      ['GET', '/v1/sessions/gone', undefined],
    ]
    for (const [method, path, body, key] of asked)
      expect((await ask(method, path, body, key)).text, path).not.toContain('secretword')
    const rest = await server.skein.store.in('default').records('answer', { limit: 100 })
    expect(JSON.stringify(rest)).not.toContain('secretword')
  })
})

async function settled(ask: Ask, id: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if ((JSON.parse((await ask('GET', `/v1/sessions/${id}`, undefined)).text) as { running: unknown }).running === null) return
    await new Promise(resolve => setImmediate(resolve))
  }
  throw new Error('The run did not end.')
}
