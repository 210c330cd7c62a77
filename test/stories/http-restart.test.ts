import { afterEach, describe, expect } from 'vitest'
import { openSkein } from '#skein'
import { verifies } from '#verifies'
import { type Going, makePlace, type Place } from './command-line.ts'
import { DocumentedClient, readEvents } from './http-client.ts'

const places: Place[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.remove()
})

function place(): Place {
  const made = makePlace()
  places.push(made)
  return made
}

/** Starts `skein serve` on the place's store; resolves once it listens. */
async function start(at: Place): Promise<{ child: Going['process']; url: string; ended: Promise<number | null> }> {
  const going = at.start(['serve', '--port', '0', '--json', '--model', 'demo/echo'])
  const [, url = ''] = await going.sees(/"url":\s*"([^"]+)"/)
  return { child: going.process, url, ended: going.ended.then(({ code }) => code) }
}

describe('a server that is killed', () => {
  verifies('H4 H5', 'its sessions, keys and event positions hold in the next process', async () => {
    const home = place()
    const first = await start(home)
    let client = await DocumentedClient.of(first.url)
    const create = { body: { title: 'durable' }, headers: { 'idempotency-key': 'create' } }
    const created = await client.ask('POST', '/v1/sessions', create)
    const { id } = created.value as { id: string }
    const at = `/v1/sessions/${id}`
    const append = { body: { messages: [{ role: 'user', content: 'before' }] }, headers: { 'idempotency-key': 'append' } }
    const appended = await client.ask('POST', `${at}/append`, append)
    const rename = { body: { title: 'renamed' }, headers: { 'idempotency-key': 'rename' } }
    const renamed = await client.ask('PATCH', at, rename)
    const say = { body: { input: 'Hello' }, headers: { 'idempotency-key': 'say' } }
    const said = await client.ask('POST', `${at}/inputs`, say)
    const seen = await readEvents(`${first.url}${at}/events`, {}, frame => frame.event === 'text_delta')
    const position = seen.at(-1)?.id ?? ''
    expect(position).toMatch(/^\d+\.\d+$/)
    await readEvents(`${first.url}${at}/events`, {}, frame => frame.event === 'run_ended')
    first.child.kill('SIGKILL')
    await first.ended

    const second = await start(home)
    client = await DocumentedClient.of(second.url)
    for (const [method, path, asked, before] of [
      ['POST', '/v1/sessions', create, created],
      ['POST', `${at}/append`, append, appended],
      ['PATCH', at, rename, renamed],
      ['POST', `${at}/inputs`, say, said],
    ] as const) {
      const again = await client.ask(method, path, asked)
      expect([path, again.status, again.text, again.headers.get('idempotent-replay')]).toEqual([
        path,
        before.status,
        before.text,
        'true',
      ])
    }
    const rest = await readEvents(
      `${second.url}${at}/events`,
      { 'last-event-id': position },
      frame => frame.event === 'run_ended',
    )
    const durable = rest.map(frame => Number(frame.id))
    const from = Number(position.split('.')[0])
    expect(durable).toEqual(durable.map((_, n) => from + 1 + n))
    const next = (await client.ask('POST', `${at}/inputs`, { body: { input: 'Still there?' } })).value as { seq: number }
    await readEvents(`${second.url}${at}/events?after=${next.seq}`, {}, frame => frame.event === 'run_ended')
    const { items } = (await client.ask('GET', `${at}/messages`)).value as {
      items: { role: string; parts: { text: string }[] }[]
    }
    expect(items.map(item => item.parts[0]?.text)).toEqual([
      'before',
      'Hello',
      'You said: Hello',
      'Still there?',
      'You said: Still there?',
    ])
    second.child.kill('SIGTERM')
    expect(await second.ended).toBe(0)
  })
})

describe('a server that is told to stop', () => {
  verifies('H10', 'during 100 appends each is answered or refused, every 201 is in the store, and it exits 0', async () => {
    const home = place()
    const { child, url, ended } = await start(home)
    const client = await DocumentedClient.of(url)
    const { id } = (await client.ask('POST', '/v1/sessions', { body: {} })).value as { id: string }
    const stream = readEvents(`${url}/v1/sessions/${id}/events`, {}, frame => frame.event === 'server_stopping')
    let answered = 0
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const outcome = await client
          .ask('POST', `/v1/sessions/${id}/append`, { body: { messages: [{ role: 'user', content: `m${n}` }] } })
          .catch(() => undefined)
        if (++answered === 20) child.kill('SIGTERM')
        return { text: `m${n}`, status: outcome?.status ?? 'refused' }
      }),
    )
    expect((await stream).at(-1)?.event).toBe('server_stopping')
    expect(await ended).toBe(0)
    for (const { status } of outcomes) expect([201, 503, 'refused']).toContain(status)
    const kept = outcomes.filter(({ status }) => status === 201).map(({ text }) => text)
    expect(kept.length).toBeGreaterThanOrEqual(20)
    const skein = await openSkein({ store: `sqlite:${home.store}`, worker: false })
    const messages = await (await skein.sessions.open(id)).messages()
    const stored = new Set(messages.map(message => (message.parts[0] as { text: string }).text))
    expect(kept.filter(text => !stored.has(text))).toEqual([])
    expect((await skein.store.check()).findings).toEqual([])
    await skein.close()
  })
})
