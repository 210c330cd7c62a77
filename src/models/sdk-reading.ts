import type { Usage } from '#journal'
import { given, isObject, type Json, stringify, toJson } from '#kernel'
import type { EndReason, ModelEvent } from './port.ts'
import { type ErrorPlace, providerError, truncated } from './provider-error.ts'
import { addRawUsage, type RawUsage, usageOfRaw } from './raw-usage.ts'
import { mergeOptions, type ProviderOptions } from './sdk-prompt.ts'
import { usageOfFinish } from './sdk-usage.ts'

export interface ReadingOptions {
  readonly place: Omit<ErrorPlace, 'begun'>
  /** The SDK object's `provider`. */
  readonly sdkProvider: string
  /** How long written cache tokens were asked to live. */
  readonly ttl: '5m' | '1h'
  /** Call ids that the conversation has used already. */
  readonly takenCallIds: Iterable<string>
}

/** The stream parts of one answer, one after the other, as our events. */
export interface Reading {
  /** True once the answer is complete; nothing need be read after it. */
  readonly finished: boolean
  read(part: unknown): ModelEvent[]
  /** The last events, ending in exactly one `ended` or `failed`. `thrown`: what broke the stream, if anything did. Law P25. */
  end(thrown?: unknown): ModelEvent[]
}

const endReasons: { readonly [unified: string]: EndReason | undefined } = {
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
}

export function sdkReading(options: ReadingOptions): Reading {
  const { ttl, sdkProvider: provider, place } = options
  const taken = new Set(options.takenCallIds)
  const open = { text: new Map<string, Segment>(), reasoning: new Map<string, Segment>() }
  const calls = new Map<string, { callId: string; name: string; metadata: ProviderOptions }>()
  let segments = 0
  let begun = false
  let raw: RawUsage | undefined
  let lastUsage: string | undefined
  let finish: { unified: string; raw?: string } | undefined
  let error: { thrown: unknown } | undefined

  const begin = (responseId?: unknown): ModelEvent[] => {
    if (begun) return []
    begun = true
    return [{ type: 'request_started', ...(typeof responseId === 'string' && responseId !== '' ? { responseId } : {}) }]
  }
  const usageEvent = (usage: Usage): ModelEvent[] => {
    const text = stringify(usage as unknown as Json)
    if (text === lastUsage || Object.values(usage).every(tokens => tokens === null)) return []
    lastUsage = text
    return [{ type: 'usage', usage }]
  }
  const segment = (kind: 'text' | 'reasoning', part: Part): Segment => {
    const id = String(part['id'])
    const found = open[kind].get(id)
    // Providers begin again with an id that they have used: then it is another part.
    const now = found ?? { id: `${id}#${segments++}`, metadata: {} }
    now.metadata = mergeOptions(now.metadata, metadataOf(part))
    open[kind].set(id, now)
    return now
  }
  const close = (kind: 'text' | 'reasoning', key: string, { id, metadata }: Segment): ModelEvent[] => {
    open[kind].delete(key)
    const data = isEmpty(metadata) ? {} : { providerData: metadata }
    if (kind === 'text') return isEmpty(metadata) ? [] : [{ type: 'text_ended', id, ...data }]
    return [{ type: 'reasoning_ended', id, ...data }]
  }
  const closeAll = (): ModelEvent[] =>
    (['reasoning', 'text'] as const).flatMap(kind => [...open[kind]].flatMap(([key, found]) => close(kind, key, found)))
  const call = (id: string, name: string, part: Part): { callId: string; name: string; metadata: ProviderOptions } => {
    const found = calls.get(id) ?? { callId: uniqueCallId(id, taken), name, metadata: {} }
    taken.add(found.callId)
    found.metadata = mergeOptions(found.metadata, metadataOf(part))
    calls.set(id, found)
    return found
  }

  const read = (part: Part): ModelEvent[] => {
    switch (part['type']) {
      case 'raw': {
        raw = addRawUsage(raw, part['rawValue'])
        const told = raw === undefined ? [] : usageEvent(usageOfRaw(raw, ttl))
        return told.length === 0 ? [] : [...begin(rawId(part['rawValue'])), ...told]
      }
      case 'response-metadata':
        return begin(part['id'])
      case 'text-start':
      case 'reasoning-start': {
        segment(part['type'] === 'text-start' ? 'text' : 'reasoning', part)
        return begin()
      }
      case 'text-delta':
      case 'reasoning-delta': {
        const kind = part['type'] === 'text-delta' ? 'text' : 'reasoning'
        const { id } = segment(kind, part)
        const text = part['delta']
        return typeof text === 'string' && text !== '' ? [...begin(), { type: `${kind}_delta`, id, text }] : begin()
      }
      case 'text-end':
      case 'reasoning-end': {
        const kind = part['type'] === 'text-end' ? 'text' : 'reasoning'
        return [...begin(), ...close(kind, String(part['id']), segment(kind, part))]
      }
      case 'tool-input-start':
        if (part['providerExecuted'] !== true) call(String(part['id']), String(part['toolName']), part)
        return begin()
      case 'tool-input-delta': {
        const found = calls.get(String(part['id']))
        const text = part['delta']
        if (found === undefined || typeof text !== 'string' || text === '') return []
        return [{ type: 'call_delta', callId: found.callId, name: found.name, text }]
      }
      case 'tool-input-end':
        if (calls.has(String(part['id']))) call(String(part['id']), '', part)
        return []
      case 'tool-call': {
        if (part['providerExecuted'] === true) return begin()
        const key = String(part['toolCallId'])
        const { callId, metadata } = call(key, String(part['toolName']), part)
        calls.delete(key)
        const input = typeof part['input'] === 'string' ? part['input'] : stringify(toJson(part['input'] ?? {}))
        const data = isEmpty(metadata) ? {} : { providerData: metadata }
        return [...begin(), { type: 'call_ended', callId, name: String(part['toolName']), input, ...data }]
      }
      case 'file': {
        const bytes = bytesOf(part['data'])
        if (bytes === undefined) return begin()
        const metadata = metadataOf(part)
        const data = isEmpty(metadata) ? {} : { providerData: metadata }
        return [...begin(), { type: 'file_ended', mediaType: String(part['mediaType']), bytes, ...data }]
      }
      case 'error':
        error ??= { thrown: part['error'] }
        return []
      case 'finish': {
        finish = finishOf(part['finishReason'])
        return [...begin(), ...usageEvent(usageOfFinish(part['usage'], { provider, raw, ttl }))]
      }
      default:
        return []
    }
  }

  return {
    get finished() {
      return finish !== undefined
    },
    read: part => (isObject(part) ? read(part) : []),
    end: thrown => {
      const broken = error ?? (thrown === undefined ? undefined : { thrown })
      if (broken !== undefined) return [{ type: 'failed', error: providerError(broken.thrown, { ...place, begun }) }]
      const rawFinishReason = given({ rawFinishReason: finish?.raw })
      const reason = finish === undefined ? undefined : (endReasons[finish.unified] ?? otherReason(finish))
      if (reason === undefined) return [{ type: 'failed', error: truncated(place, finish?.raw) }]
      return [...closeAll(), { type: 'ended', reason, ...rawFinishReason }]
    },
  }
}

interface Segment {
  readonly id: string
  metadata: ProviderOptions
}
type Part = { readonly [member: string]: unknown }

/** The answer's id in a provider's own first chunk, which comes before the SDK's metadata. */
function rawId(chunk: unknown): unknown {
  if (!isObject(chunk)) return undefined
  const inside = [chunk['message'], chunk['response']].find(isObject)
  return inside?.['id'] ?? chunk['id'] ?? chunk['responseId']
}

/** `other` counts only with the provider's own reason beside it; `interrupted`, `unknown` and `error` are no end. */
const otherReason = (finish: { unified: string; raw?: string }): EndReason | undefined =>
  (finish.unified === 'other' || finish.unified === 'unknown') && finish.raw !== undefined ? 'other' : undefined

function finishOf(told: unknown): { unified: string; raw?: string } {
  if (!isObject(told)) return { unified: typeof told === 'string' ? told : 'other' }
  const raw = told['raw']
  return { unified: String(told['unified']), ...(typeof raw === 'string' && raw !== '' ? { raw } : {}) }
}

const metadataOf = (part: Part): ProviderOptions =>
  isObject(part['providerMetadata']) ? (toJson(part['providerMetadata']) as ProviderOptions) : {}

const isEmpty = (metadata: ProviderOptions): boolean => Object.keys(metadata).length === 0

/** The id itself if the conversation has not used it, else the first free `ID-2`, `ID-3`, … */
export function uniqueCallId(id: string, taken: ReadonlySet<string>): string {
  if (!taken.has(id)) return id
  let count = 2
  while (taken.has(`${id}-${count}`)) count++
  return `${id}-${count}`
}

/** v4 tags file data, older versions give bytes or base64. A file that stays at a URL has no bytes. */
function bytesOf(data: unknown): Uint8Array | undefined {
  if (data instanceof Uint8Array) return data
  if (typeof data === 'string') return Uint8Array.from(Buffer.from(data, 'base64'))
  return isObject(data) && data['type'] === 'data' ? bytesOf(data['data']) : undefined
}
