import { describe, expect, it } from 'vitest'
import { isSkeinError } from '#kernel'
import { stowParts } from '#journal'
import { verifies } from '#verifies'
import type { FormatMessage, OutgoingMessage } from './message-shape.ts'
import { type ForeignFormat, readForeign, writeMessages } from './messages.ts'

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII='

/** Through the journal and back: files stowed as blobs, everything as JSON. */
function there(format: ForeignFormat, given: unknown): { read: FormatMessage[]; written: unknown } {
  const read = readForeign(format, given)
  const blobs = new Map<string, Uint8Array>()
  const stored = read.map(message => {
    const parts = message.parts.map(part => {
      if (part.type !== 'file' || !('data' in part)) return part
      const stowed = stowParts([part])
      for (const blob of stowed.blobs) blobs.set(blob.id, blob.bytes)
      return stowed.parts[0] ?? part
    })
    return JSON.parse(JSON.stringify({ ...message, parts })) as OutgoingMessage
  })
  return { read, written: JSON.parse(JSON.stringify(writeMessages(format, stored, { contentOf: blob => blobs.get(blob) }))) }
}

function expectEqual(format: ForeignFormat, given: readonly unknown[]): void {
  expect(there(format, given).written).toEqual(given)
}

function refusal(format: ForeignFormat, messages: unknown): unknown {
  try {
    readForeign(format, messages)
  } catch (error) {
    if (isSkeinError(error) && error.code === 'input.invalid') return error.details['path']
    throw error
  }
  return 'accepted'
}

describe('messages API messages', () => {
  const messages = [
    { role: 'user', content: 'Hi' },
    {
      role: 'assistant',
      id: 'msg_1',
      model: 'claude',
      stop_reason: 'tool_use',
      usage: { input_tokens: 3 },
      content: [
        { type: 'thinking', thinking: 'hm', signature: 'sig==' },
        { type: 'redacted_thinking', data: 'opaque==' },
        { type: 'text', text: 'Looking.', citations: null },
        { type: 'server_tool_use', id: 'srv', name: 'web_search', input: { q: 'x' } },
        { type: 'tool_use', id: 'toolu_1', name: 'look', input: { a: [1] } },
        { type: 'tool_use', id: 'toolu_2', name: 'read', input: {}, cache_control: { type: 'ephemeral' } },
      ],
    },
    {
      role: 'user',
      content: [
        {
          type: 'tool_result',
          tool_use_id: 'toolu_1',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: pixel } },
            { type: 'text', text: 'seen' },
          ],
          is_error: false,
        },
        { type: 'tool_result', tool_use_id: 'toolu_2', content: 'no such file', is_error: true },
        { type: 'text', text: 'go on' },
      ],
    },
    { role: 'assistant', content: [{ type: 'text', text: 'Done.' }] },
    {
      role: 'user',
      content: [
        { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: pixel }, title: 'A', context: 'c' },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'plain é' } },
        { type: 'document', source: { type: 'file', file_id: 'file_1' } },
      ],
    },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_3', name: 'none', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_3' }] },
  ]

  it('come back equal', () => expectEqual('anthropic', messages))

  verifies('J9', 'signatures and redacted reasoning are kept byte for byte', () => {
    const { read } = there('anthropic', messages)
    expect(read[1]?.parts.slice(0, 2)).toEqual([
      { type: 'reasoning', text: 'hm', signature: 'sig==' },
      { type: 'reasoning', text: '', redacted: 'opaque==' },
    ])
    expect(read[1]).toMatchObject({ finishReason: 'tool_calls', rawFinishReason: 'tool_use' })
  })

  it('put results apart from what the user says', () => {
    const { read } = there('anthropic', messages)
    expect(read.map(message => message.role)).toEqual([
      'user',
      'assistant',
      'tool',
      'user',
      'assistant',
      'user',
      'assistant',
      'tool',
    ])
    expect(read[2]?.parts).toMatchObject([
      { type: 'tool_result', tool: 'look', status: 'ok', output: [{ type: 'text', text: 'seen' }] },
      { type: 'file', mediaType: 'image/png' },
      { type: 'tool_result', tool: 'read', status: 'error', output: 'no such file' },
    ])
    expect(read[3]?.parts).toMatchObject([{ type: 'text', text: 'go on' }])
  })

  it('join tool messages, and leave out reasoning without a signature and empty texts', () => {
    const result = (callId: string): OutgoingMessage => ({
      role: 'tool',
      parts: [{ type: 'tool_result', callId, tool: 't', status: 'denied', output: 'no' }],
    })
    const written = writeMessages('anthropic', [
      { role: 'system', parts: [{ type: 'text', text: 'S' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'r' },
          { type: 'text', text: '' },
          { type: 'tool_call', callId: 'a', tool: 't', input: {} },
        ],
      },
      result('a'),
      result('b'),
      { role: 'assistant', parts: [{ type: 'reasoning', text: 'r' }] },
      { role: 'user', parts: [{ type: 'text', text: 'x' }] },
    ])
    expect(written).toEqual([
      { role: 'user', content: 'S' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 't', input: {} }] },
      { role: 'user', content: ['a', 'b'].map(id => ({ type: 'tool_result', tool_use_id: id, content: 'no', is_error: true })) },
      { role: 'user', content: 'x' },
    ])
  })

  it.each([
    ['messages[0].role', [{ role: 'system', content: 'x' }]],
    ['messages[0].content[0].type', [{ role: 'user', content: [{ type: 'video' }] }]],
    ['messages[0].content[0].type', [{ role: 'assistant', content: [{ type: 'tool_result', tool_use_id: 'a' }] }]],
    ['messages[0].content[0].id', [{ role: 'assistant', content: [{ type: 'tool_use', name: 'a' }] }]],
    [
      'messages[0].content[0].source.data',
      [{ role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type: 'a/b', data: '?' } }] }],
    ],
    [
      'messages[0].content[0].content[0].type',
      [
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'tool_use', id: 'a', name: 'b' }] }],
        },
      ],
    ],
  ])('are refused at %s', (path, given) => expect(refusal('anthropic', given)).toBe(path))
})
