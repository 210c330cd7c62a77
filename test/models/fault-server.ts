import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How one request is answered. Without `status` it is a stream of `frames`. */
export interface FaultAnswer {
  /** An HTTP failure, with `headers` and a JSON `body`. */
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
  readonly body?: unknown
  /** In place of JSON: what a proxy says. */
  readonly page?: string
  /** The socket is destroyed before a word is said. */
  readonly drop?: boolean
  /** Whole server-sent events, e.g. from `anthropicFrames`. */
  readonly frames?: readonly string[]
  /** What follows the frames: a proper end, a socket that is destroyed, or silence until the client leaves. */
  readonly then?: 'end' | 'cut' | 'hang'
  /** So many bytes at a time, each by itself, also in the middle of a character. */
  readonly drip?: number
}

export interface FaultRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

export interface FaultServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Every request so far, in order. */
  readonly requests: readonly FaultRequest[]
  /** Resolves as soon as a client has left a hanging answer. */
  readonly left: Promise<void>
}

/**
 * A provider on loopback that fails as providers do: one answer per request, in order, the last one from then on.
 * Stop it with `await using`.
 */
export async function faultServer(answers: readonly FaultAnswer[]): Promise<FaultServer> {
  const requests: FaultRequest[] = []
  const left = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString('utf8')
      requests.push({
        path: request.url ?? '',
        headers: request.headers,
        body: text === '' ? null : (JSON.parse(text) as unknown),
      })
      response.on('close', () => left.resolve())
      const answer = answers[Math.min(requests.length, answers.length) - 1] ?? { status: 500 }
      if (answer.drip === undefined) reply(response, answer)
      else void drip(response, answer, answer.drip)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    left: left.promise,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

async function drip(response: ServerResponse, { frames = [], headers, then }: FaultAnswer, size: number): Promise<void> {
  response.socket?.setNoDelay(true)
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers })
  const bytes = Buffer.from(frames.join(''), 'utf8')
  for (let at = 0; at < bytes.length && !response.destroyed; at += size) {
    response.write(bytes.subarray(at, at + size))
    await new Promise(resolve => setImmediate(resolve))
  }
  if (then === 'cut') response.destroy()
  else if (then !== 'hang') response.end()
}

function reply(response: ServerResponse, answer: FaultAnswer): void {
  if (answer.drop === true) {
    response.socket?.destroy()
    return
  }
  if (answer.page !== undefined) {
    response.writeHead(answer.status ?? 200, { 'content-type': 'text/html', ...answer.headers })
    response.end(answer.page)
    return
  }
  if (answer.status !== undefined) {
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
    response.end(JSON.stringify(answer.body ?? { error: { type: 'error', message: `Status ${answer.status}.` } }))
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', ...answer.headers })
  response.flushHeaders()
  for (const frame of answer.frames ?? []) response.write(frame)
  if (answer.then === 'cut') response.socket?.end(() => response.destroy())
  else if (answer.then !== 'hang') response.end()
}

const event = (data: { readonly type: string }): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const line = (data: unknown): string => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

export interface Said {
  readonly text?: string
  readonly thinking?: { readonly text: string; readonly signature: string }
  readonly redacted?: string
  readonly call?: { readonly id: string; readonly name: string; readonly input: unknown }
  /** In the provider's own words. */
  readonly usage?: { readonly [field: string]: unknown }
  readonly stop?: string
}

/** An answer in Anthropic's messages format: usage of the prompt at its start, of the output at its end. */
export function anthropicFrames({ text, thinking, redacted, call, usage = {}, stop }: Said): string[] {
  const { output_tokens: output = 5, ...input } = usage
  const blocks: [object, ...object[]][] = []
  if (thinking !== undefined) {
    blocks.push([
      { type: 'thinking', thinking: '', signature: '' },
      { type: 'thinking_delta', thinking: thinking.text },
      { type: 'signature_delta', signature: thinking.signature },
    ])
  }
  if (redacted !== undefined) blocks.push([{ type: 'redacted_thinking', data: redacted }])
  if (text !== undefined)
    blocks.push([{ type: 'text', text: '' }, ...halves(text).map(half => ({ type: 'text_delta', text: half }))])
  if (call !== undefined) {
    const json = JSON.stringify(call.input)
    blocks.push([
      { type: 'tool_use', id: call.id, name: call.name, input: {} },
      ...halves(json).map(half => ({ type: 'input_json_delta', partial_json: half })),
    ])
  }
  return [
    event({
      type: 'message_start',
      ...{
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: 'claude-test',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 10, output_tokens: 1, ...input },
        },
      },
    }),
    ...blocks.flatMap(([start, ...deltas], index) => [
      event({ type: 'content_block_start', ...{ index, content_block: start } }),
      ...deltas.map(delta => event({ type: 'content_block_delta', ...{ index, delta } })),
      event({ type: 'content_block_stop', ...{ index } }),
    ]),
    event({
      type: 'message_delta',
      ...{
        delta: { stop_reason: stop ?? (call === undefined ? 'end_turn' : 'tool_use'), stop_sequence: null },
        usage: { output_tokens: output },
      },
    }),
    event({ type: 'message_stop' }),
  ]
}

/** An answer in OpenAI's chat format, usage in a last chunk of its own. */
export function chatFrames({ text, call, usage, stop }: Said): string[] {
  const chunk = (delta: object, finish: string | null = null): string =>
    line({
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'test',
      choices: [{ index: 0, delta, finish_reason: finish }],
    })
  return [
    chunk({ role: 'assistant', content: '' }),
    ...halves(text ?? '').map(half => chunk({ content: half })),
    ...(call === undefined
      ? []
      : [
          chunk({
            tool_calls: [
              { index: 0, id: call.id, type: 'function', function: { name: call.name, arguments: JSON.stringify(call.input) } },
            ],
          }),
        ]),
    chunk({}, stop ?? (call === undefined ? 'stop' : 'tool_calls')),
    line({
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'test',
      choices: [],
      usage: usage ?? { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    }),
    line('[DONE]'),
  ]
}

/** The same in OpenAI's responses format; `thinking.signature` is the encrypted reasoning. */
export function responsesFrames({ text, thinking, call, usage }: Said): string[] {
  const items: object[] = []
  const frames: string[] = []
  const add = (item: { id: string }, begun: object, ...between: object[]): void => {
    const index = items.length
    frames.push(event({ type: 'response.output_item.added', ...{ output_index: index, item: { ...item, ...begun } } }))
    for (const more of between)
      frames.push(event({ ...(more as { type: string }), ...{ output_index: index, item_id: item.id } }))
    items.push(item)
    frames.push(event({ type: 'response.output_item.done', ...{ output_index: index, item } }))
  }
  if (thinking !== undefined) {
    const reasoning = {
      type: 'reasoning',
      id: 'rs_1',
      encrypted_content: thinking.signature,
      summary: [{ type: 'summary_text', text: thinking.text }],
    }
    add(
      reasoning,
      { summary: [] },
      { type: 'response.reasoning_summary_part.added', summary_index: 0, part: { type: 'summary_text', text: '' } },
      { type: 'response.reasoning_summary_text.delta', summary_index: 0, delta: thinking.text },
      { type: 'response.reasoning_summary_part.done', summary_index: 0, part: { type: 'summary_text', text: thinking.text } },
    )
  }
  if (text !== undefined) {
    const message = {
      type: 'message',
      id: 'msg_1',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text, annotations: [] }],
    }
    add(
      message,
      { content: [] },
      ...halves(text).map(half => ({ type: 'response.output_text.delta', content_index: 0, delta: half })),
    )
  }
  if (call !== undefined) {
    const json = JSON.stringify(call.input)
    add(
      { type: 'function_call', id: 'fc_1', call_id: call.id, name: call.name, arguments: json, status: 'completed' } as {
        id: string
      },
      { type: 'response.function_call_arguments.delta', delta: json },
    )
  }
  const response = { id: 'resp_1', object: 'response', created_at: 1, model: 'test' }
  return [
    event({ type: 'response.created', ...{ response: { ...response, status: 'in_progress', output: [] } } }),
    ...frames,
    event({
      type: 'response.completed',
      ...{
        response: {
          ...response,
          status: 'completed',
          output: items,
          usage: usage ?? { input_tokens: 10, output_tokens: 5, total_tokens: 15 },
        },
      },
    }),
  ]
}

/** The same in Google's format: usage in every chunk, signatures on thoughts and calls. */
export function googleFrames({ text, thinking, call, usage, stop }: Said): string[] {
  const told = usage ?? { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 }
  const chunk = (part: object, finish?: string): string =>
    line({
      responseId: 'g_1',
      candidates: [
        { index: 0, content: { role: 'model', parts: [part] }, ...(finish === undefined ? {} : { finishReason: finish }) },
      ],
      usageMetadata: told,
    })
  const signed = thinking === undefined ? {} : { thoughtSignature: thinking.signature }
  return [
    ...(thinking === undefined ? [] : [chunk({ text: thinking.text, thought: true })]),
    ...halves(text ?? '').map(half => chunk({ text: half })),
    ...(call === undefined ? [] : [chunk({ functionCall: { id: call.id, name: call.name, args: call.input }, ...signed })]),
    chunk({ text: '' }, stop ?? 'STOP'),
  ]
}

/** An error in the middle of OpenAI's chat stream. */
export const chatError = (code: string, message: string): string => line({ error: { message, type: code, code } })

/** An error in the middle of Anthropic's stream. */
export const anthropicError = (type: string, message: string): string => event({ type: 'error', ...{ error: { type, message } } })

/** The same in the middle of OpenAI's responses stream, and of Google's. */
export const responsesError = (code: string, message: string): string =>
  event({ type: 'error', ...{ sequence_number: 9, error: { type: code, code, message, param: null } } })
export const googleError = (code: number, status: string, message: string): string => line({ error: { code, status, message } })

/** The frames up to and with the first one that holds `text`. */
export function upTo(frames: readonly string[], text: string): string[] {
  const found = frames.findIndex(frame => frame.includes(text))
  if (found < 0) throw new Error(`No frame has ${text}.`)
  return frames.slice(0, found + 1)
}

const halves = (text: string): string[] => {
  const middle = Math.ceil(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)].filter(half => half !== '')
}
