import { SkeinError, type Timers } from '#kernel'
import { memoryStore } from '#journal'
import { type ModelRequest, scriptedModel, type ScriptedStep } from '#models'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { verifies } from '#verifies'
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

const textOf = (request: ModelRequest): string => {
  const part = request.messages[0]?.parts[0]
  return part?.type === 'text' ? part.text : ''
}
const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } as const
const template = 'Count {{item}}'
/** Answers each prompt `Count N` with `{"n":N}`. */
const counting: ScriptedStep = request => ({
  text: JSON.stringify({ n: Number(/\d+/.exec(textOf(request))?.[0]) }),
  usage: { inputTokens: 10, outputTokens: 2 },
})
const many = (count: number, step: ScriptedStep): ScriptedStep[] => Array.from({ length: count }, () => step)

async function all<O>(results: AsyncIterable<MapResult<O>>): Promise<MapResult<O>[]> {
  const list: MapResult<O>[] = []
  for await (const result of results) list.push(result)
  return list
}

/** Timers of up to 10 s that ring at once and tell for how long they were set; those of `kept` never ring. */
function impatient(kept: readonly number[] = []): Timers & { readonly waits: number[] } {
  const waits: number[] = []
  return {
    waits,
    after(ms, run) {
      if (ms > 10_000 || kept.includes(ms)) return () => undefined
      waits.push(ms)
      let on = true
      setImmediate(() => on && run())
      return () => void (on = false)
    },
  }
}
/** Of leases. */
const others = [5_000]

describe('llmMap', () => {
  it('gives each input its output, in the order in which they come', async () => {
    const skein = await open()
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>())
    const model = scriptedModel(
      [0, 1, 2].map(n => () => ({ delay: gates[n]?.promise as Promise<void>, text: '```json\n{"n": 7}\n```' })),
    )
    const map = skein.operators.llmMap({ inputs: ['a', 'b', 'c'], prompt: template, schema, model })
    const seen: MapResult[] = []
    const reading = (async () => {
      for await (const result of map) {
        seen.push(result)
        gates[seen.length === 1 ? 0 : 1]?.resolve()
      }
    })()
    await expect.poll(() => model.requests.length).toBe(3)
    gates[2]?.resolve()
    await reading
    const index = (n: number) => ['a', 'b', 'c'].indexOf(textOf(model.requests[n] as ModelRequest).slice(6))
    expect(seen.map(result => result.index)).toEqual([index(2), index(0), index(1)])
    expect(seen[0]).toMatchObject({ output: { n: 7 }, success: true, error: null, errorKind: null, attempts: 1 })
    expect(await map.result()).toEqual({ map: map.id, total: 3, succeeded: 3, failed: 0 })
    expect((await all(map.results({ after: 2 }))).map(result => result.index)).toEqual([index(1)])
  })

  it('tells the model the schema, the system prompt, the temperature and no tools', async () => {
    const skein = await open()
    const model = scriptedModel(['{"n":1}'])
    const prompt = (item: { who: string }, index: number) => `${item.who} ${index}`
    await skein.operators.llmMap({ inputs: [{ who: 'Ann' }], prompt, schema, model, system: 'Be brief.' }).result()
    const [request] = model.requests
    expect(textOf(request as ModelRequest)).toBe('Ann 0')
    expect(request).toMatchObject({ temperature: 0, tools: [] })
    expect(request?.system).toMatch(/^Be brief\.\n\n.*JSON Schema:\n\{"type":"object"/s)
  })

  it('reads an async iterable only as far as workers are free', async () => {
    const skein = await open()
    const gate = Promise.withResolvers<void>()
    let read = 0
    async function* inputs() {
      for (; read < 20; read++) yield read
    }
    const model = scriptedModel(
      many(20, request => ({ ...(counting as (r: ModelRequest) => object)(request), delay: gate.promise })),
    )
    const map = skein.operators.llmMap({ inputs: inputs(), prompt: template, schema, model, concurrency: 3 })
    await expect.poll(() => model.requests.length).toBe(3)
    expect((await map.receipt).total).toBeNull()
    expect(read).toBeLessThanOrEqual(3)
    gate.resolve()
    expect((await all(map)).map(({ output }) => output)).toHaveLength(20)
    expect(await map.result()).toMatchObject({ total: 20, succeeded: 20 })
  })

  it('reads JSON Lines from a blob of its parent, and from no other', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    const data = new TextEncoder().encode('"a"\n\n{"b":1}\r\n[2]')
    await session.append({ role: 'user', content: [{ type: 'file', mediaType: 'application/jsonl', data }] })
    const [part] = (await session.messages()).flatMap(({ parts }) => parts)
    const blob = (part as { blob: string }).blob
    const model = scriptedModel(many(3, '{"n":0}'))
    const map = skein.operators.llmMap({ inputs: { blob }, prompt: template, schema, model, parent: session, concurrency: 1 })
    expect((await all(map)).map(({ input }) => input)).toEqual(['a', { b: 1 }, [2]])
    const other = await skein.sessions.create()
    const refused = skein.operators.llmMap({ inputs: { blob }, prompt: template, schema, model, parent: other })
    await expect(refused.result()).rejects.toMatchObject({ code: 'blob.not_found' })
  })

  it.each([
    [{ concurrency: 0 }, 'concurrency'],
    [{ concurrency: 129 }, 'concurrency'],
    [{ maxRetries: 11 }, 'maxRetries'],
    [{ temperature: 3 }, 'temperature'],
    [{ prompt: '{{thing}}' }, 'prompt'],
    [{ prompt: '{{item' }, 'prompt'],
    [{ inputs: 7 }, 'inputs'],
    [{ inputs: [1, () => 2] }, 'inputs[1]'],
    [{ schema: undefined }, 'schema'],
    [{ schema: { $ref: 'http://elsewhere/' } }, 'schema.$ref'],
    [{ schema: { unevaluatedItems: false } }, 'schema.unevaluatedItems'],
    [{ maxTurns: 3 }, 'maxTurns'],
    [{ parent: 'x' }, 'parent'],
  ])('refuses %j with its path and has written nothing', async (more, path) => {
    const store = memoryStore()
    const skein = await open({ store })
    const options = { inputs: [1], prompt: template, schema, model: scriptedModel([]), ...more } as never
    const map = skein.operators.llmMap(options)
    await expect(map.receipt).rejects.toMatchObject({ code: 'input.invalid', details: { path } })
    expect((await store.in('default').records('map')).items).toEqual([])
  })

  it('stops on a signal: what was interrupted is told, and resumed later', async () => {
    const skein = await open()
    const stop = new AbortController()
    const model = scriptedModel([counting, { hang: true }])
    const options = { inputs: [1, 2, 3], prompt: template, schema, model, concurrency: 1, signal: stop.signal }
    const map = skein.operators.llmMap(options)
    await expect.poll(() => model.requests.length).toBe(2)
    stop.abort()
    const results = await all(map)
    expect(results.map(({ index, errorKind }) => [index, errorKind])).toEqual([
      [0, null],
      [1, 'aborted'],
    ])
    expect(await map.result()).toEqual({ map: map.id, total: 3, succeeded: 1, failed: 0, stopped: true })
    const again = skein.operators.resume(map.id, { model: scriptedModel(many(2, counting)) })
    expect((await all(again)).map(({ index, output }) => [index, output])).toEqual([1, 2, 3].map(n => [n - 1, { n }]))
  })

  it('ends with the error of a prompt that fails, and is resumed with a better one', async () => {
    const skein = await open()
    const broken = (): string => {
      throw new Error('no such field')
    }
    const model = scriptedModel(many(2, counting))
    const map = skein.operators.llmMap({ inputs: [4, 5], prompt: broken, schema, model })
    await expect(map.result()).rejects.toThrow('no such field')
    await expect(skein.operators.resume(map.id).receipt).rejects.toMatchObject({ details: { path: 'prompt' } })
    await expect(skein.operators.resume(map.id, { prompt: template }).result()).rejects.toMatchObject({
      details: { path: 'model' },
    })
    expect(await skein.operators.resume(map.id, { prompt: template, model }).result()).toMatchObject({ succeeded: 2 })
  })

  it('says how far a map is, and knows no other', async () => {
    const skein = await open()
    const map = skein.operators.llmMap({ inputs: [1, 2], prompt: template, schema, model: scriptedModel(many(2, counting)) })
    await map.result()
    expect(await skein.operators.get(map.id)).toMatchObject({ state: 'ended', total: 2, succeeded: 2, failed: 0 })
    const page = await skein.operators.results(map.id, { limit: 1 })
    expect([page.items.length, page.next]).toEqual([1, 1])
    expect((await skein.operators.results(map.id, { after: 1 })).next).toBeUndefined()
    const unknown = skein.operators.get('map_01HF7YAT000000000000000000')
    await expect(unknown).rejects.toMatchObject({ code: 'map.not_found' })
    await expect(skein.in('other').operators.get(map.id)).rejects.toMatchObject({ code: 'map.not_found' })
  })

  it('leaves items to be done when it is closed', async () => {
    const store = memoryStore()
    const skein = await open({ store })
    const map = skein.operators.llmMap({
      inputs: [1, 2],
      prompt: template,
      schema,
      model: scriptedModel([{ hang: true }, { hang: true }]),
    })
    await map.receipt
    await skein.close({ waitMs: 0 })
    expect(await map.result()).toMatchObject({ succeeded: 0, stopped: true })
    const later = await open({ store })
    const model = scriptedModel(many(2, counting))
    expect(await later.operators.resume(map.id, { model }).result()).toMatchObject({ succeeded: 2 })
  })
})

describe('attempts', () => {
  const run = async (steps: readonly ScriptedStep[], more: object = {}, timers = impatient(others)) => {
    const skein = await open({ timers })
    const model = scriptedModel(steps)
    const map = skein.operators.llmMap({ inputs: [1], prompt: template, schema, model, ...more })
    const [result] = await all(map)
    return { result, prompts: model.requests.map(textOf), waits: timers.waits }
  }
  const failure = new SkeinError('provider.unavailable', 'Overloaded.')

  verifies('C88', 'a timeout adds no guidance', async () => {
    const { result, prompts } = await run([{ hang: true }, counting], { timeoutMs: 77 })
    expect(prompts).toEqual(['Count 1', 'Count 1'])
    expect(result).toMatchObject({ success: true, attempts: 2 })
  })

  verifies('C88', 'a schema failure and what is not JSON add guidance, and no wait', async () => {
    const { result, prompts, waits } = await run(['{"n":"one"}', 'I think 1', counting])
    expect(prompts[0]).toBe('Count 1')
    expect(prompts[1]).toMatch(/^Count 1\n\nYour last answer did not fit the schema:\n\$\.n: Expected integer, got string\./)
    expect(prompts[2]).toMatch(/^Count 1\n\nYour last answer was not JSON/)
    expect(waits).toEqual([])
    expect(result).toMatchObject({ output: { n: 1 }, attempts: 3 })
  })

  verifies('C88', 'a failing model is asked at most maxRetries + 1 times, with the back-off between', async () => {
    const { result, prompts, waits } = await run(many(9, { failure, usage: { inputTokens: 3 } }), { maxRetries: 6 })
    expect(prompts).toEqual(many(7, 'Count 1'))
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000])
    expect(result).toMatchObject({ success: false, output: null, errorKind: 'model_error', error: 'Overloaded.', attempts: 7 })
    expect(result?.usage.inputTokens).toBe(21)
  })

  verifies('C88', 'kinds of failure share the attempts, and the last one counts', async () => {
    const { result, prompts } = await run([{ failure }, 'no', { hang: true }, '{}'], { timeoutMs: 77 })
    expect(prompts.length).toBe(4)
    expect(result).toMatchObject({ errorKind: 'schema_mismatch', attempts: 4 })
  })

  it('does not ask again what no asking mends', async () => {
    const rejected = new SkeinError('auth.rejected', 'Wrong key.')
    const { result } = await run([{ failure: rejected }, counting])
    expect(result).toMatchObject({ errorKind: 'model_error', error: 'Wrong key.', attempts: 1 })
  })

  verifies('C88', 'no more than concurrency items are asked for at once', async () => {
    const skein = await open()
    let now = 0
    let most = 0
    const five = Promise.withResolvers<void>()
    const step: ScriptedStep = async request => {
      most = Math.max(most, ++now)
      if (now === 5) five.resolve()
      await five.promise
      await new Promise(resolve => setImmediate(resolve))
      now--
      return now % 3 === 0 ? 'not json' : (counting as (r: ModelRequest) => string)(request)
    }
    const inputs = Array.from({ length: 60 }, (_, n) => n)
    const map = skein.operators.llmMap({
      inputs,
      prompt: template,
      schema,
      model: scriptedModel(many(1_000, step)),
      concurrency: 5,
    })
    expect((await all(map)).map(({ index }) => index).sort((a, b) => a - b)).toEqual(inputs)
    expect(most).toBe(5)
  })
})

describe('what the parent is told', () => {
  verifies('C90', 'one map_started, one map_ended, and the usage of every request, under purpose map', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    const live: string[] = []
    session.on('map_item_ended', event => void live.push(`${(event as { index?: number }).index}`))
    const model = scriptedModel(['no', ...many(4, counting)])
    const map = skein.operators.llmMap({ inputs: [1, 2, 3], prompt: template, schema, model, parent: session, concurrency: 1 })
    await map.result()
    const entries = (await session.entries()).filter(({ type }) => /^(map|usage)_/.test(type))
    expect(entries.map(({ type }) => type)).toEqual(['map_started', ...many(4, 'usage_recorded'), 'map_ended'])
    expect(entries.at(0)?.data).toEqual({ map: map.id, kind: 'llm', model: 'scripted/script', total: 3 })
    expect(entries.at(-1)?.data).toEqual({ map: map.id, total: 3, succeeded: 3, failed: 0 })
    expect((await session.usage({ by: 'purpose' })).by).toMatchObject([{ key: 'map', requests: 4, usage: { inputTokens: 30 } }])
    expect((await session.messages()).length).toBe(0)
    await expect.poll(() => live).toEqual(['0', '1', '2'])
  })

  it('is read by its ref, and no other session has it', async () => {
    const skein = await open()
    const [session, other] = [await skein.sessions.create(), await skein.sessions.create()]
    const model = scriptedModel(many(2, counting))
    const map = skein.operators.llmMap({ inputs: ['first', 'second'], prompt: template, schema, model, parent: session })
    await map.result()
    const { kind, content } = await session.expand(map.id)
    const [info, ...results] = content
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { map?: string; input?: string })
    expect([kind, info?.map, results.map(({ input }) => input).sort()]).toEqual(['map', map.id, ['first', 'second']])
    expect((await session.describe(map.id)).kind).toBe('map')
    await expect(other.expand(map.id)).rejects.toMatchObject({ code: 'map.not_found' })
  })

  verifies('C90', 'a map that was stopped and resumed is begun and ended once', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    const stop = new AbortController()
    const model = scriptedModel([counting, { hang: true }])
    const map = skein.operators.llmMap({
      inputs: [1, 2],
      prompt: template,
      schema,
      model,
      parent: session.id,
      concurrency: 1,
      signal: stop.signal,
    })
    await expect.poll(() => model.requests.length).toBe(2)
    stop.abort()
    await map.result()
    await skein.operators.resume(map.id, { model: scriptedModel([counting]) }).result()
    await skein.operators.resume(map.id).result()
    const types = (await session.entries()).map(({ type }) => type).filter(type => type.startsWith('map_'))
    expect(types).toEqual(['map_started', 'map_ended'])
  })

  verifies('C90', 'without a parent no journal changes', async () => {
    const skein = await open()
    const session = await skein.sessions.create()
    const before = await session.entries()
    await skein.operators.llmMap({ inputs: [1], prompt: template, schema, model: scriptedModel([counting]) }).result()
    expect(await session.entries()).toEqual(before)
    expect((await skein.sessions.list()).items.length).toBe(1)
  })

  it('gives it its own model where none is named', async () => {
    const skein = await open()
    const model = scriptedModel([counting])
    const session = await skein.sessions.create({ modelOverride: model })
    await skein.operators.llmMap({ inputs: [1], prompt: template, schema, parent: session }).result()
    expect(model.requests.length).toBe(1)
    const orphan = skein.operators.llmMap({ inputs: [1], prompt: template, schema })
    await expect(orphan.result()).rejects.toMatchObject({ code: 'auth.missing' })
  })
})
