import { describe, expect, it } from 'vitest'
import { complete } from './complete.ts'
import { demoModel } from './demo.ts'
import { createModels } from './models.ts'
import type { ModelEvent, ModelRequest, RequestMessage } from './port.ts'

const signal = new AbortController().signal
const user = (text: string): RequestMessage => ({ role: 'user', parts: [{ type: 'text', text }] })
const asking = (...messages: RequestMessage[]): ModelRequest => ({ messages, tools: [] })
async function events(request: ModelRequest): Promise<ModelEvent[]> {
  const all: ModelEvent[] = []
  for await (const event of demoModel().stream(request, signal)) all.push(event)
  return all
}

describe('demo/echo', () => {
  it('says what it was told, in several deltas, byte for byte', async () => {
    const text = 'Hello,  brave\n new world 🌍 '
    expect((await complete(demoModel(), asking(user(text)), signal)).text).toBe(`You said: ${text}`)
    expect((await events(asking(user(text)))).filter(({ type }) => type === 'text_delta').length).toBeGreaterThan(3)
    expect((await complete(demoModel(), asking(user('')), signal)).text).toBe('You said: ')
  })
  it('calls the tool that it is told to', async () => {
    const called = await events(asking(user('/call read {"path": "a b"}')))
    expect(called).toContainEqual({ type: 'call_ended', callId: 'demo_1', name: 'read', input: '{"path": "a b"}' })
    expect(called.at(-1)).toEqual({ type: 'ended', reason: 'tool_calls' })
    expect(await events(asking(user('/call now')))).toContainEqual(expect.objectContaining({ name: 'now', input: '{}' }))
  })
  it('tells what the tool returned', async () => {
    const result = (output: string | { a: number }): RequestMessage => ({
      role: 'tool',
      parts: [{ type: 'tool_result', callId: 'demo_1', tool: 'read', status: 'ok', output }],
    })
    expect((await complete(demoModel(), asking(user('/call read'), result('ok')), signal)).text).toBe('read returned: ok')
    expect((await complete(demoModel(), asking(user('/call read'), result({ a: 1 })), signal)).text).toBe(
      'read returned: {"a":1}',
    )
  })
  it('says nothing of what memory injected', async () => {
    const parts = [{ type: 'text', text: 'remembered', origin: 'recall' } as const, { type: 'text', text: 'hi' } as const]
    expect((await complete(demoModel(), asking({ role: 'user', parts }), signal)).text).toBe('You said: hi')
  })
  it('is labelled, needs no key and costs nothing', async () => {
    const model = await createModels().connect('demo/echo')
    expect(model).toMatchObject({ credential: 'none', info: { demo: true } })
    const { usage } = await complete(model, asking(user('hello there')), signal)
    expect(usage.inputTokens).toBeGreaterThan(0)
    expect(usage.outputTokens).toBeGreaterThan(0)
    expect(model.cost(usage, 0).total).toBe(0)
  })
})
