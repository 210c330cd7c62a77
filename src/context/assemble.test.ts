import type { Message } from '#journal'
import { describe, expect, it } from 'vitest'
import { assemble, type ContextItem, pairCalls } from './assemble.ts'

const text = (role: Message['role'], words: string): Message => ({ role, parts: [{ type: 'text', text: words }] })
const call = (callId: string): Message => ({ role: 'assistant', parts: [{ type: 'tool_call', callId, tool: 't', input: {} }] })
const result = (callId: string): Message => ({
  role: 'tool',
  parts: [{ type: 'tool_result', callId, tool: 't', status: 'ok', output: callId }],
})
const items = (messages: readonly Message[], tokens = 10): ContextItem[] => messages.map(message => ({ message, tokens }))

describe('assembling', () => {
  it('takes the newest messages that fit and says how many it left', () => {
    const all = [text('user', 'a'), text('assistant', 'b'), text('user', 'c'), text('assistant', 'd')]
    const context = assemble(items(all), null, 0, 25)
    expect(context.messages).toEqual(all.slice(2))
    expect(context).toMatchObject({ left: 2, fits: true, tokens: { total: 20 } })
  })

  it('keeps the newest user message with all that follows it, also when that alone is too large', () => {
    const all = [text('user', 'a'), text('assistant', 'b'), text('user', 'c'), call('1'), result('1'), text('assistant', 'd')]
    expect(assemble(items(all), null, 0, 15)).toMatchObject({ messages: all.slice(2), fits: false, left: 2 })
  })

  it('never parts a call from its result', () => {
    const all = [text('user', 'a'), call('1'), result('1'), text('user', 'b')]
    for (let usable = 10; usable <= 40; usable++) {
      const shown = assemble(items(all), null, 0, usable).messages.flatMap(message => message.parts)
      const calls = shown.filter(part => part.type === 'tool_call').length
      expect(shown.filter(part => part.type === 'tool_result')).toHaveLength(calls)
    }
  })
})

describe('pairing calls', () => {
  it('answers a dangling call, drops an orphan and a second result, and says so', () => {
    const { messages, repairs } = pairCalls([
      text('user', 'a'),
      call('1'),
      text('user', 'b'),
      call('2'),
      result('2'),
      result('2'),
      result('3'),
    ])
    expect(messages.map(message => message.role)).toEqual(['user', 'assistant', 'tool', 'user', 'assistant', 'tool'])
    expect(messages[2]?.parts[0]).toMatchObject({ callId: '1', status: 'interrupted' })
    expect(repairs.map(repair => `${repair.rule} ${repair.ref}`)).toEqual([
      'result_missing 1',
      'result_duplicate 2',
      'result_orphan 3',
    ])
  })

  it('moves a real result to right after its call', () => {
    const { messages, repairs } = pairCalls([text('user', 'a'), call('1'), text('user', 'b'), result('1')])
    expect(messages.map(message => message.role)).toEqual(['user', 'assistant', 'tool', 'user'])
    expect(messages[2]?.parts[0]).toMatchObject({ callId: '1', status: 'ok' })
    expect(repairs).toEqual([])
  })

  it('gives each of two calls with one id its own result', () => {
    const { messages } = pairCalls([text('user', 'a'), call('1'), result('1'), text('user', 'b'), call('1'), result('1')])
    expect(messages.filter(message => message.role === 'tool')).toHaveLength(2)
  })

  it('begins a conversation that lost its beginning with a user', () => {
    expect(pairCalls([text('assistant', 'a')]).messages[0]).toEqual(text('user', '[session continues]'))
  })

  it('leaves a sound conversation as it is', () => {
    const all = [text('user', 'a'), call('1'), result('1'), text('assistant', 'b')]
    const { messages, repairs } = pairCalls(all)
    expect(messages.every((message, index) => message === all[index])).toBe(true)
    expect(repairs).toEqual([])
  })
})
