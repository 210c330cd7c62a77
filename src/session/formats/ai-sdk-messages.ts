import { given, invalidInput, isObject, type Json, type JsonObject, toJson } from '#kernel'
import type { FileInput, FilePart, Part, PartInput, ReasoningPart, ToolResultPart, ToolResultStatus } from '#journal'
import { isUiMessage, readUiMessage } from './ai-sdk-ui-messages.ts'
import {
  base64,
  bytesOf,
  type ContentOf,
  contentOfFile,
  each,
  type Fields,
  fileFromUrl,
  type FormatMessage,
  inOrder,
  inWords,
  isTextBlocks,
  type Memo,
  name,
  object,
  others,
  type OutgoingMessage,
  outputText,
  recall,
  remember,
  text,
  textIn,
  unknownType,
  wordsOf,
} from './message-shape.ts'

/** Where the AI SDK's own members are kept in `providerData`, beside `providerOptions`, which stand there by provider. */
export const aiSdkFormat = 'ai-sdk'

/** Formats whose memos share `providerData` and are nobody's options. */
const memos: readonly string[] = [aiSdkFormat, 'openai-chat', 'openai-responses', 'anthropic-messages', 'pi']

/** Reads AI SDK messages: ModelMessages (`content`) and, part by part, UIMessages (`parts`). Throws `input.invalid` with the path. */
export function readAiSdk(value: unknown, path: string): FormatMessage[] {
  const read = (message: Fields, at: string): FormatMessage[] =>
    isUiMessage(message) ? readUiMessage(message, at) : [readModelMessage(message, at)]
  return each(value, path, read).flat()
}

function readModelMessage(message: Fields, path: string): FormatMessage {
  const { role, content } = message
  if (role !== 'system' && role !== 'user' && role !== 'assistant' && role !== 'tool')
    throw invalidInput(`${path}.role`, 'Expected system, user, assistant or tool.')
  const memo = (form?: string): { providerData?: Json } => optionsOf(message, ['role', 'content'], path, { form })
  if (typeof content === 'string' && role !== 'tool') return { role, parts: [{ type: 'text', text: content }], ...memo() }
  if (role === 'system') throw invalidInput(`${path}.content`, 'Expected a text.')
  const parts = each(content, `${path}.content`, (part, at) => readPart(part, role, at)).flat()
  return { role, parts, ...memo(parts.length === 1 && parts[0]?.type === 'text' ? 'parts' : undefined) }
}

/** `providerOptions` by provider, and what else the value has, as `providerData`. */
export function optionsOf(value: Fields, known: readonly string[], path: string, memo: Memo = {}): { providerData?: Json } {
  const { providerOptions } = value
  const options =
    providerOptions === undefined
      ? {}
      : (toJson(object(providerOptions, `${path}.providerOptions`), `${path}.providerOptions`) as JsonObject)
  for (const [provider, own] of Object.entries(options)) object(own, `${path}.providerOptions.${provider}`)
  const own = remember(aiSdkFormat, { ...memo, fields: others(value, ['providerOptions', ...known], path) })
  const data = { ...options, ...(own.providerData as JsonObject | undefined) }
  return Object.keys(data).length === 0 ? {} : { providerData: data }
}

const partTypes = {
  user: ['text', 'image', 'file'],
  assistant: ['text', 'file', 'reasoning', 'reasoning-file', 'custom', 'tool-call', 'tool-result', 'tool-approval-request'],
  tool: ['tool-result', 'tool-approval-response'],
} as const

function readPart(part: Fields, role: keyof typeof partTypes, path: string): PartInput[] {
  const { type } = part
  if (!(partTypes[role] as readonly unknown[]).includes(type)) throw unknownType(path, partTypes[role])
  switch (type) {
    case 'text':
      return [{ type: 'text', text: text(part, 'text', path), ...optionsOf(part, ['type', 'text'], path) }]
    case 'reasoning':
      return [readReasoning(part, path)]
    case 'image':
      return [readFile(part, 'image', 'image/*', path)]
    case 'file':
      return [readFile(part, 'data', name(part, 'mediaType', path), path)]
    case 'tool-call': {
      const input = part['input'] === undefined ? {} : toJson(part['input'], `${path}.input`)
      return [
        {
          type: 'tool_call',
          callId: name(part, 'toolCallId', path),
          tool: name(part, 'toolName', path),
          input,
          ...optionsOf(part, ['type', 'toolCallId', 'toolName', 'input'], path),
        },
      ]
    }
    case 'tool-result':
      if (role === 'tool') return readResult(part, path)
      break
    default:
  }
  // What a provider ran itself, and what the SDK alone understands, goes back untouched.
  return [{ type: 'custom', name: `${aiSdkFormat}/${String(type)}`, data: toJson(part, path) }]
}

function readReasoning(part: Fields, path: string): ReasoningPart {
  const kept = optionsOf(part, ['type', 'text'], path)
  const options = isObject(kept.providerData) ? kept.providerData['anthropic'] : undefined
  const { signature, redactedData } = isObject(options) ? options : {}
  const signed = given({ signature: textIn(signature), redacted: textIn(redactedData) })
  const plain = JSON.stringify(kept.providerData) === JSON.stringify({ anthropic: signedOptions(signed) })
  return { type: 'reasoning', text: text(part, 'text', path), ...signed, ...(plain ? {} : kept) }
}

const signedOptions = ({ signature, redacted }: Pick<ReasoningPart, 'signature' | 'redacted'>): JsonObject =>
  given({ signature, redactedData: redacted }) as JsonObject

function readFile(part: Fields, member: 'image' | 'data', fallback: string, path: string): PartInput {
  const at = `${path}.${member}`
  const mediaType = typeof part['mediaType'] === 'string' ? part['mediaType'] : fallback
  const held = part[member]
  const tagged = isObject(held) && typeof held['type'] === 'string' ? held : undefined
  const title = given({ name: textIn(part['filename']) })
  const memo = optionsOf(
    part,
    ['type', member, 'mediaType', 'filename'],
    path,
    member === 'image' ? { form: part['mediaType'] === undefined ? 'bare image' : 'image' } : {},
  )
  const content = tagged === undefined ? held : tagged[tagged['type'] as string]
  if (
    tagged?.['type'] === 'reference' ||
    (tagged === undefined && isObject(content) && !isBytes(content) && !(content instanceof URL))
  ) {
    return { type: 'custom', name: `${aiSdkFormat}/${String(part['type'])}`, data: toJson(part, path) }
  }
  if (tagged?.['type'] === 'text')
    return {
      type: 'file',
      mediaType,
      ...title,
      data: new Uint8Array(Buffer.from(text(tagged, 'text', at))),
      ...withForm(memo, 'text'),
    }
  if (isBytes(content))
    return {
      type: 'file',
      mediaType,
      ...title,
      data: content instanceof ArrayBuffer ? new Uint8Array(content) : content,
      ...memo,
    }
  if (typeof content !== 'string' && !(content instanceof URL)) throw invalidInput(at, 'Expected bytes, base64 text or a URL.')
  const plain = String(content)
  const data = content instanceof URL || tagged?.['type'] === 'url' ? undefined : bytesOf(plain)
  if (data !== undefined) return { type: 'file', mediaType, ...title, data, ...memo }
  if (!URL.canParse(plain)) throw invalidInput(at, 'Expected bytes, base64 text or a URL.')
  return { ...fileFromUrl(plain, mediaType, part['filename']), mediaType, ...memo }
}

const isBytes = (value: unknown): value is Uint8Array | ArrayBuffer => value instanceof Uint8Array || value instanceof ArrayBuffer

function withForm(kept: { providerData?: Json }, form: string): { providerData: Json } {
  const data = (kept.providerData ?? {}) as JsonObject
  return { providerData: { ...data, [aiSdkFormat]: { ...(data[aiSdkFormat] as JsonObject | undefined), form } } }
}

const outputTypes = ['text', 'json', 'error-text', 'error-json', 'execution-denied', 'content']

function readResult(part: Fields, path: string): PartInput[] {
  const at = `${path}.output`
  const output = object(part['output'], at)
  const type = output['type']
  if (typeof type !== 'string' || !outputTypes.includes(type)) throw unknownType(at, outputTypes)
  const files: PartInput[] = []
  const shown: Json[] = []
  const order: string[] = []
  each(type === 'content' ? output['value'] : [], `${at}.value`, (inside, path) => {
    const file = inside['type'] === 'file' ? readFile(inside, 'data', name(inside, 'mediaType', path), path) : undefined
    order.push(file?.type === 'file' ? 'file' : 'other')
    if (file?.type === 'file') files.push(file)
    else shown.push(toJson(inside, path))
  })
  const value: Json =
    type === 'content'
      ? shown
      : type === 'execution-denied'
        ? (textIn(output['reason']) ?? '')
        : toJson(output['value'] ?? null, `${at}.value`)
  if (type.endsWith('text') && typeof value !== 'string') throw invalidInput(`${at}.value`, 'Expected a text.')
  const status: ToolResultStatus = type === 'execution-denied' ? 'denied' : type.startsWith('error') ? 'error' : 'ok'
  const memo: Memo = {
    form: outputType(status, value) === type ? undefined : type,
    inner: others(output, ['type', type === 'execution-denied' ? 'reason' : 'value'], at),
    order: order.join().includes('file,other') ? order : undefined,
  }
  const known = ['type', 'toolCallId', 'toolName', 'output']
  return [
    {
      type: 'tool_result',
      callId: name(part, 'toolCallId', path),
      tool: name(part, 'toolName', path),
      status,
      output: value,
      ...optionsOf(part, known, path, memo),
    },
    ...files,
  ]
}

function outputType(status: ToolResultStatus, output: Json): string {
  if (status === 'denied') return 'execution-denied'
  const isText = typeof output === 'string'
  if (status !== 'ok') return isText ? 'error-text' : 'error-json'
  return isText ? 'text' : isTextBlocks(output) ? 'content' : 'json'
}

/** Writes ModelMessages. A stored file's content stands as base64, a URL as a `URL` object, which JSON makes a text. */
export function writeAiSdk(messages: readonly OutgoingMessage[], contentOf: ContentOf): Json[] {
  return messages.flatMap((message): Json[] => {
    const memo = recall(aiSdkFormat, message)
    const rest = { ...writeOptions(message), ...memo?.fields }
    const parts: JsonObject[] =
      message.role === 'tool'
        ? writeResults(message.parts, contentOf)
        : message.parts.map(part => writePart(part, contentOf)).filter(part => part !== undefined)
    if (parts.length === 0 && memo === undefined) return []
    const texts = parts.flatMap(part => (part['type'] === 'text' ? [part['text'] as string] : []))
    const plain =
      message.role === 'system' ||
      (memo?.form !== 'parts' && parts.length === 1 && texts.length === 1 && Object.keys(parts[0] ?? {}).length === 2)
    return [{ role: message.role, content: plain ? texts.join('\n') : parts, ...rest }]
  })
}

function writeOptions(item: object): JsonObject {
  const data = (item as { providerData?: Json }).providerData
  if (!isObject(data)) return {}
  const options = Object.entries(data as JsonObject).filter(([provider, value]) => !memos.includes(provider) && isObject(value))
  return options.length === 0 ? {} : { providerOptions: Object.fromEntries(options) }
}

function writePart(part: Part | FileInput, contentOf: ContentOf): JsonObject | undefined {
  const memo = recall(aiSdkFormat, part)
  const rest = { ...writeOptions(part), ...memo?.fields }
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text, ...rest }
    case 'reasoning': {
      const options = (rest as { providerOptions?: JsonObject }).providerOptions
      const signed = signedOptions(part)
      if (Object.keys(signed).length === 0 || options?.['anthropic'] !== undefined)
        return { type: 'reasoning', text: part.text, ...rest }
      return { type: 'reasoning', text: part.text, ...rest, providerOptions: { ...options, anthropic: signed } }
    }
    case 'tool_call':
      return { type: 'tool-call', toolCallId: part.callId, toolName: part.tool, input: part.input, ...rest }
    case 'file':
      return writeFile(part, memo, rest, contentOf)
    case 'custom':
      return part.name.startsWith(`${aiSdkFormat}/`) && isObject(part.data) ? (part.data as JsonObject) : undefined
    default:
      return wordsOf(part)
  }
}

function writeFile(file: FilePart | FileInput, memo: Memo | undefined, rest: JsonObject, contentOf: ContentOf): JsonObject {
  const bytes = file.url === undefined ? contentOfFile(file, contentOf) : undefined
  if (bytes === undefined && (file.url === undefined || !URL.canParse(file.url)))
    return { type: 'text', text: inWords(file) ?? '' }
  // A URL object is no JSON value, yet what the SDK asks for; JSON.stringify makes a text of it.
  const url = file.url === undefined ? undefined : (new URL(file.url) as unknown as Json)
  const form = memo?.form
  if (form === 'image' || form === 'bare image')
    return {
      type: 'image',
      image: url ?? base64(bytes as Uint8Array),
      ...(form === 'image' ? { mediaType: file.mediaType } : {}),
      ...rest,
    }
  const title = given({ filename: file.name })
  const text = form === 'text' ? { type: 'text', text: Buffer.from(bytes ?? []).toString('utf8') } : undefined
  const data: Json = text ?? (url === undefined ? { type: 'data', data: base64(bytes as Uint8Array) } : { type: 'url', url })
  return { type: 'file', data, mediaType: file.mediaType, ...title, ...rest }
}

function writeResults(parts: OutgoingMessage['parts'], contentOf: ContentOf): JsonObject[] {
  const out: { part: ToolResultPart; files: JsonObject[] }[] = []
  const alone: JsonObject[] = []
  for (const part of parts) {
    if (part.type === 'tool_result') out.push({ part, files: [] })
    else if (part.type === 'file') out.at(-1)?.files.push(writePart(part, contentOf) as JsonObject)
    else if (part.type === 'custom' && part.name.startsWith(`${aiSdkFormat}/`) && isObject(part.data))
      alone.push(part.data as JsonObject)
  }
  return [...out.map(({ part, files }) => writeResult(part, files)), ...alone]
}

function writeResult(part: ToolResultPart, files: readonly JsonObject[]): JsonObject {
  const memo = recall(aiSdkFormat, part)
  const type = files.length > 0 ? 'content' : (memo?.form ?? outputType(part.status, part.output))
  const inner = (memo?.['inner'] ?? {}) as JsonObject
  let output: JsonObject = { type, value: part.output, ...inner }
  if (type === 'execution-denied') output = { type, ...(part.output === '' ? {} : { reason: outputText(part.output) }), ...inner }
  if (type === 'content')
    output = {
      type,
      value: inOrder(
        Array.isArray(part.output) ? part.output : [{ type: 'text', text: outputText(part.output) }],
        files,
        memo?.['order'],
      ),
      ...inner,
    }
  return { type: 'tool-result', toolCallId: part.callId, toolName: part.tool, output, ...writeOptions(part), ...memo?.fields }
}
