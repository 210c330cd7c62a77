import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve, type Serving } from '#server'
import { openSkein, type Skein } from '#skein'
import { verifies } from '#verifies'
import { DocumentedClient, readEvents } from './http-client.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-http-'))
let skein: Skein
let server: Serving
let client: DocumentedClient

beforeAll(async () => {
  skein = await openSkein({ store: `sqlite:${join(folder, 'skein.db')}` })
  server = await serve(skein, { port: 0 })
  client = await DocumentedClient.of(server.url)
})
afterAll(async () => {
  await server.close()
  await skein.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Info {
  readonly id: string
  readonly seq: number
  readonly running: unknown
}

/** Has a message taken in and its route changed, looks at what is kept, and schedules something. */
async function askGateway(): Promise<void> {
  const expectStatus = async (method: string, path: string, status: number, body?: object): Promise<unknown> => {
    const answered = await client.ask(method, `/v1/gateway/${path}`, body === undefined ? {} : { body })
    expect([method, path, answered.status]).toEqual([method, path, status])
    return answered.value
  }
  const source = { platform: 'local', chatId: 'cli' }
  const stop = new AbortController()
  const stream = await fetch(`${server.url}/v1/gateway/events`, { signal: stop.signal })
  expect(stream.headers.get('content-type')).toBe('text/event-stream')
  client.answered.add('gateway.events 200')
  stop.abort()
  await expectStatus('POST', 'handle', 202, { source, text: 'Hello' })
  await expectStatus('POST', 'resolve', 200, { source })
  for (const verb of ['explain', 'context', 'prompt']) await expectStatus('POST', verb, 200, { source })
  const route = `routes/${encodeURIComponent('k1:main:local:dm:c=cli')}`
  const { sessionId } = (await expectStatus('GET', route, 200)) as { sessionId: string }
  for (const verb of ['touch', 'reset', 'mark-resume-pending', 'clear-resume-pending', 'pause', 'unpause', 'suspend'])
    await expectStatus('POST', `${route}/${verb}`, 200, {})
  await expectStatus('POST', `${route}/switch`, 200, { sessionId })
  await expectStatus('POST', `${route}/rewrite`, 200, { messages: [{ role: 'user', content: 'again' }] })
  for (const verb of ['recover', 'prune']) await expectStatus('POST', verb, 200, {})
  await expectStatus('POST', 'identities/learn', 200, { platform: 'whatsapp', a: '1@lid', b: '+491' })
  await expectStatus('POST', 'deliver', 202, { target: 'slack:C1', message: 'x' })
  for (const path of ['routes', 'inbox', 'outbox', 'pairings', 'schedules', 'has-any', 'check'])
    await expectStatus('GET', path, 200)
  await expectStatus('POST', 'outbox/out_01HF7YAT000000000000000000/retry', 400, {})
  await expectStatus('POST', 'pairings/ABCDEFGH/approve', 404, {})
  await expectStatus('POST', 'hooks/nobody', 404, {})
  await expectStatus('GET', 'hooks/nobody', 404)
  const { id } = (await expectStatus('POST', 'schedules', 201, { prompt: 'x', everyMs: 86_400_000 })) as { id: string }
  await expectStatus('GET', `schedules/${id}`, 200)
  for (const verb of ['disable', 'enable']) await expectStatus('POST', `schedules/${id}/${verb}`, 200, {})
  await expectStatus('DELETE', `schedules/${id}`, 200)
}

/** Seals what a session says, learns from it, and takes that back. */
async function sealAndLearn(user: string): Promise<void> {
  const ask = async (method: 'GET' | 'POST', path: string, status: number, body?: unknown): Promise<unknown> => {
    const answered = await client.ask(method, path, body === undefined ? {} : { body })
    expect([method, path, answered.status]).toEqual([method, path, status])
    return answered.value
  }
  const { id } = (await ask('POST', '/v1/sessions', 201, { user })) as Info
  const at = `/v1/sessions/${id}`
  const messages = [
    { role: 'user', content: 'My name is Ada.' },
    { role: 'assistant', content: 'Hello Ada.' },
  ]
  expect(await ask('POST', `${at}/after-turn`, 200, { messages })).toMatchObject({ status: 'accumulating' })
  expect(await ask('POST', `${at}/prepare-commit`, 200, {})).toMatchObject({ token: expect.any(String) as string })
  expect(await ask('GET', `${at}/prepared`, 200)).toMatchObject({ token: expect.any(String) as string })
  expect(await ask('POST', `${at}/discard-prepared`, 200, {})).toEqual({ discarded: true })
  const { archive } = (await ask('POST', `${at}/commit`, 200, { wait: true })) as { archive: string }
  expect(await ask('GET', `${at}/archives`, 200)).toMatchObject({ items: [{ id: archive }] })
  expect(await ask('GET', `${at}/archives/${archive}`, 200)).toMatchObject({ id: archive, state: 'ready' })
  await ask('POST', '/v1/memory/extract', 200, { session: id })
  await expect.poll(async () => (await client.ask('GET', `/v1/memory?owner=${user}`)).text).toContain('Ada')
  const { items } = (await ask('GET', `/v1/memory?owner=${user}`, 200)) as { items: { id: string }[] }
  const memory = items[0]?.id ?? ''
  expect(await ask('GET', `/v1/memory/search?query=name&owner=${user}`, 200)).toMatchObject({ items: [{ id: memory }] })
  expect(await ask('GET', `/v1/memory/${memory}/history`, 200)).toMatchObject({ items: [{ id: memory }] })
  expect(await ask('GET', '/v1/memory/pending', 200)).toMatchObject({ items: expect.any(Array) as unknown[] })
  expect(await ask('GET', `/v1/memory/ranges?session=${id}`, 200)).toMatchObject({ items: [{ session: id }] })
  expect(await ask('POST', '/v1/memory/rewind', 200, { session: id, seq: 1 })).toBe(true)
  const undone = (await ask('POST', '/v1/memory/undo', 200, { memory })) as { id: string }
  expect(await ask('GET', `/v1/memory/receipts/${undone.id}`, 200)).toMatchObject({ id: undone.id })
  const erased = await client.ask('POST', '/v1/memory/erase', { body: { session: id } })
  expect([200, 202]).toContain(erased.status)
  const { id: kept } = (await ask('POST', '/v1/sessions', 201, { user })) as Info
  await ask('POST', `/v1/sessions/${kept}/append`, 201, { messages })
  expect(await ask('POST', `/v1/sessions/${kept}/close`, 200, { commit: true })).toMatchObject({
    archived: true,
    status: 'sealed',
  })
}

/** Tells what a session is about, and asks for it. */
async function keepState(at: string): Promise<void> {
  const of = async (verb: string, body: object): Promise<unknown> => {
    const { status, value } = await client.ask('POST', `${at}/state/${verb}`, { body })
    expect([verb, status]).toEqual([verb, 200])
    return value
  }
  const state = (await of('update', { objective: 'Ship', blockers: ['a'], stage: null })) as { version: number }
  const stale = await client.ask('POST', `${at}/state/update`, { body: { stage: 'x', version: state.version - 1 } })
  expect([stale.status, stale.text.includes('store.conflict')]).toEqual([409, true])
  const { id } = (await of('add', { text: 'Call Ada', kind: 'loop' })) as { id: string }
  expect(await of('resolve', { id: 'call ada', status: 'fulfilled', reason: 'by phone' })).toMatchObject({
    id,
    reason: 'by phone',
  })
  expect(await of('reopen', { id })).toMatchObject({ id, status: 'open' })
  expect((await client.ask('POST', `${at}/state/reopen`, { body: { id: 'nobody' } })).status).toBe(404)
  expect((await client.ask('GET', `${at}/state`)).value).toMatchObject({ objective: 'Ship', commitments: [{ id }] })
  expect(await of('clear', {})).toMatchObject({ objective: null, commitments: [] })
}

describe('a session from its first message to its end', () => {
  verifies('H1', 'every route of the document answers as it says, and no other route answers', async () => {
    const { ask } = { ask: client.ask.bind(client) }
    await ask('GET', '/health')
    await ask('GET', '/ready')
    await ask('GET', '/v1/version')
    await ask('GET', '/openapi.json')
    const info = (
      await ask('POST', '/v1/sessions', {
        body: { id: 'journey', title: 'Journey', user: 'ann', tags: ['a'], metadata: { n: 1 } },
      })
    ).value as Info
    const at = `/v1/sessions/${info.id}`
    const appended = (
      await ask('POST', `${at}/append`, {
        body: {
          messages: [
            { role: 'user', content: 'hello' },
            { role: 'assistant', content: 'hi' },
          ],
        },
      })
    ).value as { entries: { id: string }[] }
    const entryId = appended.entries[0]?.id ?? ''
    await ask('POST', `${at}/record`, {
      body: {
        user: 'q',
        assistant: 'a',
        usage: { inputTokens: 3, outputTokens: 4 },
        tools: [{ tool: 'look', calls: 1, errors: 0, ms: 5 }],
      },
    })
    const receipt = (await ask('POST', '/v1/sessions/journey/inputs', { body: { input: 'Hello agent' } })).value as {
      runId: string
      seq: number
    }
    const frames = await readEvents(
      `${server.url}${at}/events?after=${receipt.seq - 1}`,
      {},
      frame => frame.event === 'run_ended',
    )
    const deltas = frames.filter(frame => frame.event === 'text_delta').map(frame => frame.data['text'])
    expect(deltas.join('')).toBe('You said: Hello agent')
    client.answered.add('session.events 200')
    const run = (await ask('GET', `${at}/runs/${receipt.runId}`)).value as { result: { text: string; status: string } }
    expect(run.result).toMatchObject({ status: 'done', text: 'You said: Hello agent' })
    for (const path of [
      '', '/messages', '/messages?limit=2&parts=stub', '/conversation', '/entries?limit=3', `/entries/${entryId}`, '/tree', '/usage', '/usage?by=model&tree=true', '/usage?by=tool',
      '/search?query=hello', '/context', '/context?format=anthropic', '/export', '/export?format=pi', '/export?format=markdown', '/export?format=messages',
    ]) expect((await ask('GET', `${at}${path}`)).status, path).toBe(200) // prettier-ignore
    await ask('POST', `${at}/context`, { body: { input: 'next?', system: 'Be brief.' } })
    for (const path of ['/summaries', '/audit', `/expand/${entryId}`, `/explain/${entryId}`, '/recall?query=hello', '/approvals'])
      expect((await ask('GET', `${at}${path}`)).status, path).toBe(200)
    expect((await ask('POST', `${at}/compact`, { body: { dryRun: true } })).value).toMatchObject({ status: 'nothing' })
    expect((await ask('POST', `${at}/unprune`, { body: { refs: [] } })).status).toBe(200)
    // Nobody has asked for anything.
    const approval = 'apr_01HF7YAT000000000000000000'
    expect((await ask('GET', `/v1/approvals/${approval}`)).status).toBe(404)
    const answered = await ask('POST', `${at}/approvals/${approval}/answer`, { body: { decision: 'allow' } })
    expect(answered.status).toBe(404)
    const large = (await ask('POST', `${at}/append`, { body: { messages: { role: 'user', content: 'x'.repeat(5_000) } } }))
      .value as { entries: { data: { parts: { blob: string }[] } }[] }
    const blob = large.entries[0]?.data.parts[0]?.blob ?? ''
    expect((await ask('GET', `${at}/blobs/${blob}`)).text).toHaveLength(5_000)
    for (const path of [
      '/v1/sessions?limit=1&tag=a',
      '/v1/sessions/latest',
      '/v1/sessions/latest?user=nobody',
      '/v1/sessions/search?query=hello',
      '/v1/models',
      '/v1/models/check?ref=demo/echo',
      '/v1/credentials',
      '/v1/jobs',
      '/metrics',
    ])
      expect((await ask('GET', path)).status, path).toBe(200)
    const wrote: (readonly [string, string, unknown])[] = [
      ['POST', '/add-custom', { name: 'note', data: { a: 1 } }],
      ['POST', '/label', { entryId, text: 'start' }],
      ['POST', '/hold', { reason: 'lunch' }],
      ['POST', '/release', { reason: 'lunch' }],
      ['PUT', '/model', { model: 'demo/echo' }],
      ['PUT', '/thinking', { thinking: 'low' }],
      ['PUT', '/system', { system: 'Be kind.' }],
      ['PUT', '/tools', { tools: [] }],
      ['PATCH', '', { title: 'Named', tags: ['b'], metadata: { n: null } }],
      ['POST', '/fork', { title: 'Copy' }],
      ['POST', '/move-to', { entryId }],
      ['POST', '/spawn', { title: 'Helper' }],
      ['POST', '/cancel', {}],
      ['POST', '/abort', {}],
      ['POST', '/recovery', {}],
      ['POST', '/end', { reason: 'done' }],
      ['POST', '/reopen', {}],
    ]
    for (const [method, path, body] of wrote) expect((await ask(method, `${at}${path}`, { body })).status, path).toBeLessThan(300)
    expect((await ask('GET', `${at}/recovery`)).value).toEqual({ plan: null, runId: null })
    // Nobody listens any more; the document tells of that, too.
    for (const path of ['steer', 'follow-up']) {
      const refused = await ask('POST', `${at}/${path}`, { body: { input: 'x' } })
      expect([refused.status, refused.text.includes('run.not_running')]).toEqual([409, true])
    }
    expect((await ask('GET', `${at}/tree`)).text).toContain('"label":"start"')
    const bundle = (await ask('GET', `${at}/export`)).text
    const ndjson = { 'content-type': 'application/x-ndjson' }
    expect((await ask('POST', '/v1/sessions/import', { raw: bundle, headers: ndjson })).status).toBe(200)
    const copy = (await ask('POST', '/v1/sessions/import?as=new', { raw: bundle, headers: ndjson })).value as Info
    await ask('POST', '/v1/sessions/evict', { body: { id: copy.id } })
    expect((await ask('DELETE', `/v1/sessions/${copy.id}`)).status).toBe(200)
    expect((await ask('POST', `/v1/sessions/${copy.id}/restore`)).status).toBe(200)
    expect((await ask('DELETE', `/v1/sessions/${copy.id}`)).status).toBe(200)
    const jobs = (await ask('GET', '/v1/jobs')).value as { items: { id: string }[] }
    const job = jobs.items[0]?.id ?? ''
    expect((await ask('GET', `/v1/jobs/${job}`)).status).toBe(200)
    // Neither is parked, so both are refused; the document tells of that, too.
    for (const verb of ['retry', 'skip']) expect((await ask('POST', `/v1/jobs/${job}/${verb}`)).status).toBe(409)
    expect((await ask('DELETE', `/v1/sessions/${copy.id}?erase=true`)).status).toBe(200)
    expect((await ask('GET', '/v1/jobs/idle?kind=nothing&waitMs=0')).value).toEqual({ idle: true })
    await keepState(at)
    await sealAndLearn('journeyer')
    await askGateway()

    const turns = (await ask('GET', `${at}/turns`)).value as { items: { turn: string }[] }
    const back = await ask('POST', `${at}/checkpoints/preview`, { body: { to: turns.items[0]?.turn } })
    const { token } = back.value as { token: string }
    expect((await ask('POST', `${at}/checkpoints/apply`, { body: { token } })).value).toMatchObject({
      checkpoint: null,
      items: [],
    })
    expect((await ask('POST', `${at}/checkpoints/apply`, { body: { token } })).status).toBe(404)
    expect((await ask('GET', `${at}/checkpoints`)).value).toEqual({ items: [] })

    const inputs = [{ n: 1 }, { n: 2 }]
    const begun = await ask('POST', '/v1/maps', { body: { inputs, prompt: '```\n{{item.n}}\n```', schema: { type: 'integer' }, model: 'demo/echo', parent: info.id } }) // prettier-ignore
    const map = `/v1/maps/${(begun.value as { map: string }).map}`
    await expect.poll(async () => (await ask('GET', map)).value).toMatchObject({ state: 'ended', total: 2, succeeded: 2 })
    const results = (await ask('GET', `${map}/results?limit=5`)).value as { items: { index: number; output: unknown }[] }
    expect(results.items.map(({ index, output }) => [index, output]).sort()).toEqual([[0, 1], [1, 2]]) // prettier-ignore
    expect((await ask('POST', `${map}/resume`)).status).toBe(202)

    const operations = Object.entries(client.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, told]) => ({ path, method, id: told.operationId })),
    )
    const answeredWell = new Set([...client.answered].filter(text => /[24]0\d$/.test(text)).map(text => text.split(' ')[0]))
    expect(operations.map(({ id }) => id).filter(id => !answeredWell.has(id))).toEqual([])

    const templates = Object.keys(client.document.paths)
    for (const template of templates) {
      for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
        if (client.document.paths[template]?.[method] !== undefined) continue
        const path = template
          .replace('{entryId}', entryId)
          .replace('{runId}', receipt.runId)
          .replace('{blob}', blob)
          .replace('{id}', 'nobody')
        if (client.operationOf(method, path) !== undefined) continue
        const answer = await ask(method.toUpperCase(), path)
        expect([method, template, answer.text.includes('path.not_found')]).toEqual([method, template, true])
      }
    }
    expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length)
    expect(client.document.openapi).toBe('3.1.0')
  })

  it('refusals are errors as the document tells them', async () => {
    const { id } = (await client.ask('POST', '/v1/sessions', { body: {} })).value as Info
    const at = `/v1/sessions/${id}`
    const code = async (method: string, path: string, body?: unknown) => {
      const { status, value } = await client.ask(method, path, body === undefined ? {} : { body })
      return [status, (value as { error: { code: string } }).error.code]
    }
    expect(await code('POST', `${at}/inputs`, { input: '  ' })).toEqual([400, 'input.invalid'])
    expect(await code('POST', `${at}/inputs`, { input: 'x', model: 'nobody/nothing' })).toEqual([400, 'model.unknown_provider'])
    expect(await code('POST', `${at}/inputs`, { input: 'x', model: 'anthropic/claude-opus-4-6' })).toEqual([424, 'auth.missing'])
    await client.ask('POST', `${at}/hold`, { body: { reason: 'lunch' } })
    expect(await code('POST', `${at}/inputs`, { input: 'x' })).toEqual([409, 'session.held'])
    await client.ask('POST', `${at}/end`)
    expect(await code('POST', `${at}/append`, { messages: [{ role: 'user', content: 'x' }] })).toEqual([409, 'session.ended'])
    expect(await code('POST', '/v1/sessions', { id: 'journey' })).toEqual([409, 'session.exists'])
    expect(await code('GET', `${at}/blobs/blb_${'0'.repeat(32)}`)).toEqual([404, 'blob.not_found'])
    expect(await code('GET', '/v1/jobs/job_01HF7YAT000000000000000000')).toEqual([404, 'job.not_found'])
    expect(((await client.ask('GET', at)).value as Info).seq).toBe(3)
  })

  it('a watcher on another connection sees each entry once, in order, while many write', async () => {
    const { id } = (await client.ask('POST', '/v1/sessions', { body: {} })).value as Info
    const watching = readEvents(`${server.url}/v1/sessions/${id}/events`, {}, frame => frame.id === '201')
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        client.ask('POST', `/v1/sessions/${id}/append`, { body: { messages: [{ role: 'user', content: `m${n}` }] } }),
      ),
    )
    const seqs = (await watching).map(frame => Number(frame.id))
    expect(seqs).toEqual(Array.from({ length: 201 }, (_, n) => n + 1))
  })
})
