import { describe, expect, it } from 'vitest'
import { isSkeinError } from '#kernel'
import { type FileInput, stowParts } from '#journal'
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

const png = (part: unknown): Uint8Array | undefined => (part as FileInput).data

describe('chat completions', () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'developer', content: [{ type: 'text', text: 'Really.' }], name: 'dev' },
    {
      role: 'user',
      name: 'ann',
      content: [
        { type: 'text', text: 'What is this?', cache_control: { type: 'ephemeral' } },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${pixel}`, detail: 'low' } },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
        { type: 'input_audio', input_audio: { data: pixel, format: 'mp3' } },
        { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${pixel}` } },
        { type: 'file', file: { file_id: 'file-1' } },
      ],
    },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"a": 1}' } },
        { id: 'call_2', type: 'function', function: { name: 'look', arguments: '{"broken' }, index: 1 },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'a pixel' },
    {
      role: 'tool',
      tool_call_id: 'call_2',
      content: [
        { type: 'text', text: 'x' },
        { type: 'text', text: 'y', cache_control: {} },
      ],
    },
    { role: 'assistant', content: 'A pixel.', refusal: null, annotations: [] },
    { role: 'user', content: 'Thanks.' },
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
    { role: 'assistant', content: '' },
  ]

  it('come back equal', () => expectEqual('openai', messages))

  it('become messages with the tool named by its call', () => {
    const { read } = there('openai', messages)
    expect(read.map(message => message.role)).toEqual([
      'system',
      'system',
      'user',
      'assistant',
      'tool',
      'tool',
      'assistant',
      'user',
      'assistant',
      'assistant',
    ])
    expect(read[3]?.parts).toMatchObject([
      { type: 'tool_call', callId: 'call_1', tool: 'look', input: { a: 1 } },
      { input: '{"broken' },
    ])
    expect(read[4]?.parts).toMatchObject([
      { type: 'tool_result', callId: 'call_1', tool: 'look', status: 'ok', output: 'a pixel' },
    ])
    expect(png(read[2]?.parts[1])).toEqual(new Uint8Array(Buffer.from(pixel, 'base64')))
  })

  verifies('G87', 'all eleven fields of an agent come back under their names', () => {
    const given = [
      {
        role: 'assistant',
        content: 'Done.',
        finish_reason: 'tool_calls',
        reasoning_content: 'think',
        reasoning: 'other thought',
        reasoning_details: [{ type: 'reasoning.encrypted', data: 'abc' }],
        codex_reasoning_items: [{ id: 'rs_1', encrypted_content: 'x' }],
        codex_message_items: [{ id: 'msg_1', phase: 'final' }],
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c', tool_name: 'f', content: 'ok' },
      { role: 'assistant', content: null, reasoning: 'alone', finish_reason: 'stop' },
    ]
    expectEqual('openai', given)
    const { read } = there('openai', given)
    expect(read[0]).toMatchObject({
      finishReason: 'tool_calls',
      rawFinishReason: 'tool_calls',
      parts: [{ type: 'reasoning', text: 'think' }, { type: 'text' }, { type: 'tool_call' }],
    })
    expect(read[1]?.parts).toMatchObject([{ tool: 'f' }])
    expect(read[2]?.parts).toMatchObject([{ type: 'reasoning', text: 'alone' }])
  })

  it('leave out reasoning of others and show files of results to the user', () => {
    const file = { type: 'file', mediaType: 'image/png', data: Buffer.from(pixel, 'base64') } as const
    const written = writeMessages('openai', [
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'r', signature: 's' },
          { type: 'tool_call', callId: 'c', tool: 't', input: {} },
        ],
      },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 't', status: 'ok', output: { a: [1] } }, file] },
      { role: 'user', parts: [{ type: 'custom', name: 'x', data: 1 }] },
    ])
    expect(written).toEqual([
      { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 't', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c', content: '{"a":[1]}' },
      { role: 'user', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${pixel}` } }] },
    ])
  })

  it.each([
    ['messages', 'text'],
    ['messages[0]', [1]],
    ['messages[0].role', [{ role: 'bot', content: '' }]],
    ['messages[0].content', [{ role: 'user' }]],
    ['messages[0].content[1].type', [{ role: 'user', content: [{ type: 'text', text: '' }, { type: 'video' }] }]],
    ['messages[0].content[0].text', [{ role: 'user', content: [{ type: 'text' }] }]],
    ['messages[0].content[0].image_url.url', [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }]],
    [
      'messages[0].tool_calls[0].function.arguments',
      [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'b', arguments: {} } }] }],
    ],
    ['messages[0].tool_call_id', [{ role: 'tool', content: '' }]],
  ])('are refused at %s', (path, given) => expect(refusal('openai', given)).toBe(path))
})

describe('responses items', () => {
  const items = [
    { role: 'user', content: 'Hi' },
    { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'D' }] },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'See' },
        { type: 'input_image', image_url: `data:image/png;base64,${pixel}`, detail: 'auto' },
        { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${pixel}` },
        { type: 'input_file', file_id: 'f' },
      ],
    },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'opaque' },
    {
      type: 'message',
      id: 'msg_1',
      role: 'assistant',
      status: 'completed',
      content: [
        { type: 'output_text', text: 'One', annotations: [] },
        { type: 'output_text', text: 'two', annotations: [] },
      ],
    },
    { type: 'message', id: 'msg_2', role: 'assistant', status: 'completed', content: [{ type: 'refusal', refusal: 'No.' }] },
    { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'look', arguments: '{"a": 1}', status: 'completed' },
    { type: 'web_search_call', id: 'ws_1', status: 'completed' },
    { type: 'function_call', call_id: 'c2', name: 'look', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output: 'seen' },
    { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'x' }], status: 'completed' },
    { role: 'assistant', content: 'Done.' },
  ]

  it('come back equal', () => expectEqual('openai-responses', items))

  it('become one message of the assistant and one of the tools', () => {
    const { read } = there('openai-responses', items)
    expect(read.map(message => message.role)).toEqual(['user', 'system', 'user', 'assistant', 'tool', 'assistant'])
    expect(read[3]?.parts.map(part => part.type)).toEqual([
      'reasoning',
      'text',
      'text',
      'text',
      'tool_call',
      'custom',
      'tool_call',
    ])
    expect(read[4]?.parts).toMatchObject([{ callId: 'c1', tool: 'look', output: 'seen' }, { callId: 'c2' }])
  })

  it.each([
    ['messages[0].type', [{ id: 'x' }]],
    ['messages[0].role', [{ role: 'bot', content: '' }]],
    ['messages[0].content[0].type', [{ role: 'user', content: [{ type: 'input_video' }] }]],
    ['messages[0].call_id', [{ type: 'function_call', name: 'a', arguments: '' }]],
  ])('are refused at %s', (path, given) => expect(refusal('openai-responses', given)).toBe(path))
})
