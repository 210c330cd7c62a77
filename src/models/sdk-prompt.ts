import type { ReasoningPart, ToolResultPart } from '#journal'
import { given, isObject, type Json, type JsonObject, stringify } from '#kernel'
import type { RequestFile, RequestMessage } from './port.ts'

export type SdkVersion = 'v2' | 'v3' | 'v4'
export type ProviderOptions = { readonly [provider: string]: JsonObject }
/** Both, provider by provider and member by member; `more` wins. Nothing is removed, not even a `null`. */
export function mergeOptions(options: ProviderOptions, more: ProviderOptions): ProviderOptions {
  const merged = Object.entries(more).map(([provider, members]) => [provider, { ...options[provider], ...members }])
  return { ...options, ...(Object.fromEntries(merged) as ProviderOptions) }
}

export interface SdkPart {
  readonly type: string
  readonly providerOptions?: ProviderOptions
  readonly [member: string]: unknown
}
export interface SdkMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | readonly SdkPart[]
  readonly providerOptions?: ProviderOptions
}

/**
 * Our messages as an AI SDK prompt, without the system prompt. Order and number stay, but a message with nothing to send is
 * left out. Texts are made well-formed; `providerData` goes back untouched. Files behind a result go inside it, or in the
 * user's name behind all results where a provider's results take text alone (`filesInResults: false`). The same messages
 * always give the same prompt, so a longer conversation begins with the shorter one's. Law P30.
 */
export function sdkPrompt(
  messages: readonly RequestMessage[],
  version: SdkVersion,
  { filesInResults = true }: { readonly filesInResults?: boolean } = {},
): SdkMessage[] {
  const out: SdkMessage[] = []
  let files: SdkPart[] = []
  for (const message of messages) {
    if (message.role === 'tool') {
      const told = toolParts(message.parts, version, filesInResults)
      files.push(...told.files)
      if (told.results.length > 0) out.push({ role: 'tool', content: told.results })
      continue
    }
    if (message.role === 'user') {
      const content = [...files, ...message.parts.flatMap(part => sdkPart(part, 'user', version))]
      if (content.length > 0) out.push({ role: 'user', content })
      files = []
      continue
    }
    if (files.length > 0) out.push({ role: 'user', content: files })
    files = []
    if (message.role === 'system') {
      const text = message.parts.flatMap(part => (part.type === 'text' ? [part.text.toWellFormed()] : [])).join('\n')
      if (text !== '') out.push({ role: 'system', content: text })
      continue
    }
    const content = message.parts.flatMap(part => sdkPart(part, message.role, version))
    if (content.length > 0) out.push({ role: message.role, content })
  }
  return files.length === 0 ? out : [...out, { role: 'user', content: files }]
}

/** Results, each with the files behind it inside, and the files that find no place there. */
function toolParts(
  parts: RequestMessage['parts'],
  version: SdkVersion,
  inside: boolean,
): { readonly results: SdkPart[]; readonly files: SdkPart[] } {
  const groups: { result: ToolResultPart; files: RequestFile[] }[] = []
  const files: SdkPart[] = []
  for (const part of parts) {
    const group = groups.at(-1)
    if (part.type === 'tool_result') groups.push({ result: part, files: [] })
    else if (part.type === 'file' && inside && group?.result.status === 'ok') group.files.push(part)
    else if (part.type === 'file') files.push(filePart(part, version))
  }
  const results = groups.flatMap(({ result, files: own }) => {
    const written = sdkPart(result, 'tool', version)
    if (own.length === 0) return written
    const { output } = result
    const text = typeof output === 'string' ? output.toWellFormed() : stringify(wellFormed(output))
    // Some want words with every result, and none takes blanks.
    const words = { type: 'text', text: text.trim() === '' ? '[file]' : text }
    const value = [words, ...own.map(file => resultFile(file, version))]
    return written.map(part => ({ ...part, output: { type: 'content', value } }))
  })
  return { results, files }
}

/** A file inside a result, as each version of the specification says it; version 2 has no word for a URL. */
function resultFile(file: RequestFile, version: SdkVersion): SdkPart {
  const { mediaType, data, url } = file
  const part = filePart(file, version)
  if (version === 'v4' || part.type === 'text') return part
  const title = given({ filename: file.name })
  if (data === undefined)
    return version === 'v3' ? { type: 'file-url', url } : { type: 'text', text: `[file: ${url ?? file.name ?? mediaType}]` }
  const content = Buffer.from(data).toString('base64')
  return version === 'v3'
    ? { type: 'file-data', data: content, mediaType, ...title }
    : { type: 'media', data: content, mediaType }
}

function sdkPart(part: RequestMessage['parts'][number], role: RequestMessage['role'], version: SdkVersion): SdkPart[] {
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text.toWellFormed(), ...returned(part.providerData) }]
    case 'file':
      return [filePart(part, version)]
    case 'reasoning':
      return role === 'assistant' ? [{ type: 'reasoning', text: part.text.toWellFormed(), ...reasoningOptions(part) }] : []
    case 'tool_call':
      return [
        {
          type: 'tool-call',
          toolCallId: part.callId,
          toolName: part.tool,
          // Providers take objects only; what a model wrote instead is shown to it inside one.
          input: isObject(part.input) ? wellFormed(part.input) : { input: wellFormed(part.input) },
          ...returned(part.providerData),
        },
      ]
    case 'tool_result':
      return [
        {
          type: 'tool-result',
          toolCallId: part.callId,
          toolName: part.tool,
          output: toolOutput(part),
          ...returned(part.providerData),
        },
      ]
    case 'lost':
      return [{ type: 'text', text: `[content lost: ${part.blob}]` }]
    case 'source':
    case 'custom':
      return []
    default:
      return part satisfies never
  }
}

function filePart(part: RequestFile, version: SdkVersion): SdkPart {
  const content = part.data ?? (part.url === undefined ? undefined : new URL(part.url))
  if (content === undefined) return { type: 'text', text: `[file not available: ${part.name ?? part.mediaType}]` }
  const tagged = content instanceof URL ? { type: 'url', url: content } : { type: 'data', data: content }
  return {
    type: 'file',
    data: version === 'v4' ? tagged : content,
    mediaType: part.mediaType,
    ...given({ filename: part.name }),
    ...returned(part.providerData),
  }
}

/** Imported reasoning has its signature in fields of its own; both providers that sign get it, each under its name. */
function reasoningOptions({ providerData, signature, redacted }: ReasoningPart): { providerOptions?: ProviderOptions } {
  if (providerData !== undefined) return returned(providerData)
  if (redacted !== undefined) return { providerOptions: { anthropic: { redactedData: redacted } } }
  if (signature === undefined) return {}
  return { providerOptions: { anthropic: { signature }, google: { thoughtSignature: signature } } }
}

function toolOutput({ status, output }: ToolResultPart): { type: string; value: Json } {
  const value = wellFormed(output)
  switch (status) {
    case 'ok':
      return { type: typeof value === 'string' ? 'text' : 'json', value }
    case 'error':
      return { type: typeof value === 'string' ? 'error-text' : 'error-json', value }
    case 'denied':
    case 'skipped':
    case 'interrupted':
      return { type: 'error-text', value: typeof value === 'string' ? value : stringify(value) }
    default:
      return status satisfies never
  }
}

const returned = (data: Json | undefined): { providerOptions?: ProviderOptions } =>
  isObject(data) ? { providerOptions: data as ProviderOptions } : {}

function wellFormed(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed()
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(wellFormed)
  return Object.fromEntries(Object.entries(value as JsonObject).map(([key, item]) => [key.toWellFormed(), wellFormed(item)]))
}
