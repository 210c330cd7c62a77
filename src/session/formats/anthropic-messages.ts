import { given, invalidInput, isObject, type Json, type JsonObject } from '#kernel'
import type { FileInput, FilePart, FinishReason, Part, PartInput, ToolResultPart } from '#journal'
import {
  base64,
  bytesOf,
  CallNames,
  type ContentOf,
  contentOfFile,
  each,
  type Fields,
  finishOf,
  type FormatMessage,
  inOrder,
  inWords,
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

/** Where the Messages API's own members are kept in `providerData`. */
const format = 'anthropic-messages'

const finishReasons: { readonly [raw: string]: FinishReason } = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
}

/** Blocks of tools that run at the provider, and what else goes back untouched. */
const opaque: readonly string[] = [
  'server_tool_use',
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
  'mcp_tool_use',
  'mcp_tool_result',
  'container_upload',
  'search_result',
  'tool_reference',
  'compaction',
]
const blockTypes: readonly string[] = [
  'text',
  'image',
  'document',
  'thinking',
  'redacted_thinking',
  'tool_use',
  'tool_result',
  ...opaque,
]

/**
 * Reads Messages API messages; `system` stands apart there. A user message with tool results becomes a tool message and,
 * if it says more, a user message behind it, which are one again when written. Throws `input.invalid` with the path.
 */
export function readAnthropic(value: unknown, path: string): FormatMessage[] {
  const names = new CallNames()
  return each(value, path, (message, at) => readMessage(message, at, names)).flat()
}

function readMessage(message: Fields, path: string, names: CallNames): FormatMessage[] {
  const { role, content, stop_reason: raw } = message
  if (role !== 'user' && role !== 'assistant')
    throw invalidInput(`${path}.role`, 'Expected user or assistant; the system text stands apart.')
  const fields = others(message, ['role', 'content'], path)
  const finish = finishOf(raw, finishReasons)
  if (typeof content === 'string')
    return [{ role, parts: [{ type: 'text', text: content }], ...finish, ...remember(format, { fields }) }]
  const groups: { results: boolean; parts: PartInput[] }[] = []
  each(content, `${path}.content`, (block, at) => {
    const results = block['type'] === 'tool_result'
    if (results && role === 'assistant') throw invalidInput(`${at}.type`, 'A tool_result belongs in a message of role user.')
    if (groups.at(-1)?.results !== results) groups.push({ results, parts: [] })
    groups.at(-1)?.parts.push(...(results ? readResult(block, at, names) : [readBlock(block, at, names)]))
  })
  if (groups.length === 0) groups.push({ results: false, parts: [] })
  return groups.map(({ results, parts }, index) => {
    const isOnlyText = !results && groups.length === 1 && parts.length === 1 && parts[0]?.type === 'text'
    const form = isOnlyText ? 'blocks' : undefined
    const memo = remember(format, index === 0 ? { fields, form } : { joined: true, form })
    return { role: results ? 'tool' : role, parts, ...(index === 0 ? finish : {}), ...memo }
  })
}

const kept = (block: Fields, known: readonly string[], path: string, more: Memo = {}): { providerData?: Json } =>
  remember(format, { fields: others(block, ['type', ...known], path), ...more })

function readBlock(block: Fields, path: string, names: CallNames): PartInput {
  switch (block['type']) {
    case 'text':
      return { type: 'text', text: text(block, 'text', path), ...kept(block, ['text'], path) }
    case 'thinking': {
      const signature = textIn(block['signature'])
      return {
        type: 'reasoning',
        text: text(block, 'thinking', path),
        ...given({ signature }),
        ...kept(block, ['thinking', 'signature'], path, { form: signature === undefined ? 'unsigned' : undefined }),
      }
    }
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', redacted: text(block, 'data', path), ...kept(block, ['data'], path) }
    case 'tool_use': {
      const callId = name(block, 'id', path)
      const tool = name(block, 'name', path)
      names.add(callId, tool)
      const input = others({ input: block['input'] ?? {} }, [], path)?.['input'] ?? {}
      return { type: 'tool_call', callId, tool, input, ...kept(block, ['id', 'name', 'input'], path) }
    }
    case 'image':
    case 'document':
      return readFile(block, path)
    default:
      if (typeof block['type'] !== 'string' || !opaque.includes(block['type'])) throw unknownType(path, blockTypes)
      return { type: 'custom', name: `${format}/${block['type']}`, data: others(block, [], path) ?? {} }
  }
}

function readFile(block: Fields, path: string): PartInput {
  const at = `${path}.source`
  const source = object(block['source'], at)
  const isImage = block['type'] === 'image'
  const file = (mediaType: string, known: readonly string[]) => ({
    type: 'file' as const,
    mediaType,
    ...given({ name: textIn(block['title']) }),
    ...kept(block, ['source', 'title'], path, { inner: others(source, ['type', ...known], at) }),
  })
  switch (source['type']) {
    case 'base64': {
      const data = bytesOf(text(source, 'data', at))
      if (data === undefined) throw invalidInput(`${at}.data`, 'Expected base64.')
      return { ...file(name(source, 'media_type', at), ['media_type', 'data']), data }
    }
    case 'url':
      return { ...file(isImage ? 'image/*' : 'application/pdf', ['url']), bytes: 0, url: name(source, 'url', at) }
    case 'file': {
      const url = `file_id:${name(source, 'file_id', at)}`
      return { ...file(isImage ? 'image/*' : 'application/octet-stream', ['file_id']), bytes: 0, url }
    }
    case 'text':
      return { ...file('text/plain', ['data']), data: new Uint8Array(Buffer.from(text(source, 'data', at))) }
    case 'content':
      return { type: 'custom', name: `${format}/document`, data: others(block, [], path) ?? {} }
    default:
      throw unknownType(at, ['base64', 'url', 'file', 'text', 'content'])
  }
}

/** A result, and behind it the files that it shows. Where they stood among the texts is remembered. */
function readResult(block: Fields, path: string, names: CallNames): PartInput[] {
  const callId = name(block, 'tool_use_id', path)
  const { content, is_error: failed } = block
  const files: PartInput[] = []
  const shown: Json[] = []
  const order: string[] = []
  each(content === undefined || typeof content === 'string' ? [] : content, `${path}.content`, (inside, at) => {
    const part = inside['type'] === 'tool_result' ? undefined : readBlock(inside, at, names)
    if (part === undefined || part.type === 'tool_call' || part.type === 'reasoning')
      throw unknownType(at, ['text', 'image', 'document', 'search_result', 'tool_reference'])
    order.push(part.type === 'file' ? 'file' : 'other')
    if (part.type === 'file') files.push(part)
    else shown.push(others(inside, [], at) ?? {})
  })
  const memo: Memo = {
    form: content === undefined ? 'empty' : undefined,
    is_error: failed === false ? false : undefined,
    order: order.join().includes('file,other') ? order : undefined,
  }
  const output = content === undefined ? '' : typeof content === 'string' ? content : shown
  return [
    {
      type: 'tool_result',
      callId,
      tool: names.of(callId),
      status: failed === true ? 'error' : 'ok',
      output,
      ...kept(block, ['tool_use_id', 'content', 'is_error'], path, memo),
    },
    ...files,
  ]
}

/** Writes Messages API messages. System texts among them become user texts; reasoning without a signature is left out. */
export function writeAnthropic(messages: readonly OutgoingMessage[], contentOf: ContentOf): Json[] {
  const out: { role: string; content: Json; own: JsonObject | undefined; tool: boolean }[] = []
  for (const message of messages) {
    const memo = recall(format, message)
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const blocks =
      message.role === 'tool'
        ? writeResults(message.parts, contentOf)
        : message.parts.flatMap(part => writeBlock(part, contentOf) ?? [])
    const last = out.at(-1)
    if (last !== undefined && last.role === role && (memo?.['joined'] === true || (last.tool && message.role === 'tool'))) {
      last.content = [...asBlocks(last.content), ...blocks]
      continue
    }
    if (blocks.length === 0) continue
    const only = blocks.length === 1 ? blocks[0] : undefined
    const plain =
      blocks.every(block => isObject(block) && block['type'] === 'text' && Object.keys(block).length === 2) &&
      message.role !== 'tool' &&
      memo?.form !== 'blocks'
    const content =
      plain && (only !== undefined || memo === undefined)
        ? blocks.map(block => (block as Fields)['text'] as string).join('\n')
        : blocks
    out.push({ role, content, own: memo?.fields, tool: message.role === 'tool' })
  }
  return out.map(({ role, content, own }) => ({ role, content, ...own }))
}

const asBlocks = (content: Json): readonly Json[] =>
  Array.isArray(content) ? (content as readonly Json[]) : [{ type: 'text', text: content }]

function writeBlock(part: Part | FileInput, contentOf: ContentOf): Json | undefined {
  const memo = recall(format, part)
  switch (part.type) {
    case 'text':
      return part.text === '' ? undefined : { type: 'text', text: part.text, ...memo?.fields }
    case 'reasoning':
      if (part.redacted !== undefined) return { type: 'redacted_thinking', data: part.redacted, ...memo?.fields }
      if (part.signature === undefined && memo?.form !== 'unsigned') return undefined
      return {
        type: 'thinking',
        thinking: part.text,
        ...given({ signature: part.signature }),
        ...memo?.fields,
      }
    case 'tool_call':
      // The API takes objects only; what a model wrote instead is shown to it inside one.
      return {
        type: 'tool_use',
        id: part.callId,
        name: part.tool,
        input: isObject(part.input) ? part.input : { input: part.input },
        ...memo?.fields,
      }
    case 'file':
      return writeFile(part, memo, contentOf)
    case 'custom':
      return part.name.startsWith(`${format}/`) ? part.data : undefined
    default:
      return wordsOf(part)
  }
}

function writeFile(file: FilePart | FileInput, memo: Memo | undefined, contentOf: ContentOf): Json {
  const source = writeSource(file, contentOf)
  if (source === undefined) return { type: 'text', text: inWords(file) ?? '' }
  return {
    type: file.mediaType.startsWith('image/') ? 'image' : 'document',
    source: { ...source, ...((memo?.['inner'] ?? {}) as JsonObject) },
    ...given({ title: file.name }),
    ...memo?.fields,
  }
}

function writeSource(file: FilePart | FileInput, contentOf: ContentOf): JsonObject | undefined {
  if (file.url?.startsWith('file_id:') === true) return { type: 'file', file_id: file.url.slice(8) }
  if (file.url !== undefined) return { type: 'url', url: file.url }
  const bytes = contentOfFile(file, contentOf)
  if (bytes === undefined) return undefined
  if (file.mediaType === 'text/plain')
    return { type: 'text', media_type: 'text/plain', data: Buffer.from(bytes).toString('utf8') }
  return { type: 'base64', media_type: file.mediaType, data: base64(bytes) }
}

/** Results with the files that stand behind each. */
function writeResults(parts: OutgoingMessage['parts'], contentOf: ContentOf): Json[] {
  const out: Json[] = []
  let open: { part: ToolResultPart; files: Json[] } | undefined
  const close = (): void => {
    if (open !== undefined) out.push(writeResult(open.part, open.files))
    open = undefined
  }
  for (const part of parts) {
    if (part.type === 'tool_result') {
      close()
      open = { part, files: [] }
    } else if (part.type === 'file') {
      const written = writeBlock(part, contentOf)
      if (written === undefined) continue
      if (open === undefined) out.push(written)
      else open.files.push(written)
    }
  }
  close()
  return out
}

function writeResult(part: ToolResultPart, files: readonly Json[]): Json {
  const memo = recall(format, part)
  const { output } = part
  const blocks: readonly Json[] | undefined =
    Array.isArray(output) && output.every(block => isObject(block) && blockTypes.includes(block['type'] as string))
      ? (output as readonly Json[])
      : undefined
  let content: Json
  if (blocks === undefined && files.length === 0) content = outputText(output)
  else
    content = inOrder(
      blocks ?? (outputText(output).trim() === '' ? [] : [{ type: 'text', text: outputText(output) }]),
      files,
      memo?.['order'],
    )
  const failed = part.status === 'ok' ? (memo?.['is_error'] === false ? { is_error: false } : {}) : { is_error: true }
  return {
    type: 'tool_result',
    tool_use_id: part.callId,
    ...(memo?.form === 'empty' ? {} : { content }),
    ...failed,
    ...memo?.fields,
  }
}
