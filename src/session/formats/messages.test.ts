import { describe, expect, it } from 'vitest'
import { isSkeinError } from '#kernel'
import { type FileInput, stowParts } from '#journal'
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
