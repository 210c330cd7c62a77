import { byteLength, stringify } from '#kernel'
import { fullUsage } from '#journal'
import type { ModelEvent, ModelInfo, ModelPort, ModelRequest, RequestMessage } from './port.ts'

export const demoNotice = 'demo model: no language model is connected'

export const demoInfo: ModelInfo = {
  provider: 'demo',
  id: 'echo',
  name: 'Echo (demo, no language model)',
  contextWindow: 128_000,
  maxOutput: 32_000,
  capabilities: { tools: true, images: false, reasoning: false },
  prices: [{ provider: 'demo', model: 'echo', rates: { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 } }],
  demo: true,
}

/**
 * The model that needs no key and no network. It answers `You said: TEXT`; for `/call NAME JSON` it calls that tool and
 * then answers `NAME returned: RESULT`. Usage is an estimate of four bytes a token; it costs nothing.
 */
export function demoModel(): ModelPort {
  return {
    provider: demoInfo.provider,
    modelId: demoInfo.id,
    info: demoInfo,
    async *stream(request, signal) {
      for (const event of answerTo(request)) {
        signal.throwIfAborted()
        yield event
      }
    },
  }
}

function* answerTo(request: ModelRequest): Generator<ModelEvent> {
  yield { type: 'request_started' }
  const last = request.messages.at(-1)
  const call = last?.role === 'user' ? /^\/call\s+(\S+)\s*([^]*)$/.exec(textOf(last).trim()) : null
  const [name, input] = [call?.[1], call?.[2] || '{}']
  const said = name === undefined ? spoken(last) : input
  if (name === undefined) {
    for (const text of said.match(/\s*\S+\s*/g) ?? [said]) yield { type: 'text_delta', id: 'text', text }
  } else {
    // Numbered by the messages before it, so no two calls of a session share an id.
    const callId = `demo_${request.messages.length}`
    yield { type: 'call_delta', callId, name, text: input }
    yield { type: 'call_ended', callId, name, input }
  }
  yield { type: 'usage', usage: fullUsage({ inputTokens: tokens(promptOf(request)), outputTokens: tokens(said) }) }
  yield { type: 'ended', reason: name === undefined ? 'stop' : 'tool_calls' }
}

function spoken(last: RequestMessage | undefined): string {
  const results = (last?.parts ?? []).flatMap(part =>
    part.type === 'tool_result'
      ? [`${part.tool} returned: ${typeof part.output === 'string' ? part.output : stringify(part.output)}`]
      : [],
  )
  return results.length > 0 ? results.join('\n') : `You said: ${last === undefined ? '' : textOf(last)}`
}

const textOf = (message: RequestMessage): string =>
  message.parts.flatMap(part => (part.type === 'text' && part.origin !== 'recall' ? [part.text] : [])).join('\n')

const promptOf = (request: ModelRequest): string =>
  [request.system ?? '', stringify(request.tools as never), ...request.messages.map(textOf)].join('\n')

const tokens = (text: string): number => Math.ceil(byteLength(text) / 4)
