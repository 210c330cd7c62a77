import { describe, expect, it } from 'vitest'
import { readEventStream } from './event-stream.ts'

const stream =
  'retry: 1000\n\n: ping\n\nevent: message_added\nid: 5\ndata: {"a":\ndata: "ü"}\n\nevent: text_delta\r\nid: 5.1\r\ndata:x\r\n\r\ndata: cut off'

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('an event stream', () => {
  it.each([1, 2, 3, 7, 1_000])('reads the same in pieces of %i bytes; what is cut off at its end is none', async size => {
    const found: unknown[] = []
    for await (const message of readEventStream(cut(stream, size))) found.push(message)
    expect(found).toEqual([
      { event: 'message_added', id: '5', data: '{"a":\n"ü"}' },
      { event: 'text_delta', id: '5.1', data: 'x' },
    ])
  })
})
