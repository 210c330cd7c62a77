import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { SkeinError, systemTimers } from '#kernel'
import { scriptedModel } from '#models'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { call, codeOf, gate, talk, tool } from './agent-talk.ts'

const packageName = '@opentelemetry/api'
const isInstalled = ((): boolean => {
  try {
    createRequire(import.meta.url).resolve(packageName)
    return true
  } catch {
    return false
  }
})()
if (!isInstalled) console.warn(`${packageName} is not installed: spans are not tested.`)

interface Told {
  readonly name: string
  readonly kind: number
  readonly parent: Told | undefined
  readonly attributes: Record<string, unknown>
  status: { readonly code: number; readonly message?: string } | undefined
  ends: number
}

interface Api {
  readonly trace: {
    setGlobalTracerProvider(provider: object): boolean
    disable(): void
    getSpan(context: object): { readonly told?: Told } | undefined
    getActiveSpan(): { readonly told?: Told } | undefined
    getTracer(name: string): { startSpan(name: string): { end(): void } }
    setSpan(context: object, span: object): object
  }
  readonly context: {
    setGlobalContextManager(manager: object): boolean
    disable(): void
    active(): object
    with<T>(context: object, work: () => T): T
  }
  readonly ROOT_CONTEXT: object
}

/** A tracer provider that keeps what it is told, as an SDK would export it. */
function provider(api: Api, spans: Told[], { sampled = true, broken = false } = {}): object {
  const startSpan = (name: string, options: { kind: number; attributes: object }, context: object = api.ROOT_CONTEXT): object => {
    if (broken) throw new Error('broken SDK')
    const told: Told = {
      name,
      kind: options?.kind ?? 0,
      parent: api.trace.getSpan(context)?.told,
      attributes: { ...options?.attributes },
      status: undefined,
      ends: 0,
    }
    if (sampled) spans.push(told)
    return {
      told,
      isRecording: () => sampled,
      setAttributes: (more: object) => Object.assign(told.attributes, more),
      setStatus: (status: Told['status']) => void (told.status = status),
      end: () => void told.ends++,
      spanContext: () => ({ traceId: '1', spanId: '2', traceFlags: 1 }),
    }
  }
  return { getTracer: () => ({ startSpan }) }
}

function contextManager(api: Api): object {
  const storage = new AsyncLocalStorage<object>()
  return {
    active: () => storage.getStore() ?? api.ROOT_CONTEXT,
    with: (context: object, work: (...given: unknown[]) => unknown, self?: unknown, ...given: unknown[]) =>
      storage.run(context, () => work.call(self, ...given)),
    bind: (_context: object, target: unknown) => target,
    enable: () => undefined,
    disable: () => undefined,
  }
}

const opened: Skein[] = []
async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  opened.push(skein)
  return skein
}
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

const usage = {
  inputTokens: 100,
  cacheReadTokens: 40,
  cacheWrite5mTokens: 10,
  cacheWrite1hTokens: 0,
  outputTokens: 7,
  reasoningTokens: 2,
}

describe.skipIf(!isInstalled)('runs told to OpenTelemetry', () => {
  let api: Api
  let spans: Told[]

  beforeEach(async () => {
    api = (await import(packageName)) as Api
    spans = []
    api.context.setGlobalContextManager(contextManager(api))
    return () => {
      api.trace.disable()
      api.context.disable()
    }
  })
  const register = (more?: object): void => void api.trace.setGlobalTracerProvider(provider(api, spans, more))

  it('are a span each, and below it one for every request and every call, by the conventions', async () => {
    register()
    const skein = await open()
    let seen: Told | undefined
    const work = tool('work', async () => {
      await Promise.resolve()
      seen = api.trace.getActiveSpan()?.told
      return 'worked'
    })
    const { session } = await talk(
      skein,
      [
        { calls: [{ ...call('work', { secret: 'value' }), callId: 'c1' } as never], usage },
        { text: 'the answer', usage },
      ],
      [work],
    )
    const result = await session.send('the question').result()
    expect(spans.map(({ name, parent }) => [name, parent?.name])).toEqual([
      ['invoke_agent', undefined],
      ['chat script', 'invoke_agent'],
      ['execute_tool work', 'invoke_agent'],
      ['chat script', 'invoke_agent'],
    ])
    expect(spans.map(({ ends }) => ends)).toEqual([1, 1, 1, 1])
    expect(spans.map(({ kind }) => kind)).toEqual([0, 2, 0, 2])
    const [run, chat, executed] = spans
    expect(run?.attributes).toMatchObject({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.conversation.id': session.id,
      'gen_ai.request.model': 'script',
      'gen_ai.usage.input_tokens': 300,
      'gen_ai.usage.output_tokens': 14,
      'skein.turn.id': result.turn,
      'skein.run.status': 'done',
      'skein.run.steps': 2,
    })
    expect(chat?.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.conversation.id': session.id,
      'gen_ai.response.finish_reasons': ['tool_calls'],
      'gen_ai.usage.input_tokens': 150,
      'gen_ai.usage.cache_read.input_tokens': 40,
      'gen_ai.usage.cache_creation.input_tokens': 10,
      'gen_ai.usage.output_tokens': 7,
      'gen_ai.usage.reasoning.output_tokens': 2,
      'skein.step': 1,
      'skein.attempt': 1,
    })
    expect(executed?.attributes).toMatchObject({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'work',
      'gen_ai.tool.type': 'function',
      'gen_ai.conversation.id': session.id,
    })
    // What a tool does by itself lies below its call.
    expect(seen).toBe(executed)
    expect(spans.every(({ status }) => status === undefined)).toBe(true)
    for (const content of ['the question', 'the answer', 'worked', 'secret', 'value'])
      expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toContain(content)
  })

  it('tell content only when they are asked to', async () => {
    register()
    const skein = await open({ telemetry: { captureContent: true } })
    const steps = [{ calls: [call('work', { n: 1 })] }, 'the answer']
    const { session } = await talk(skein, steps, [tool('work', () => 'worked')], { system: 'Be brief.' })
    await session.send('the question').result()
    const [, first, executed, second] = spans.map(({ attributes }) => attributes)
    const json = (attributes: Record<string, unknown> | undefined, name: string): unknown =>
      JSON.parse(String(attributes?.[name]))
    expect(json(first, 'gen_ai.system_instructions')).toEqual([{ type: 'text', content: 'Be brief.' }])
    expect(json(first, 'gen_ai.input.messages')).toEqual([{ role: 'user', parts: [{ type: 'text', content: 'the question' }] }])
    expect(json(first, 'gen_ai.output.messages')).toMatchObject([
      { role: 'assistant', parts: [{ type: 'tool_call', name: 'work', arguments: { n: 1 } }], finish_reason: 'tool_calls' },
    ])
    expect(json(first, 'gen_ai.tool.definitions')).toContainEqual(expect.objectContaining({ type: 'function', name: 'work' }))
    expect(executed).toMatchObject({ 'gen_ai.tool.call.arguments': '{"n":1}', 'gen_ai.tool.call.result': 'worked' })
    expect(json(second, 'gen_ai.input.messages')).toMatchObject([
      { role: 'user' },
      { role: 'assistant' },
      { role: 'tool', parts: [{ type: 'tool_call_response', response: 'worked' }] },
    ])
  })

  it('that fail, are cut or cancelled say with what error, and every span ends', async () => {
    register()
    const timers = {
      after: (ms: number, run: () => void) =>
        ms < 2_000 && ms >= 1_000 ? (setImmediate(run), () => undefined) : systemTimers.after(ms, run),
    }
    const skein = await open({ timers })
    const steps = [
      { text: 'half', cut: true },
      { calls: [call('breaks'), call('denied')] },
      { failure: new SkeinError('provider.rejected', 'No.') },
    ]
    const tools = [tool('breaks', () => Promise.reject(new Error('broken'))), tool('denied', () => 1)]
    const { session } = await talk(skein, steps, tools, { policy: { denyTools: ['denied'] } })
    expect(await session.send('go').result()).toMatchObject({ status: 'failed' })
    expect(spans.map(({ name, attributes, status, ends }) => [name, attributes['error.type'], status?.code, ends])).toEqual([
      ['invoke_agent', 'provider.rejected', 2, 1],
      ['chat script', 'provider.truncated', 2, 1],
      ['chat script', undefined, undefined, 1],
      ['execute_tool breaks', 'tool_error', 2, 1],
      ['chat script', 'provider.rejected', 2, 1],
    ])
    spans.length = 0
    const begun = gate()
    const hung = await talk(
      skein,
      [{ calls: [call('hangs')] }],
      [tool('hangs', () => (begun.open(), new Promise(() => undefined)))],
    )
    const run = hung.session.send('go', { cancelGraceMs: 1 })
    await begun.promise
    await run.cancel()
    expect(spans.map(({ name, attributes, ends }) => [name, attributes['error.type'] ?? null, ends])).toEqual([
      ['invoke_agent', null, 1],
      ['chat script', null, 1],
      ['execute_tool hangs', 'tool_interrupted', 1],
    ])
    expect(spans[0]?.attributes).toMatchObject({ 'skein.run.status': 'cancelled' })
  })

  it("lie below the span that they were sent in, and a provider's own below the request", async () => {
    register()
    const skein = await open()
    const outer = api.trace.getTracer('test').startSpan('outer')
    const inside: (string | undefined)[] = []
    const script = scriptedModel(['answer'])
    const session = await skein.sessions.create({
      modelOverride: {
        ...script,
        provider: 'google',
        modelId: 'gemini-x',
        async *stream(request, signal) {
          inside.push(api.trace.getActiveSpan()?.told?.name)
          await Promise.resolve()
          inside.push(api.trace.getActiveSpan()?.told?.name)
          yield* script.stream(request, signal)
        },
      },
    })
    await api.context.with(api.trace.setSpan(api.context.active(), outer), () => session.send('go').result())
    expect(spans.map(({ name, parent }) => [name, parent?.name])).toEqual([
      ['outer', undefined],
      ['invoke_agent', 'outer'],
      ['chat gemini-x', 'invoke_agent'],
    ])
    expect(inside).toEqual(['chat gemini-x', 'chat gemini-x'])
    expect(spans[2]?.attributes).toMatchObject({ 'gen_ai.provider.name': 'gcp.gemini', 'gen_ai.response.id': 'scripted_0' })
  })

  it('change nothing where nobody listens, where they are not sampled, switched off, or the SDK breaks', async () => {
    const go = async (options: SkeinOptions): Promise<unknown> => {
      const skein = await open(options)
      const { session } = await talk(skein, [{ calls: [call('work')] }, 'answer'], [tool('work', () => 1)])
      return await session.send('go').result()
    }
    const answered = { status: 'done', text: 'answer' }
    expect(await go({})).toMatchObject(answered)
    register({ sampled: false })
    expect(await go({ telemetry: { captureContent: true } })).toMatchObject(answered)
    api.trace.disable()
    register({ broken: true })
    expect(await go({})).toMatchObject(answered)
    api.trace.disable()
    register()
    expect(await go({ telemetry: false })).toMatchObject(answered)
    expect(spans).toEqual([])
    expect(await go({ telemetry: true })).toMatchObject(answered)
    expect(spans).toHaveLength(4)
  })
})

describe('telemetry', () => {
  it('is refused where it makes no sense', async () => {
    for (const telemetry of ['yes', 7, { captureContent: 'yes' }, { capture: true }, { api: {} }, null])
      expect(await codeOf(open({ telemetry: telemetry as never }))).toBe('config.invalid')
  })

  it('takes another copy of the API than the installed one', async () => {
    const names: string[] = []
    const span = { isRecording: () => true, setAttributes: () => undefined, setStatus: () => undefined, end: () => undefined }
    const api = {
      trace: {
        getTracer: () => ({ startSpan: (name: string) => (names.push(name), span) }),
        setSpan: (context: object) => context,
      },
      context: { active: () => ({}), with: (_context: object, work: () => unknown) => work() },
    }
    const { session } = await talk(await open({ telemetry: { api } }), ['answer'])
    expect(await session.send('go').result()).toMatchObject({ text: 'answer' })
    expect(names).toEqual(['invoke_agent', 'chat script'])
  })
})
