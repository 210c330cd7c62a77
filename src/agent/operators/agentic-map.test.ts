import { SkeinError } from '#kernel'
import { type ModelRequest, scriptedModel, type ScriptedStep } from '#models'
import type { Notice } from '#session'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import type { MapResult } from './map-rows.ts'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close({ waitMs: 0 })
})

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  opened.push(skein)
  return skein
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const look = { name: 'look', description: 'Looks.', input: { type: 'object' }, readOnly: true, run: () => 'seen' } as const
const write = { name: 'write', description: 'Writes.', input: { type: 'object' }, run: () => 'written' } as const
const lastText = (request: ModelRequest): string => {
  const part = request.messages.findLast(({ role }) => role === 'user')?.parts[0]
  return part?.type === 'text' ? part.text : ''
}
const looping: ScriptedStep = { calls: [{ tool: 'look', input: { at: 'it' } }] }

describe('agenticMap', () => {
  it('gives each input to an agent in a sub-session of its own', async () => {
    const skein = await open({ tools: [look] })
    const parent = await skein.sessions.create({ user: 'ann' })
    const model = scriptedModel([
      { calls: [{ tool: 'look' }], usage: { inputTokens: 1 } },
      { text: 'one', usage: { inputTokens: 2 } },
      'two',
    ])
    const map = skein.operators.agenticMap({ inputs: ['a', 'b'], prompt: 'Do {{item}}', model, parent, concurrency: 1 })
    const results = await all(map)
    expect(results.map(({ output, attempts }) => [output, attempts])).toEqual([
      ['one', 1],
      ['two', 1],
    ])
    expect(results[0]?.usage.inputTokens).toBe(3)
    const { items } = await skein.sessions.list({ parent: parent.id, sort: 'createdAt' })
    expect(items.map(({ id }) => id)).toEqual(results.map(({ session }) => session))
    expect(items.map(({ user, metadata }) => [user, metadata])).toEqual([0, 1].map(index => ['ann', { map: map.id, index }]))
    expect((await parent.entries()).map(({ type }) => type).filter(type => type.startsWith('map_'))).toEqual([
      'map_started',
      'map_ended',
    ])
    expect((await parent.messages()).length).toBe(0)
    expect((await parent.usage({ tree: true })).requests).toBe(3)
  })

  it('takes tools away that may change something, and says so', async () => {
    const notices: Notice[] = []
    const skein = await open({ tools: [look, write], onNotice: notice => void notices.push(notice) })
    const parent = await skein.sessions.create()
    const names = (model: { requests: readonly ModelRequest[] }) =>
      model.requests[0]?.tools.map(({ name }) => name).filter(name => !name.startsWith('session_'))
    const careful = scriptedModel([
      { calls: [{ tool: 'write' }] },
      (request: ModelRequest) => JSON.stringify(request.messages.at(-1)),
    ])
    const [result] = await all(skein.operators.agenticMap({ inputs: [1], prompt: '{{item}}', model: careful, parent }))
    expect(names(careful)).toEqual(['look'])
    expect(result?.output).toContain('There is no tool named write.')
    expect(notices).toMatchObject([{ code: 'map.read_only', session: parent.id }])
    expect(notices[0]?.message).toMatch(/do without write\.$/)
    const free = scriptedModel(['ok'])
    await skein.operators.agenticMap({ inputs: [1], prompt: '{{item}}', model: free, readOnly: false }).result()
    expect(names(free)).toEqual(['look', 'write'])
  })

  it('fails an item whose turn ended in error, and tries no more than it may', async () => {
    const skein = await open()
    const failure = new SkeinError('provider.rejected', 'Not so.')
    const model = scriptedModel([{ failure }, 'fine'])
    const results: MapResult[] = await all(
      skein.operators.agenticMap({ inputs: [1, 2], prompt: '{{item}}', model, concurrency: 1 }),
    )
    expect(results).toMatchObject([
      { success: false, errorKind: 'model_error', error: 'Not so.', attempts: 1 },
      { success: true, output: 'fine' },
    ])
  })

  it('asks in the same sub-session again when an answer does not fit', async () => {
    const skein = await open()
    const schema = { type: 'object', required: ['ok'] }
    const model = scriptedModel(['{}', '{"ok":true}'])
    const options = { inputs: [1], prompt: '{{item}}', model, schema, maxRetries: 1 }
    const [result] = await all(skein.operators.agenticMap(options))
    expect(result).toMatchObject({ output: { ok: true }, attempts: 2 })
    expect(lastText(model.requests[1] as ModelRequest)).toMatch(/^Your last answer did not fit the schema:\n\$: ok is missing\./)
    expect(model.requests[1]?.messages.length).toBe(3)
  })

  it('stops at a doom loop', async () => {
    const skein = await open({ tools: [look] })
    const model = scriptedModel(Array.from({ length: 50 }, () => looping))
    const options = { inputs: [1], prompt: '{{item}}', model, continuation: 'Go on.' }
    const [result] = await all(skein.operators.agenticMap(options))
    expect(result).toMatchObject({ success: false, errorKind: 'model_error', error: 'It made the same call over and over.' })
    expect(model.requests.length).toBeLessThan(10)
  })

  it('goes on in the sub-session of an item that was interrupted', async () => {
    const skein = await open()
    const stop = new AbortController()
    const model = scriptedModel([{ hang: true }])
    const map = skein.operators.agenticMap({ inputs: [1], prompt: '{{item}}', model, signal: stop.signal })
    await expect.poll(() => model.requests.length).toBe(1)
    stop.abort()
    expect(await all(map)).toMatchObject([{ errorKind: 'aborted' }])
    const [result] = await all(skein.operators.resume(map.id, { model: scriptedModel(['done']) }))
    expect(result?.output).toBe('done')
    expect((await skein.sessions.list()).items.map(({ id }) => id)).toEqual([result?.session])
  })
})
