import { invalidInput, isObject, type Json } from '#kernel'
import type { FileInput, FilePart, FinishReason, Part, PartInput } from '#journal'
import {
  CallNames,
  type ContentOf,
  type Fields,
  fileFromUrl,
  type FormatMessage,
  inWords,
  isTextBlocks,
  list,
  type Memo,
  name,
  object,
  others,
  type OutgoingMessage,
  outputText,
  recall,
  remember,
  text,
  unknownType,
  urlOfFile,
} from './message-shape.ts'

/** Where Chat Completions' own members are kept in `providerData`. */
const format = 'openai-chat'

const finishReasons: { readonly [raw: string]: FinishReason } = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  error: 'error',
}

/** Reads Chat Completions messages, with the fields that agents add to them. Throws `input.invalid` with the path. Law G87. */
export function readOpenAi(value: unknown, path: string): FormatMessage[] {
  const names = new CallNames()
  return list(value, path).map((item, index) => {
    const at = `${path}[${index}]`
    const message = object(item, at)
    switch (message['role']) {
      case 'system':
      case 'developer':
        return readPlain(message, 'system', at)
      case 'user':
        return readPlain(message, 'user', at)
      case 'assistant':
        return readAssistant(message, at, names)
      case 'tool':
        return readTool(message, at, names)
      default:
        throw invalidInput(`${at}.role`, 'Expected system, developer, user, assistant or tool.')
    }
  })
}

function readPlain(message: Fields, role: 'system' | 'user', path: string): FormatMessage {
  const { parts, form } = readContent(message['content'], `${path}.content`)
  const rest = others(message, ['role', 'content'], path)
  return {
    role,
    parts,
    ...remember(format, { ...named(rest), ...formed(form), ...(message['role'] === 'developer' ? { role: 'developer' } : {}) }),
  }
}

const named = (fields: Memo['fields'] | undefined): Memo => (fields === undefined ? {} : { fields })
const formed = (form: string | undefined): Memo => (form === undefined ? {} : { form })

function readContent(content: unknown, path: string): { parts: PartInput[]; form?: string } {
  if (typeof content === 'string') return { parts: [{ type: 'text', text: content }] }
  const parts = list(content, path).map((part, index) => readPart(object(part, `${path}[${index}]`), `${path}[${index}]`))
  return parts.every(part => part.type === 'text') ? { parts, form: 'parts' } : { parts }
}

const partTypes = ['text', 'refusal', 'image_url', 'input_audio', 'file']

function readPart(part: Fields, path: string): PartInput {
  switch (part['type']) {
    case 'text':
      return { type: 'text', text: text(part, 'text', path), ...remember(format, named(others(part, ['type', 'text'], path))) }
    case 'refusal':
      return {
        type: 'text',
        text: text(part, 'refusal', path),
        ...remember(format, { ...named(others(part, ['type', 'refusal'], path)), form: 'refusal' }),
      }
    case 'image_url': {
      const image = object(part['image_url'], `${path}.image_url`)
      const file = fileFromUrl(text(image, 'url', `${path}.image_url`), 'image/*')
      return {
        ...file,
        ...remember(format, { ...named(others(part, ['type', 'image_url'], path)), ...inner(others(image, ['url'], path)) }),
      }
    }
    case 'input_audio': {
      const audio = object(part['input_audio'], `${path}.input_audio`)
      const kind = text(audio, 'format', `${path}.input_audio`)
      const url = `data:audio/${kind === 'mp3' ? 'mpeg' : kind};base64,${text(audio, 'data', `${path}.input_audio`)}`
      return {
        ...fileFromUrl(url, 'audio/*'),
        ...remember(format, {
          ...named(others(part, ['type', 'input_audio'], path)),
          ...inner(others(audio, ['data', 'format'], path)),
        }),
      }
    }
    case 'file': {
      const file = object(part['file'], `${path}.file`)
      const url = typeof file['file_data'] === 'string' ? file['file_data'] : `file_id:${name(file, 'file_id', `${path}.file`)}`
      const title = typeof file['filename'] === 'string' ? { name: file['filename'] } : {}
      const rest = others(file, ['filename', typeof file['file_data'] === 'string' ? 'file_data' : 'file_id'], path)
      return {
        ...fileFromUrl(url, 'application/octet-stream', title),
        ...remember(format, { ...named(others(part, ['type', 'file'], path)), ...inner(rest) }),
      }
    }
    default:
      throw unknownType(path, partTypes)
  }
}

const inner = (fields: Memo['fields'] | undefined): Memo => (fields === undefined ? {} : { inner: fields })

function readAssistant(message: Fields, path: string, names: CallNames): FormatMessage {
  const { content, tool_calls: calls, reasoning_content: own, reasoning: other, finish_reason: raw } = message
  const parts: PartInput[] = []
  const thought = typeof own === 'string' ? own : other
  const isThought = typeof thought === 'string'
  if (isThought) {
    const fields = {
      ...(own === undefined ? {} : { reasoning_content: own as Json }),
      ...(other === undefined ? {} : { reasoning: other as Json }),
    }
    parts.push({ type: 'reasoning', text: thought, ...remember(format, { fields }) })
  }
  let form: string | undefined
  if (content === undefined || content === null) form = content === undefined ? 'absent' : 'null'
  else {
    const read = readContent(content, `${path}.content`)
    form = read.form
    parts.push(...read.parts)
  }
  const called = calls === undefined || calls === null ? [] : list(calls, `${path}.tool_calls`)
  for (const [index, call] of called.entries())
    parts.push(readCall(object(call, `${path}.tool_calls[${index}]`), `${path}.tool_calls[${index}]`, names))
  if (form === (called.length > 0 ? 'null' : undefined)) form = undefined
  const rest = others(
    message,
    ['role', 'content', ...(called.length > 0 ? ['tool_calls'] : []), ...(isThought ? ['reasoning_content', 'reasoning'] : [])],
    path,
  )
  const finish = typeof raw === 'string' ? { finishReason: finishReasons[raw] ?? ('other' as const), rawFinishReason: raw } : {}
  return { role: 'assistant', parts, ...finish, ...remember(format, { ...named(rest), ...formed(form) }) }
}

function readCall(call: Fields, path: string, names: CallNames): PartInput {
  if (call['type'] !== undefined && call['type'] !== 'function') throw unknownType(path, ['function'])
  const asked = object(call['function'], `${path}.function`)
  const callId = name(call, 'id', path)
  const tool = name(asked, 'name', `${path}.function`)
  const written = text(asked, 'arguments', `${path}.function`)
  names.add(callId, tool)
  const input = parsed(written)
  const memo: Memo = {
    ...named(others(call, ['id', 'type', 'function'], path)),
    ...inner(others(asked, ['name', 'arguments'], path)),
    ...(JSON.stringify(input) === written ? {} : { arguments: written }),
    ...(call['type'] === undefined ? { form: 'untyped' } : {}),
  }
  return { type: 'tool_call', callId, tool, input, ...remember(format, memo) }
}

/** A call's input, or its text where that is not JSON. */
export function parsed(written: string): Json {
  try {
    return JSON.parse(written) as Json
  } catch {
    return written
  }
}

function readTool(message: Fields, path: string, names: CallNames): FormatMessage {
  const callId = name(message, 'tool_call_id', path)
  const called = [message['tool_name'], message['name']].find(value => typeof value === 'string' && value !== '') as
    string | undefined
  const { content } = message
  if (typeof content !== 'string') {
    for (const [index, part] of list(content, `${path}.content`).entries()) {
      const at = `${path}.content[${index}]`
      if (object(part, at)['type'] !== 'text') throw unknownType(at, ['text'])
      text(part as Fields, 'text', at)
    }
  }
  const fields = named(others(message, ['role', 'content', 'tool_call_id'], path))
  return {
    role: 'tool',
    parts: [{ type: 'tool_result', callId, tool: called ?? names.of(callId), status: 'ok', output: content as Json }],
    ...remember(format, fields),
  }
}

/** Writes Chat Completions messages. What the format has no place for is left out: reasoning of other providers, custom parts. */
export function writeOpenAi(messages: readonly OutgoingMessage[], contentOf: ContentOf): Json[] {
  const out: Json[] = []
  let files: Json[] = []
  const showFiles = (): void => {
    if (files.length > 0) out.push({ role: 'user', content: files })
    files = []
  }
  for (const message of messages) {
    if (message.role !== 'tool') showFiles()
    const memo = recall(format, message)
    switch (message.role) {
      case 'system':
      case 'user': {
        const content = writeContent(message.parts, memo, contentOf)
        if (content !== undefined)
          out.push({ role: typeof memo?.['role'] === 'string' ? memo['role'] : message.role, content, ...memo?.fields })
        break
      }
      case 'assistant': {
        const written = writeAssistant(message, memo, contentOf)
        if (written !== undefined) out.push(written)
        break
      }
      case 'tool':
        for (const part of message.parts) {
          if (part.type === 'tool_result')
            out.push({
              role: 'tool',
              tool_call_id: part.callId,
              content: isTextBlocks(part.output) || areParts(part.output) ? part.output : outputText(part.output),
              ...memo?.fields,
            })
          else if (part.type === 'file') files.push(writePart(part, contentOf) as Json)
        }
        break
      default:
        message.role satisfies never
    }
  }
  showFiles()
  return out
}

/** Text parts with members of their own, as they were read. */
const areParts = (output: Json): boolean =>
  Array.isArray(output) && output.length > 0 && output.every(part => isObject(part) && part['type'] === 'text')

function writeContent(parts: OutgoingMessage['parts'], memo: Memo | undefined, contentOf: ContentOf): Json | undefined {
  const written = parts.flatMap(part => writePart(part, contentOf) ?? [])
  if (written.length === 0 && memo?.form !== 'parts') return undefined
  const plain = memo?.form !== 'parts' && written.every(part => isObject(part) && part['type'] === 'text')
  return plain ? written.map(part => (part as Fields)['text'] as string).join('\n') : written
}

function writePart(part: Part | FileInput, contentOf: ContentOf): Json | undefined {
  const memo = recall(format, part)
  if (part.type === 'text')
    return memo?.form === 'refusal'
      ? { type: 'refusal', refusal: part.text, ...memo.fields }
      : { type: 'text', text: part.text, ...memo?.fields }
  const file = part.type === 'file' ? writeFile(part, memo, contentOf) : undefined
  if (file !== undefined) return file
  const words = inWords(part)
  return words === null ? undefined : { type: 'text', text: words }
}

function writeFile(file: FilePart | FileInput, memo: Memo | undefined, contentOf: ContentOf): Json | undefined {
  const url = urlOfFile(file, contentOf)
  if (url === undefined) return undefined
  const own = (memo?.['inner'] ?? {}) as Memo['fields']
  if (file.mediaType.startsWith('image/')) return { type: 'image_url', image_url: { url, ...own }, ...memo?.fields }
  const audio = /^data:audio\/(mpeg|[\w.+-]+);base64,(.*)$/s.exec(url)
  if (audio !== null)
    return {
      type: 'input_audio',
      input_audio: { data: audio[2] ?? '', format: audio[1] === 'mpeg' ? 'mp3' : (audio[1] ?? ''), ...own },
      ...memo?.fields,
    }
  const title = file.name === undefined ? {} : { filename: file.name }
  if (url.startsWith('file_id:')) return { type: 'file', file: { ...title, file_id: url.slice(8), ...own }, ...memo?.fields }
  return url.startsWith('data:')
    ? { type: 'file', file: { ...title, file_data: url, ...own }, ...memo?.fields }
    : { type: 'text', text: url }
}

function writeAssistant(message: OutgoingMessage, memo: Memo | undefined, contentOf: ContentOf): Json | undefined {
  const calls: Json[] = []
  let thought: Memo['fields'] = {}
  for (const part of message.parts) {
    const own = recall(format, part)
    if (part.type === 'reasoning') thought = { ...thought, ...own?.fields }
    if (part.type !== 'tool_call') continue
    const written = typeof own?.['arguments'] === 'string' ? own['arguments'] : JSON.stringify(part.input)
    const asked = { name: part.tool, arguments: written, ...((own?.['inner'] ?? {}) as Memo['fields']) }
    calls.push({ id: part.callId, ...(own?.form === 'untyped' ? {} : { type: 'function' }), function: asked, ...own?.fields })
  }
  const shown = message.parts.filter(part => part.type !== 'tool_call' && part.type !== 'reasoning')
  const found = writeContent(shown, memo, contentOf)
  if (found === undefined && calls.length === 0 && memo === undefined && Object.keys(thought).length === 0) return undefined
  const content = found ?? (memo?.form === 'absent' ? undefined : memo?.form === 'null' || calls.length > 0 ? null : '')
  return {
    role: 'assistant',
    ...(content === undefined ? {} : { content }),
    ...thought,
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...memo?.fields,
  }
}
