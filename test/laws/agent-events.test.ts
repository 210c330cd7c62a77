import { isType } from '#journal'
import { scriptedModel } from '#models'
import { isEntryEvent, type SessionEvent } from '#session'
import { openSkein, type Skein } from '#skein'
import { afterEach, describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { codeOf, gate, talk, tool, call } from './agent-talk.ts'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false })
  opened.push(skein)
  return skein
}

const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const textOf = (events: readonly SessionEvent[]): string =>
  events.flatMap(event => (event.type === 'text_delta' && !isEntryEvent(event) ? [String(event['text'])] : [])).join('')

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('what is said to a run, and what it tells', () => {
  verifies('A6', 'a send during a run is session.busy with its id, and that run is unaffected', async () => {
    const go = gate()
    const { session } = await talk(await open(), [async () => (await go.promise, { text: 'one' }), 'two'])
    const run = session.send('go')
    const { runId } = await run.receipt
    await expect(session.send('now').receipt).rejects.toMatchObject({ code: 'session.busy', details: { by: 'run', run: runId } })
    go.open()
    expect(await run.result()).toMatchObject({ status: 'done', text: 'one' })
    expect(await session.messages()).toHaveLength(2)
  })

  verifies('A15', 'a run of 100,000 deltas ends without a reader, and read afterwards they are its text', async () => {
    const words = Array.from({ length: 100_000 }, (_, n) => `${n} `)
    const { session } = await talk(await open(), [{ text: words }])
    const run = session.send('go')
    await run.result()
    expect(textOf(await listOf(run))).toBe(words.join(''))
  })

  verifies('A16', 'a reader that comes back at any id sees each durable event once, in order, and the same text', async () => {
    const { session } = await talk(await open(), [{ text: ['a', 'b', 'c'], calls: [call('one')] }, 'end'], [tool('one', () => 1)])
    const run = session.send('go')
    const all = await listOf(run)
    const idOf = (event: SessionEvent): string => (isEntryEvent(event) ? String(event.seq) : `${event.after}.${event.n}`)
    const durable = (events: readonly SessionEvent[]): number[] =>
      events.flatMap(event => (isEntryEvent(event) ? [event.seq] : []))
    for (const [at, event] of all.slice(0, -1).entries()) {
      const rest: SessionEvent[] = []
      for await (const next of session.events({ after: idOf(event) })) {
        rest.push(next)
        if (next.type === 'run_ended') break
      }
      expect(durable(rest)).toEqual(durable(all.slice(at + 1)))
      expect(textOf(rest)).toBe(textOf(all.slice(at + 1)))
    }
  })

  verifies(
    'A60',
    'after run_ended each reader of the run is done at once, a late one too, though the session lives on',
    async () => {
      const { session } = await talk(await open(), ['one', 'two'])
      const run = session.send('go')
      const readers = [listOf(run), listOf(run)]
      await run.result()
      readers.push(listOf(run))
      for (const events of await Promise.all(readers)) expect(events.at(-1)?.type).toBe('run_ended')
      expect((await session.send('again').result()).text).toBe('two')
    },
  )

  verifies('A58', 'text and a file are one user message, both are sent, and a model without images gets the repair', async () => {
    const skein = await open()
    const input = [
      { type: 'text', text: 'What is this?' },
      { type: 'file', mediaType: 'image/png', name: 'p.png', data: pixel },
    ]
    for (const images of [true, false]) {
      const model = scriptedModel(['a pixel'], { info: { capabilities: { images } } })
      const session = await skein.sessions.create({ modelOverride: model })
      await session.send(input).result()
      const [asked] = (await session.messages()).filter(({ role }) => role === 'user')
      expect(asked?.parts.map(({ type }) => type)).toEqual(['text', 'file'])
      const sent = model.requests[0]?.messages.flatMap(({ parts }) => parts) ?? []
      expect(sent.map(({ type }) => type)).toEqual(images ? ['text', 'file'] : ['text', 'text'])
    }
    const { session } = await talk(skein, ['never'])
    expect(await codeOf(session.send([]).receipt)).toBe('input.invalid')
  })

  verifies('A59', 'an admitted input is in the first request exactly once, after all history', async () => {
    const { session, model } = await talk(await open(), ['answer one', 'answer two'])
    await session.send('question one').result()
    await session.send('question two').result()
    expect(model.requests[1]?.messages.map(({ role, parts }) => [role, parts[0]?.type === 'text' && parts[0].text])).toEqual([
      ['user', 'question one'],
      ['assistant', 'answer one'],
      ['user', 'question two'],
    ])
    const ended = (await session.entries({ types: ['run_ended'] })).flatMap(entry =>
      isType(entry, 'run_ended') ? [entry.data.reason] : [],
    )
    expect(ended).toEqual(['answered', 'answered'])
  })
})
