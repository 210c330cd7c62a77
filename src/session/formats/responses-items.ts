import { given, invalidInput, isObject, type Json, type JsonObject, toJson } from '#kernel'
import type { FileInput, FilePart, Part, PartInput, ToolResultPart } from '#journal'
import {
  CallNames,
  type ContentOf,
  each,
  type Fields,
  fileFromUrl,
  type FormatMessage,
  list,
  type Memo,
  name,
  object,
  others,
  type OutgoingMessage,
  outputText,
  readArguments,
  recall,
  remember,
  text,
  textIn,
  unknownType,
  urlOfFile,
  wordsOf,
  writeArguments,
} from './message-shape.ts'

/** Where the Responses API's own members are kept in `providerData`. */
const format = 'openai-responses'

/**
 * Reads Responses items (input or output). Reasoning, texts and calls that follow one another make one assistant message,
 * results one tool message; items of tools that the provider runs are kept as they are. Throws `input.invalid` with the path.
 */
export function readResponses(value: unknown, path: string): FormatMessage[] {
  const names = new CallNames()
  const out: { role: FormatMessage['role']; parts: PartInput[]; open: boolean; memo: Memo }[] = []
  const join = (role: 'assistant' | 'tool', parts: readonly PartInput[]): void => {
    const last = out.at(-1)
    if (last?.open === true && last.role === role) last.parts.push(...parts)
    else out.push({ role, parts: [...parts], open: true, memo: {} })
  }
  for (const [index, entry] of list(value, path).entries()) {
    const at = `${path}[${index}]`
    const item = object(entry, at)
    const type = item['type'] ?? (item['role'] === undefined ? undefined : 'message')
    switch (type) {
      case 'message': {
        const read = readMessageItem(item, index, at)
        if (read.role === 'assistant') join('assistant', read.parts)
        else out.push({ ...read, open: false })
        break
      }
      case 'reasoning':
        join('assistant', [readReasoning(item, at)])
        break
      case 'function_call':
        join('assistant', [readCall(item, at, names)])
        break
      case 'function_call_output':
        join('tool', [readResult(item, at, names)])
        break
      default:
        if (typeof type !== 'string' || type === '')
          throw unknownType(at, ['message', 'reasoning', 'function_call', 'function_call_output'])
        join('assistant', [{ type: 'custom', name: `${format}/${type}`, data: toJson(item, at) }])
    }
  }
  return out.map(({ role, parts, memo }) => ({ role, parts, ...remember(format, memo) }))
}

/** Content parts of one assistant item carry its number in `item`, so that they become one item again. */
function readMessageItem(
  item: Fields,
  number: number,
  path: string,
): { role: FormatMessage['role']; parts: PartInput[]; memo: Memo } {
  const { role, content } = item
  if (role !== 'user' && role !== 'assistant' && role !== 'system' && role !== 'developer')
    throw invalidInput(`${path}.role`, 'Expected user, assistant, system or developer.')
  const isText = typeof content === 'string'
  const parts = isText ? [{ type: 'text', text: content } as const] : each(content, `${path}.content`, readContent)
  const memo: Memo = given({
    fields: others(item, ['role', 'content', 'type'], path),
    untyped: item['type'] === undefined ? true : undefined,
    role: role === 'developer' ? role : undefined,
    form: isText ? 'text' : undefined,
  })
  if (role !== 'assistant') return { role: role === 'developer' ? 'system' : role, parts, memo }
  return {
    role,
    parts: parts.map(part => ({
      ...part,
      ...remember(format, { ...recall(format, part), item: { number, ...(memo as JsonObject) } }),
    })),
    memo: {},
  }
}

const contentTypes = ['input_text', 'output_text', 'text', 'refusal', 'input_image', 'input_file']

function readContent(part: Fields, path: string): PartInput {
  const { type } = part
  const kept = (known: readonly string[], more: Memo = {}): { providerData?: Json } =>
    remember(format, { fields: others(part, ['type', ...known], path), ...more })
  switch (type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: text(part, 'text', path), ...kept(['text'], { type }) }
    case 'refusal':
      return { type: 'text', text: text(part, 'refusal', path), ...kept(['refusal'], { type }) }
    case 'input_image': {
      const url = textIn(part['image_url'])
      if (url !== undefined) return { ...fileFromUrl(url, 'image/*'), ...kept(['image_url']) }
      return { type: 'file', mediaType: 'image/*', bytes: 0, url: `file_id:${name(part, 'file_id', path)}`, ...kept(['file_id']) }
    }
    case 'input_file': {
      const source = ['file_data', 'file_url', 'file_id'].find(member => typeof part[member] === 'string')
      if (source === undefined) throw invalidInput(path, 'Expected file_data, file_url or file_id.')
      const url = `${source === 'file_id' ? 'file_id:' : ''}${part[source] as string}`
      return { ...fileFromUrl(url, 'application/octet-stream', part['filename']), ...kept([source, 'filename']) }
    }
    default:
      throw unknownType(path, contentTypes)
  }
}

function readReasoning(item: Fields, path: string): PartInput {
  const summary = item['summary'] === undefined ? [] : list(item['summary'], `${path}.summary`)
  const content = item['content'] === undefined || item['content'] === null ? [] : list(item['content'], `${path}.content`)
  const said = [...content, ...summary].flatMap(part =>
    isObject(part) && typeof part['text'] === 'string' ? [part['text']] : [],
  )
  // The item goes back whole: its id and summaries belong to its encrypted content.
  return {
    type: 'reasoning',
    text: said.join('\n\n'),
    ...given({ redacted: textIn(item['encrypted_content']) }),
    ...remember(format, { item: toJson(item, path) }),
  }
}

function readCall(item: Fields, path: string, names: CallNames): PartInput {
  const callId = name(item, 'call_id', path)
  const tool = name(item, 'name', path)
  const written = text(item, 'arguments', path)
  names.add(callId, tool)
  const { input, memo } = readArguments(written)
  const fields = others(item, ['type', 'call_id', 'name', 'arguments'], path)
  return { type: 'tool_call', callId, tool, input, ...remember(format, { fields, ...memo }) }
}

function readResult(item: Fields, path: string, names: CallNames): ToolResultPart {
  const callId = name(item, 'call_id', path)
  const { output } = item
  if (typeof output !== 'string') list(output, `${path}.output`)
  const memo = {
    fields: others(item, ['type', 'call_id', 'output'], path),
    form: typeof output === 'string' ? undefined : 'parts',
  }
  return {
    type: 'tool_result',
    callId,
    tool: names.of(callId),
    status: 'ok',
    output: toJson(output, `${path}.output`),
    ...remember(format, memo),
  }
}

/** Writes Responses items. Reasoning that this API did not make is left out, as are custom parts of others. */
export function writeResponses(messages: readonly OutgoingMessage[], contentOf: ContentOf): Json[] {
  return messages.flatMap(message => {
    if (message.role === 'assistant') return writeAssistant(message.parts, contentOf)
    if (message.role === 'tool') return writeResults(message.parts, contentOf)
    const memo = recall(format, message)
    const content = message.parts.flatMap(part => writeContent(part, 'input_text', contentOf) ?? [])
    if (content.length === 0) return []
    const role = textIn(memo?.['role']) ?? message.role
    return [
      {
        ...(memo?.['untyped'] === true ? {} : { type: 'message' }),
        role,
        // Neighbours that were joined stay apart as parts.
        content: memo?.form === 'text' && message.parts.length === 1 ? textOf(message.parts) : content,
        ...memo?.fields,
      },
    ]
  })
}

const textOf = (parts: OutgoingMessage['parts']): string =>
  parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('')

function writeAssistant(parts: OutgoingMessage['parts'], contentOf: ContentOf): Json[] {
  const out: JsonObject[] = []
  let open: { number: Json; content: Json[] } | undefined
  for (const part of parts) {
    const memo = recall(format, part)
    if (part.type === 'tool_call' || part.type === 'reasoning' || part.type === 'custom') {
      open = undefined
      const item =
        part.type === 'tool_call'
          ? writeCall(part, memo)
          : part.type === 'reasoning'
            ? memo?.['item']
            : part.name.startsWith(`${format}/`)
              ? part.data
              : undefined
      if (isObject(item)) out.push(item as JsonObject)
      continue
    }
    const content = writeContent(part, 'output_text', contentOf)
    if (content === undefined) continue
    const item = isObject(memo?.['item']) ? (memo['item'] as Memo) : undefined
    const number = item?.['number'] ?? null
    if (open !== undefined && open.number === number) {
      open.content.push(content)
      continue
    }
    open = { number, content: [content] }
    const whole = item?.form === 'text' && part.type === 'text' ? part.text : open.content
    out.push({ ...(item?.['untyped'] === true ? {} : { type: 'message' }), role: 'assistant', content: whole, ...item?.fields })
  }
  return out
}

function writeCall(part: Extract<Part, { type: 'tool_call' }>, memo: Memo | undefined): JsonObject {
  const written = writeArguments(part.input, memo)
  return { type: 'function_call', call_id: part.callId, name: part.tool, arguments: written, ...memo?.fields }
}

function writeResults(parts: OutgoingMessage['parts'], contentOf: ContentOf): Json[] {
  const out: { item: JsonObject; files: Json[] }[] = []
  for (const part of parts) {
    if (part.type === 'file') out.at(-1)?.files.push(writeContent(part, 'input_text', contentOf) as Json)
    if (part.type !== 'tool_result') continue
    const memo = recall(format, part)
    const output = memo?.form === 'parts' ? part.output : outputText(part.output)
    out.push({ item: { type: 'function_call_output', call_id: part.callId, output, ...memo?.fields }, files: [] })
  }
  return out.map(({ item, files }) =>
    files.length === 0 ? item : { ...item, output: [...asParts(item['output'] ?? ''), ...files] },
  )
}

const asParts = (output: Json): readonly Json[] =>
  Array.isArray(output) ? (output as readonly Json[]) : [{ type: 'input_text', text: outputText(output) }]

function writeContent(part: Part | FileInput, usual: 'input_text' | 'output_text', contentOf: ContentOf): Json | undefined {
  const memo = recall(format, part)
  if (part.type === 'text') {
    const type = textIn(memo?.['type']) ?? usual
    return { type, [type === 'refusal' ? 'refusal' : 'text']: part.text, ...memo?.fields }
  }
  const file = part.type === 'file' ? writeFile(part, memo, contentOf) : undefined
  if (file !== undefined) return file
  return wordsOf(part, usual)
}

function writeFile(file: FilePart | FileInput, memo: Memo | undefined, contentOf: ContentOf): Json | undefined {
  const url = urlOfFile(file, contentOf)
  if (url === undefined) return undefined
  const isImage = file.mediaType.startsWith('image/')
  const source = url.startsWith('file_id:')
    ? { file_id: url.slice(8) }
    : isImage
      ? { image_url: url }
      : url.startsWith('data:')
        ? { file_data: url }
        : { file_url: url }
  return {
    type: isImage ? 'input_image' : 'input_file',
    ...given({ filename: file.name }),
    ...source,
    ...memo?.fields,
  }
}
