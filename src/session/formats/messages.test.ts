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

describe('AI SDK messages', () => {
  const messages = [
    { role: 'system', content: 'S', providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } } },
    { role: 'user', content: 'Hi' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'See', providerOptions: { openai: { a: 1 } } },
        { type: 'image', image: pixel, mediaType: 'image/png' },
        { type: 'image', image: 'https://example.com/a.png' },
        { type: 'file', data: { type: 'data', data: pixel }, mediaType: 'application/pdf', filename: 'a.pdf' },
        { type: 'file', data: { type: 'text', text: 'plain' }, mediaType: 'text/plain' },
        { type: 'file', data: { type: 'reference', reference: { openai: 'file-1' } }, mediaType: 'image/png' },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', providerOptions: { anthropic: { signature: 'sig' } } },
        { type: 'reasoning', text: '', providerOptions: { openai: { itemId: 'rs_1', reasoningEncryptedContent: 'x' } } },
        { type: 'tool-call', toolCallId: 'a', toolName: 'look', input: { q: 1 } },
        { type: 'tool-call', toolCallId: 'b', toolName: 'web', input: {}, providerExecuted: true },
        { type: 'tool-result', toolCallId: 'b', toolName: 'web', output: { type: 'json', value: [] } },
      ],
    },
    {
      role: 'tool',
      content: [
        { type: 'tool-result', toolCallId: 'a', toolName: 'look', output: { type: 'text', value: 'ok' } },
        { type: 'tool-result', toolCallId: 'c', toolName: 'look', output: { type: 'json', value: 'a text' } },
        { type: 'tool-result', toolCallId: 'd', toolName: 'look', output: { type: 'json', value: { a: 1 } } },
        { type: 'tool-result', toolCallId: 'e', toolName: 'look', output: { type: 'error-text', value: 'no' } },
        { type: 'tool-result', toolCallId: 'f', toolName: 'look', output: { type: 'error-json', value: { code: 1 } } },
        { type: 'tool-result', toolCallId: 'g', toolName: 'look', output: { type: 'execution-denied', reason: 'never' } },
        {
          type: 'tool-result',
          toolCallId: 'h',
          toolName: 'look',
          providerOptions: { x: { y: 1 } },
          output: {
            type: 'content',
            value: [
              { type: 'file', data: { type: 'data', data: pixel }, mediaType: 'image/png' },
              { type: 'text', text: 'seen' },
            ],
          },
        },
      ],
    },
    { role: 'assistant', content: [{ type: 'text', text: 'Done.' }] },
  ]

  it('come back equal', () => expectEqual('ai-sdk', messages))

  it('have statuses, signatures and options in their places', () => {
    const { read } = there('ai-sdk', messages)
    expect(read[3]?.parts[0]).toEqual({ type: 'reasoning', text: 'hm', signature: 'sig' })
    expect(read[3]?.parts[1]).toMatchObject({ providerData: { openai: { itemId: 'rs_1' } } })
    expect(read[4]?.parts.flatMap(part => (part.type === 'tool_result' ? [part.status] : []))).toEqual([
      'ok',
      'ok',
      'ok',
      'error',
      'error',
      'denied',
      'ok',
    ])
  })

  it('take bytes and URLs as they come in a program, and write URLs as the SDK asks', () => {
    const data = new Uint8Array(Buffer.from(pixel, 'base64'))
    const [read] = readForeign('ai-sdk', [
      {
        role: 'user',
        content: [
          { type: 'file', data, mediaType: 'image/png' },
          { type: 'file', data: new URL('https://example.com/a'), mediaType: 'image/png' },
        ],
      },
    ])
    expect(png(read?.parts[0])).toEqual(data)
    const [written] = writeMessages('ai-sdk', [read as OutgoingMessage]) as { content: { data: { url?: unknown } }[] }[]
    expect(written?.content[1]?.data.url).toBeInstanceOf(URL)
  })

  it('read a user interface message, step by step', () => {
    const read = readForeign('ai-sdk', [
      {
        id: 'm1',
        role: 'user',
        parts: [
          { type: 'text', text: 'Hi' },
          { type: 'file', mediaType: 'image/png', url: `data:image/png;base64,${pixel}` },
        ],
      },
      {
        id: 'm2',
        role: 'assistant',
        metadata: { a: 1 },
        parts: [
          { type: 'step-start' },
          { type: 'reasoning', text: 'hm', providerMetadata: { anthropic: { signature: 's' } } },
          { type: 'tool-look', toolCallId: 'a', state: 'output-available', input: { q: 1 }, output: { found: true } },
          { type: 'dynamic-tool', toolName: 'other', toolCallId: 'b', state: 'output-error', input: {}, errorText: 'no' },
          { type: 'step-start' },
          { type: 'text', text: 'Found.', state: 'done' },
        ],
      },
    ])
    expect(read).toMatchObject([
      { role: 'user', parts: [{ type: 'text' }, { type: 'file' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', signature: 's' },
          { type: 'tool_call', tool: 'look' },
          { type: 'tool_call', tool: 'other' },
        ],
      },
      {
        role: 'tool',
        parts: [
          { callId: 'a', status: 'ok', output: { found: true } },
          { callId: 'b', status: 'error', output: 'no' },
        ],
      },
      { role: 'assistant', parts: [{ type: 'text', text: 'Found.' }] },
    ])
  })

  it.each([
    ['messages[0].role', [{ role: 'developer', content: '' }]],
    ['messages[0].content[0].type', [{ role: 'user', content: [{ type: 'reasoning', text: '' }] }]],
    [
      'messages[0].content[0].output.type',
      [{ role: 'tool', content: [{ type: 'tool-result', toolCallId: 'a', toolName: 'b', output: { type: 'x' } }] }],
    ],
    ['messages[0].content[0].toolCallId', [{ role: 'assistant', content: [{ type: 'tool-call', toolName: 'b' }] }]],
    ['messages[0].content[0].image', [{ role: 'user', content: [{ type: 'image', image: 'not base64!' }] }]],
    ['messages[0].parts[0].text', [{ role: 'user', parts: [{ type: 'text' }] }]],
  ])('are refused at %s', (path, given) => expect(refusal('ai-sdk', given)).toBe(path))
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

describe('messages of our own', () => {
  const own: OutgoingMessage[] = [
    { role: 'user', parts: [{ type: 'text', text: 'Hi' }] },
    {
      role: 'assistant',
      parts: [
        { type: 'text', text: 'Looking.' },
        { type: 'tool_call', callId: 'c', tool: 'look', input: { a: 1 } },
      ],
    },
    { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 'look', status: 'ok', output: 'seen' }] },
    { role: 'assistant', parts: [{ type: 'text', text: 'Done.' }] },
  ]

  it.each(['openai', 'openai-responses', 'anthropic', 'ai-sdk'] as const)('survive a way through %s', format => {
    const back = readForeign(format, JSON.parse(JSON.stringify(writeMessages(format, own))))
    const bare = back.map(({ role, parts }) => ({
      role,
      parts: parts.map(part => Object.fromEntries(Object.entries(part).filter(([key]) => key !== 'providerData'))),
    }))
    expect(bare).toEqual(own)
  })

  it('carry files with their content in the shape of the journal', () => {
    const data = new Uint8Array([1, 2, 3])
    const { parts, blobs } = stowParts([{ type: 'file', mediaType: 'a/b', name: 'n', data }])
    const written = writeMessages('skein', [{ role: 'user', parts }], {
      contentOf: id => blobs.find(blob => blob.id === id)?.bytes,
    })
    expect(written).toEqual([{ role: 'user', parts: [{ type: 'file', mediaType: 'a/b', name: 'n', data: 'AQID' }] }])
  })
})
