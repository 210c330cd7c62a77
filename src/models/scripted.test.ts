import { SkeinError } from '#kernel'
import { describe, expect, it } from 'vitest'
import { complete } from './complete.ts'
import type { ModelEvent, ModelPort, ModelRequest } from './port.ts'
import { scriptedModel } from './scripted.ts'

const request: ModelRequest = { messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }], tools: [] }
const signal = new AbortController().signal
async function events(port: ModelPort): Promise<ModelEvent[]> {
  const all: ModelEvent[] = []
  for await (const event of port.stream(request, signal)) all.push(event)
  return all
}
const types = async (port: ModelPort): Promise<string[]> => (await events(port)).map(({ type }) => type)

describe('a scripted model', () => {
  it('answers step by step and keeps the requests as they were', async () => {
    const messages = [...request.messages]
    const model = scriptedModel(['one', asked => `saw ${asked.messages.length}`])
    expect((await complete(model, { ...request, messages }, signal)).text).toBe('one')
    messages.push(...messages)
    expect((await complete(model, { ...request, messages }, signal)).text).toBe('saw 2')
    expect(model.requests.map(kept => kept.messages.length)).toEqual([1, 2])
  })
  it('gives reasoning, text, calls and usage in this order', async () => {
    const answer = await events(
      scriptedModel([
        {
          reasoning: { text: 'hm', providerData: { sig: 'x' } },
          text: ['a', 'b'],
          calls: [
            { tool: 'read', input: { path: 'a' } },
            { tool: 'bad', input: '{broken', callId: 'mine' },
          ],
          usage: { inputTokens: 3 },
        },
      ]),
    )
    expect(answer).toMatchObject([
      { type: 'request_started' },
      { type: 'reasoning_delta', text: 'hm' },
      { type: 'reasoning_ended', providerData: { sig: 'x' } },
      { type: 'text_delta', text: 'a' },
      { type: 'text_delta', text: 'b' },
      { type: 'call_delta' },
      { type: 'call_ended', callId: 'call_0_0', name: 'read', input: '{"path":"a"}' },
      { type: 'call_delta' },
      { type: 'call_ended', callId: 'mine', input: '{broken' },
      { type: 'usage', usage: { inputTokens: 3, outputTokens: null } },
      { type: 'ended', reason: 'tool_calls' },
    ])
  })
  it('past its end fails with model.script_ended', async () => {
    expect(await events(scriptedModel([]))).toMatchObject([{ type: 'failed', error: { code: 'model.script_ended' } }])
  })
  it('fails after what it said, or just stops', async () => {
    const failure = new SkeinError('provider.unavailable', 'busy')
    expect((await events(scriptedModel([{ text: 'half', failure }]))).at(-1)).toEqual({ type: 'failed', error: failure })
    expect(await types(scriptedModel([{ text: 'half', cut: true }]))).toEqual(['request_started', 'text_delta'])
    await expect(complete(scriptedModel([{ cut: true }]), request, signal)).rejects.toMatchObject({ code: 'provider.truncated' })
  })
  it('waits for its gate', async () => {
    const gate = Promise.withResolvers<void>()
    const order: string[] = []
    const answered = complete(scriptedModel([{ delay: gate.promise, text: 'x' }]), request, signal).then(() =>
      order.push('answered'),
    )
    order.push('opened')
    gate.resolve()
    await answered
    expect(order).toEqual(['opened', 'answered'])
    const waits: number[] = []
    await types(scriptedModel([{ delay: 250 }], { wait: async ms => void waits.push(ms) }))
    expect(waits).toEqual([250])
  })
  it('hangs until it is aborted, then throws the reason', async () => {
    const stop = new AbortController()
    const seen: string[] = []
    const reading = (async () => {
      for await (const event of scriptedModel([{ text: 'half', hang: true }]).stream(request, stop.signal)) {
        seen.push(event.type)
        if (event.type === 'text_delta') queueMicrotask(() => stop.abort(new Error('enough')))
      }
    })()
    await expect(reading).rejects.toThrow('enough')
    expect(seen).toEqual(['request_started', 'text_delta'])
  })
})

describe('complete', () => {
  it('gives the text, throws the failure, and tells usage either way', async () => {
    const told: (number | null)[] = []
    const hear = (usage: { inputTokens: number | null }): void => void told.push(usage.inputTokens)
    const failure = new SkeinError('provider.rejected', 'no')
    const model = scriptedModel([
      { text: ['a', 'b'], usage: { inputTokens: 1 } },
      { usage: { inputTokens: 2 }, failure },
    ])
    expect(await complete(model, request, signal, hear)).toMatchObject({ text: 'ab', reason: 'stop' })
    await expect(complete(model, request, signal, hear)).rejects.toBe(failure)
    expect(told).toEqual([1, 2])
  })
})
