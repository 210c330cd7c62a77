import { blobId, cleanLine, type EntryId, given, isObject, type Json, type JsonObject, sha256 } from '#kernel'
import type { FinishReason, NewBlob, Part, Usage } from '#journal'
import { bytesOf } from './message-shape.ts'
import { nanoDollars } from './nano-dollars.ts'
import { isIdTime } from './seeded-ids.ts'
import type { ForeignLine } from './session-builder.ts'

/** Where imp's own members are kept, and how its raw lines are named. */
export const impFormat = 'imp'

const types: readonly string[] = ['header', 'message', 'compaction', 'custom', 'label', 'session-meta']
const roles: readonly string[] = ['user', 'assistant', 'tool_result']
const stopReasons: { readonly [raw: string]: FinishReason } = { EndTurn: 'stop', ToolUse: 'tool_calls', MaxTokens: 'length' }

/** Whether a session can begin with a line. */
export function isImpBeginning(line: JsonObject): boolean {
  if (line['type'] === 'header') return typeof line['version'] === 'number' && isSeconds(line['created_at'])
  return line['type'] === 'message' && isObject(line['message']) && roles.includes(line['message']['role'] as string)
}

const isSeconds = (value: unknown): value is number => Number.isSafeInteger(value) && isIdTime((value as number) * 1_000)

/** When a line was written, in ms: imp counts seconds. `undefined` where it does not say. */
export function timeOfImp(line: JsonObject): number | undefined {
  const { message, data, created_at: createdAt } = line
  const told = [createdAt, isObject(message) ? message['timestamp'] : undefined, isObject(data) ? data['recorded_at'] : undefined]
  const seconds = told.find(isSeconds)
  return seconds === undefined ? undefined : seconds * 1_000
}

/** A line, its usage left out. What is not understood becomes `custom { name: 'imp/TYPE', data: line }`. */
export function readImpLine(line: JsonObject, entryOf: (id: string) => EntryId | undefined): ForeignLine {
  switch (line['type']) {
    case 'message':
      return readMessage(line) ?? raw(line, false)
    case 'session-meta': {
      const { name } = line
      return made('session_titled', line, { title: typeof name === 'string' ? cleanLine(name, 100) : null })
    }
    case 'label': {
      const { entry_id: target, label } = line
      const entry = typeof target === 'string' ? entryOf(target) : undefined
      if (entry === undefined || typeof label !== 'string') return raw(line, true)
      return made('entry_labelled', line, { entry, label: cleanLine(label, 80) })
    }
    default:
      return raw(line, types.includes(line['type'] as string))
  }
}

const made = (type: string, line: JsonObject, data: JsonObject): ForeignLine => ({
  type,
  place: 'side',
  data: { ...data, providerData: { [impFormat]: { line } } },
  blobs: [],
  known: true,
})

const heavy = 2 ** 18

function raw(line: JsonObject, known: boolean): ForeignLine {
  const { type, custom_type: custom } = line
  const name = `${impFormat}/${typeof custom === 'string' ? custom : typeof type === 'string' ? type : 'line'}`.slice(0, 128)
  const whole = { type: 'custom', name, data: line }
  const data = JSON.stringify(line).length < heavy ? { name, data: line } : { name, data: null, parts: [whole] }
  // What hangs on it hangs on what it hangs on.
  return { type: 'custom', place: 'side', data, blobs: [], known }
}

function readMessage(line: JsonObject): ForeignLine | undefined {
  const { message } = line
  if (!isObject(message)) return undefined
  const blobs: NewBlob[] = []
  const parts = readContent(message['content'] as Json, blobs)
  if (parts === undefined) return undefined
  const { message: _message, ...entry } = line
  const said = (rest: readonly string[], more: object): ForeignLine => {
    const own = Object.fromEntries(Object.entries(message).filter(([name]) => !rest.includes(name))) as JsonObject
    const data = { ...more, providerData: { [impFormat]: { entry, ...(Object.keys(own).length === 0 ? {} : { rest: own }) } } }
    return { type: 'message_added', place: 'path', data: data as unknown as JsonObject, blobs, known: true }
  }
  const common = ['role', 'content', 'timestamp']
  switch (message['role']) {
    case 'user':
      return said(common, { role: 'user', parts })
    case 'assistant':
      return said([...common, 'stop_reason', 'usage'], { role: 'assistant', parts, ...finishOf(message['stop_reason']) })
    case 'tool_result': {
      const { tool_call_id: callId, tool_name: tool, is_error: isError, details } = message
      if (typeof callId !== 'string' || callId === '' || typeof tool !== 'string' || tool === '') return undefined
      const shown = parts.filter(part => part.type !== 'file')
      const [only] = shown
      const result: Part = {
        type: 'tool_result',
        callId,
        tool,
        status: isError === true ? 'error' : 'ok',
        output: shown.length === 0 ? '' : shown.length === 1 && only?.type === 'text' ? only.text : (shown as unknown as Json),
        ...(details === undefined || details === null ? {} : { details: details as Json }),
      }
      const known = ['tool_call_id', 'tool_name', 'is_error', 'details']
      return said([...common, ...known], { role: 'tool', parts: [result, ...parts.filter(part => part.type === 'file')] })
    }
    default:
      return undefined
  }
}

function finishOf(stop: unknown): { readonly finishReason?: FinishReason; readonly rawFinishReason?: string } {
  if (typeof stop === 'string') return { finishReason: stopReasons[stop] ?? 'other', rawFinishReason: stop }
  return isObject(stop) && 'Error' in stop ? { finishReason: 'error', rawFinishReason: 'Error' } : {}
}

/** What an answer failed with. */
export function errorOfImp({ message }: JsonObject): string | undefined {
  const stop = isObject(message) ? message['stop_reason'] : undefined
  return isObject(stop) && typeof stop['Error'] === 'string' ? stop['Error'] : undefined
}

function readContent(content: Json | undefined, blobs: NewBlob[]): Part[] | undefined {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  if (!Array.isArray(content) || !content.every(isObject)) return undefined
  return (content as readonly JsonObject[]).map(block => readBlock(block, blobs))
}

function readBlock(block: JsonObject, blobs: NewBlob[]): Part {
  const { type, text, id, name, arguments: input, media_type: mediaType, data } = block
  if (type === 'text' && typeof text === 'string') return { type, text }
  if (type === 'thinking' && typeof text === 'string') return { type: 'reasoning', text, ...given({ signature: textIn(block['signature']) }) } // prettier-ignore
  if (type === 'tool_call' && typeof id === 'string' && id !== '' && typeof name === 'string' && name !== '')
    return { type, callId: id, tool: name, input: input ?? {} }
  if (type === 'image' && typeof data === 'string' && typeof mediaType === 'string') {
    const bytes = bytesOf(data)
    if (bytes !== undefined) {
      const hash = sha256(bytes)
      blobs.push({ id: blobId(hash), hash, bytes })
      return { type: 'file', mediaType, bytes: bytes.length, blob: blobId(hash) }
    }
  }
  return { type: 'custom', name: `${impFormat}/${typeof type === 'string' ? type : 'block'}`, data: block }
}

const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export interface ImpUsage {
  /** Of the answer that it is of. */
  readonly message: string | null
  readonly request: string | null
  readonly model: string | null
  readonly usage: Usage
  readonly cost: number | null
}

/** What a message says that it used: less than its usage record, which may follow. */
export function usageOfImpMessage(line: JsonObject): Pick<ImpUsage, 'usage'> | undefined {
  const { message } = line
  const told = isObject(message) && message['role'] === 'assistant' ? message['usage'] : undefined
  if (!isObject(told)) return undefined
  return { usage: usageOf(told, { input: 'input_tokens', output: 'output_tokens', read: 'cache_read_tokens', write: 'cache_write_tokens' }, true) } // prettier-ignore
}

/** A usage record, with its stored cost in nano-dollars; `undefined` for every other line. */
export function usageRecordOfImp({ type, custom_type: custom, data }: JsonObject): ImpUsage | undefined {
  if (type !== 'custom' || custom !== 'usage-record' || !isObject(data) || !isObject(data['usage'])) return undefined
  const { provider, model, assistant_message_id: message, request_id: request, cost } = data
  const isApart = typeof provider !== 'string' || provider === 'anthropic' || provider === 'kimi-code'
  return {
    message: textIn(message) ?? null,
    request: textIn(request) ?? null,
    model: typeof provider === 'string' && typeof model === 'string' ? `${provider}/${model}` : null,
    usage: usageOf(data['usage'], { input: 'input', output: 'output', read: 'cache_read', write: 'cache_write' }, isApart),
    cost: isObject(cost) ? nanoDollars(cost['total']) : null,
  }
}

interface UsageNames {
  readonly input: string
  readonly output: string
  readonly read: string
  readonly write: string
}

/** `isApart`: what was read from a cache is no part of the input, as it is with Anthropic's counts alone. */
function usageOf(told: Record<string, unknown>, names: UsageNames, isApart: boolean): Usage {
  const count = (name: string): number | null => (Number.isSafeInteger(told[name]) && (told[name] as number) >= 0 ? (told[name] as number) : null) // prettier-ignore
  const [input, read] = [count(names.input), count(names.read)]
  return {
    inputTokens: isApart || input === null ? input : Math.max(0, input - (read ?? 0)),
    cacheReadTokens: read,
    cacheWrite5mTokens: count(names.write),
    cacheWrite1hTokens: count(names.write) === null ? null : 0,
    outputTokens: count(names.output),
    reasoningTokens: null,
  }
}
