/** One message of a `text/event-stream`. */
export interface StreamMessage {
  readonly event: string
  readonly data: string
  readonly id: string
}

/** Reads server-sent events from pieces cut anywhere. Comments and `retry` are left out. Source: html.spec.whatwg.org, 9.2.6. */
export async function* readEventStream(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<StreamMessage> {
  const decoder = new TextDecoder()
  let rest = ''
  let fields: { event?: string; data: string[]; id: string } = { data: [], id: '' }
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true })
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (fields.data.length > 0) yield { event: fields.event ?? 'message', data: fields.data.join('\n'), id: fields.id }
        fields = { data: [], id: fields.id }
        continue
      }
      const colon = line.indexOf(':')
      const [name, value] = colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
      if (name === 'data') fields.data.push(value)
      else if (name === 'event') fields.event = value
      else if (name === 'id') fields.id = value
    }
  }
}
