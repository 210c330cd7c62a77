import { blobId, given, isObject, type Json, type JsonObject, sha256 } from '#kernel'
import type { FinishReason, Message, NewBlob, Part, Usage } from '#journal'
import { base64, bytesOf, type ContentOf, inWords, isTextBlocks, outputText } from './message-shape.ts'
import { nanoDollars } from './nano-dollars.ts'

/** Where pi's own members are kept in `providerData`. */
export const piFormat = 'pi'

/** A message as the journal holds it, with what pi said beside. */
export type PiMessage = Message & { readonly providerData?: Json }

const finishReasons: { readonly [raw: string]: FinishReason } = {
  stop: 'stop',
  length: 'length',
  toolUse: 'tool_calls',
  error: 'error',
  aborted: 'aborted',
}
const rawReasons: { readonly [reason: string]: string } = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'toolUse',
  error: 'error',
  aborted: 'aborted',
  content_filter: 'error',
  other: 'stop',
}

/** Members of an object beside those named. */
export function restOf(value: JsonObject, known: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !known.includes(key)))
}

const ownData = (rest: JsonObject): { providerData?: Json } =>
  Object.keys(rest).length === 0 ? {} : { providerData: { [piFormat]: rest } }

/** What pi's reader left on a part or message. */
export function ownOf(item: object): JsonObject | undefined {
  const data = (item as { readonly providerData?: Json }).providerData
  const own = isObject(data) ? data[piFormat] : undefined
  return isObject(own) ? (own as JsonObject) : undefined
}

/** Reads a user, assistant or toolResult message. `undefined` for any other, or one of the wrong shape. */
export function readPiMessage(value: Json | undefined): { message: PiMessage; blobs: NewBlob[] } | undefined {
  if (!isObject(value)) return undefined
  const source = value as JsonObject
  const blobs: NewBlob[] = []
  switch (source['role']) {
    case 'user': {
      const parts = readContent(source['content'], blobs)
      if (parts === undefined) return undefined
      const plain = typeof source['content'] === 'string' ? { plain: true } : {}
      return { message: { role: 'user', parts, ...ownData({ ...plain, ...restMember(source, ['role', 'content']) }) }, blobs }
    }
    case 'assistant': {
      const parts = readContent(source['content'], blobs)
      if (parts === undefined) return undefined
      const { provider, model, stopReason: raw } = source
      const finish =
        typeof raw === 'string' ? { finishReason: finishReasons[raw] ?? ('other' as const), rawFinishReason: raw } : {}
      const from = typeof provider === 'string' && typeof model === 'string' ? { model: `${provider}/${model}` } : {}
      const plain = typeof source['content'] === 'string' ? { plain: true } : {}
      const rest = restMember(source, [
        'role',
        'content',
        ...('model' in from ? ['provider', 'model'] : []),
        ...('finishReason' in finish ? ['stopReason'] : []),
      ])
      return { message: { role: 'assistant', parts, ...from, ...finish, ...ownData({ ...plain, ...rest }) }, blobs }
    }
    case 'toolResult': {
      const { toolCallId: callId, toolName: tool, isError } = source
      const parts = readContent(source['content'], blobs)
      if (parts === undefined || typeof callId !== 'string' || callId === '' || typeof tool !== 'string' || tool === '')
        return undefined
      const shown = parts.filter(part => part.type !== 'file')
      const [only] = shown
      const single = shown.length === 1 && only?.type === 'text' && only.providerData === undefined
      const output: Json =
        typeof source['content'] === 'string' ? source['content'] : single ? only.text : blocksOf(source['content'])
      const details = source['details'] === undefined ? {} : { details: source['details'] }
      const rest = restMember(source, ['role', 'content', 'toolCallId', 'toolName', 'isError', 'details'])
      const plain = typeof source['content'] === 'string' ? { plain: true } : {}
      const result: Part = {
        type: 'tool_result',
        callId,
        tool,
        status: isError === true ? 'error' : 'ok',
        output,
        ...details,
        ...ownData({ ...plain, ...rest }),
      }
      return { message: { role: 'tool', parts: [result, ...parts.filter(part => part.type === 'file')] }, blobs }
    }
    default:
      return undefined
  }
}

const restMember = (source: JsonObject, known: readonly string[]): JsonObject => {
  const rest = restOf(source, known)
  return Object.keys(rest).length === 0 ? {} : { rest }
}

const blocksOf = (content: Json | undefined): Json =>
  Array.isArray(content) ? (content as readonly Json[]).filter(block => !(isObject(block) && block['type'] === 'image')) : []

function readContent(content: Json | undefined, blobs: NewBlob[]): Part[] | undefined {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  if (!Array.isArray(content) || !content.every(isObject)) return undefined
  return (content as readonly JsonObject[]).map(block => readBlock(block, blobs))
}

function readBlock(block: JsonObject, blobs: NewBlob[]): Part {
  const { type } = block
  const own = (...known: string[]): { providerData?: Json } => ownData(restOf(block, ['type', ...known]))
  if (type === 'text' && typeof block['text'] === 'string') return { type, text: block['text'], ...own('text') }
  if (type === 'thinking' && typeof block['thinking'] === 'string') {
    const { thinking: text, thinkingSignature: signature, redacted } = block
    if (redacted === true && typeof signature === 'string')
      return { type: 'reasoning', text, redacted: signature, ...own('thinking', 'thinkingSignature', 'redacted') }
    return {
      type: 'reasoning',
      text,
      ...(typeof signature === 'string' ? { signature } : {}),
      ...own('thinking', ...(typeof signature === 'string' ? ['thinkingSignature'] : [])),
    }
  }
  const { id, name, arguments: input, data, mimeType } = block
  if (
    type === 'toolCall' &&
    typeof id === 'string' &&
    id !== '' &&
    typeof name === 'string' &&
    name !== '' &&
    input !== undefined
  ) {
    return { type: 'tool_call', callId: id, tool: name, input, ...own('id', 'name', 'arguments') }
  }
  if (type === 'image' && typeof data === 'string' && typeof mimeType === 'string') {
    const bytes = bytesOf(data)
    if (bytes !== undefined) {
      const hash = sha256(bytes)
      blobs.push({ id: blobId(hash), hash, bytes })
      return { type: 'file', mediaType: mimeType, bytes: bytes.length, blob: blobId(hash), ...own('data', 'mimeType') }
    }
  }
  return { type: 'custom', name: `${piFormat}/${typeof type === 'string' ? type : 'block'}`, data: block }
}

/** The message in pi's shape. For one that pi's reader made it is equal to what was read. */
export function writePiMessage(message: PiMessage, at: number, contentOf: ContentOf): JsonObject[] {
  const own = ownOf(message)
  const rest = isObject(own?.['rest']) ? (own['rest'] as JsonObject) : own === undefined ? { timestamp: at } : {}
  const blocks = message.parts.flatMap(part => writeBlock(part, contentOf))
  const only = message.parts[0]
  const content: Json = own?.['plain'] === true && only?.type === 'text' ? only.text : blocks
  switch (message.role) {
    case 'assistant': {
      const [, provider, model] = /^([^/]*)\/(.*)$/s.exec(message.model ?? '') ?? []
      const raw =
        message.rawFinishReason ??
        (own === undefined
          ? rawReasons[
              message.finishReason ??
                (blocks.some(block => isObject(block) && block['type'] === 'toolCall') ? 'tool_calls' : 'stop')
            ]
          : undefined)
      const from =
        provider !== undefined && model !== undefined
          ? { provider, model }
          : own === undefined
            ? { provider: 'unknown', model: message.model ?? 'unknown' }
            : {}
      const bare = own === undefined ? { api: apiOf(from.provider), usage: piUsage(undefined, null) } : {}
      return [
        {
          role: 'assistant',
          content,
          ...bare,
          ...from,
          ...(raw === undefined
            ? {}
            : {
                stopReason:
                  own === undefined ? (rawReasons[finishReasons[raw] ?? message.finishReason ?? 'stop'] ?? 'stop') : raw,
              }),
          ...rest,
        },
      ]
    }
    case 'tool':
      return writeResults(message, at, contentOf)
    default:
      return blocks.length === 0 && own === undefined ? [] : [{ role: 'user', content, ...rest }]
  }
}

const apiOf = (provider: string | undefined): string =>
  provider === 'anthropic' ? 'anthropic-messages' : provider === 'google' ? 'google-generative-ai' : 'openai-completions'

/** Usage as pi counts it; `null` counts as 0 there. Cost in dollars. */
export function piUsage(usage: Usage | undefined, cost: number | null): JsonObject {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = usage ?? ({} as Partial<Usage>)
  const [input, output, cacheRead, cacheWrite] = [
    inputTokens ?? 0,
    outputTokens ?? 0,
    cacheReadTokens ?? 0,
    (cacheWrite5mTokens ?? 0) + (cacheWrite1hTokens ?? 0),
  ]
  return {
    input,
    output,
    cacheRead,
    cacheWrite,
    totalTokens: input + output + cacheRead + cacheWrite,
    cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: (cost ?? 0) / 1e9 },
  }
}

function writeResults(message: PiMessage, at: number, contentOf: ContentOf): JsonObject[] {
  const out: { line: JsonObject; content: Json[] }[] = []
  for (const part of message.parts) {
    if (part.type === 'file') out.at(-1)?.content.push(...writeBlock(part, contentOf))
    if (part.type !== 'tool_result') continue
    const own = ownOf(part)
    const rest = isObject(own?.['rest']) ? (own['rest'] as JsonObject) : own === undefined ? { timestamp: at } : {}
    const { output } = part
    const blocks =
      Array.isArray(output) && (own !== undefined || isTextBlocks(output))
        ? (output as readonly Json[])
        : [{ type: 'text', text: outputText(output) }]
    const content = [...blocks]
    const details = given({ details: part.details })
    const line = {
      role: 'toolResult',
      toolCallId: part.callId,
      toolName: part.tool,
      content: own?.['plain'] === true ? output : content,
      ...details,
      isError: part.status !== 'ok',
      ...rest,
    }
    out.push({ line, content })
  }
  return out.map(({ line }) => line)
}

function writeBlock(part: Part, contentOf: ContentOf): Json[] {
  const own = ownOf(part) ?? {}
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text, ...own }]
    case 'reasoning': {
      if (part.redacted !== undefined)
        return [{ type: 'thinking', thinking: part.text, thinkingSignature: part.redacted, redacted: true, ...own }]
      return [
        {
          type: 'thinking',
          thinking: part.text,
          ...given({ thinkingSignature: part.signature }),
          ...own,
        },
      ]
    }
    case 'tool_call':
      return [{ type: 'toolCall', id: part.callId, name: part.tool, arguments: part.input, ...own }]
    case 'file': {
      const bytes = part.blob === undefined ? undefined : contentOf(part.blob)
      if (bytes !== undefined && part.mediaType.startsWith('image/'))
        return [{ type: 'image', data: base64(bytes), mimeType: part.mediaType, ...own }]
      return [{ type: 'text', text: part.url ?? inWords(part) ?? '' }]
    }
    case 'custom':
      return part.name.startsWith(`${piFormat}/`) ? [part.data] : []
    default: {
      const words = inWords(part)
      return words === null ? [] : [{ type: 'text', text: words }]
    }
  }
}

/** The tokens and cost of a message or entry with `usage`; `undefined` if there is none. Costs in nano-dollars, `null` if none is said. */
export function readPiUsage(value: Json | undefined): { usage: Usage; cost: number | null } | undefined {
  if (!isObject(value)) return undefined
  const count = (name: string): number | null =>
    Number.isSafeInteger(value[name]) && (value[name] as number) >= 0 ? (value[name] as number) : null
  const written = count('cacheWrite')
  const hour = count('cacheWrite1h')
  const usage: Usage = {
    inputTokens: count('input'),
    cacheReadTokens: count('cacheRead'),
    cacheWrite5mTokens: written === null ? null : Math.max(0, written - (hour ?? 0)),
    cacheWrite1hTokens: hour ?? (written === null ? null : 0),
    outputTokens: count('output'),
    reasoningTokens: count('reasoning'),
  }
  return { usage, cost: costOf(value['cost']) }
}

function costOf(cost: unknown): number | null {
  if (!isObject(cost)) return null
  if (cost['total'] !== undefined) return nanoDollars(cost['total'])
  const parts = ['input', 'output', 'cacheRead', 'cacheWrite'].map(name => nanoDollars(cost[name]))
  return parts.reduce((sum, part) => (sum === null || part === null ? null : sum + part), 0)
}
