import { given, invalidInput, isObject, type Json, type JsonObject } from '#kernel'
import type { FileInput, FilePart, FinishReason, Part, PartInput } from '#journal'
import {
  CallNames,
  type ContentOf,
  each,
  type Fields,
  fileFromUrl,
  finishOf,
  type FormatMessage,
  isTextBlocks,
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
  return each(value, path, (message, at) => {
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
  const fields = others(message, ['role', 'content'], path)
  return { role, parts, ...remember(format, { fields, form, role: message['role'] === 'developer' ? 'developer' : undefined }) }
}

function readContent(content: unknown, path: string): { parts: PartInput[]; form?: string } {
  if (typeof content === 'string') return { parts: [{ type: 'text', text: content }] }
  const parts = each(content, path, readPart)
  return parts.every(part => part.type === 'text') ? { parts, form: 'parts' } : { parts }
}

const partTypes = ['text', 'refusal', 'image_url', 'input_audio', 'file']

function readPart(part: Fields, path: string): PartInput {
  const kept = (member: string, more: Memo = {}): { providerData?: Json } =>
    remember(format, { fields: others(part, ['type', member], path), ...more })
  switch (part['type']) {
    case 'text':
      return { type: 'text', text: text(part, 'text', path), ...kept('text') }
    case 'refusal':
      return { type: 'text', text: text(part, 'refusal', path), ...kept('refusal', { form: 'refusal' }) }
    case 'image_url': {
      const at = `${path}.image_url`
      const image = object(part['image_url'], at)
      const inner = others(image, ['url'], path)
      return { ...fileFromUrl(text(image, 'url', at), 'image/*'), ...kept('image_url', { inner }) }
    }
    case 'input_audio': {
      const at = `${path}.input_audio`
      const audio = object(part['input_audio'], at)
      const kind = text(audio, 'format', at)
      const url = `data:audio/${kind === 'mp3' ? 'mpeg' : kind};base64,${text(audio, 'data', at)}`
      return { ...fileFromUrl(url, 'audio/*'), ...kept('input_audio', { inner: others(audio, ['data', 'format'], path) }) }
    }
    case 'file': {
      const at = `${path}.file`
      const file = object(part['file'], at)
      const data = textIn(file['file_data'])
      const url = data ?? `file_id:${name(file, 'file_id', at)}`
      const inner = others(file, ['filename', data === undefined ? 'file_id' : 'file_data'], path)
      return { ...fileFromUrl(url, 'application/octet-stream', file['filename']), ...kept('file', { inner }) }
    }
    default:
      throw unknownType(path, partTypes)
  }
}

function readAssistant(message: Fields, path: string, names: CallNames): FormatMessage {
  const { content, tool_calls: calls, reasoning_content: own, reasoning: other, finish_reason: raw } = message
  const parts: PartInput[] = []
  const thought = typeof own === 'string' ? own : other
  const isThought = typeof thought === 'string'
  if (isThought) {
    const fields = given({ reasoning_content: own, reasoning: other }) as JsonObject
    parts.push({ type: 'reasoning', text: thought, ...remember(format, { fields }) })
  }
  let form: string | undefined
  if (content === undefined || content === null) form = content === undefined ? 'absent' : 'null'
  else {
    const read = readContent(content, `${path}.content`)
    form = read.form
    parts.push(...read.parts)
  }
  const called = each(calls ?? [], `${path}.tool_calls`, (call, at) => readCall(call, at, names))
  parts.push(...called)
  if (form === (called.length > 0 ? 'null' : undefined)) form = undefined
  const fields = others(
    message,
    ['role', 'content', ...(called.length > 0 ? ['tool_calls'] : []), ...(isThought ? ['reasoning_content', 'reasoning'] : [])],
    path,
  )
  return { role: 'assistant', parts, ...finishOf(raw, finishReasons), ...remember(format, { fields, form }) }
}

function readCall(call: Fields, path: string, names: CallNames): PartInput {
  if (call['type'] !== undefined && call['type'] !== 'function') throw unknownType(path, ['function'])
  const asked = object(call['function'], `${path}.function`)
  const callId = name(call, 'id', path)
  const tool = name(asked, 'name', `${path}.function`)
  const written = text(asked, 'arguments', `${path}.function`)
  names.add(callId, tool)
  const { input, memo } = readArguments(written)
  const kept = remember(format, {
    fields: others(call, ['id', 'type', 'function'], path),
    inner: others(asked, ['name', 'arguments'], path),
    ...memo,
    form: call['type'] === undefined ? 'untyped' : undefined,
  })
  return { type: 'tool_call', callId, tool, input, ...kept }
}

function readTool(message: Fields, path: string, names: CallNames): FormatMessage {
  const callId = name(message, 'tool_call_id', path)
  const called = [message['tool_name'], message['name']].find(value => typeof value === 'string' && value !== '') as
    string | undefined
  const { content } = message
  if (typeof content !== 'string') {
    each(content, `${path}.content`, (part, at) => {
      if (part['type'] !== 'text') throw unknownType(at, ['text'])
      text(part, 'text', at)
    })
  }
  const fields = others(message, ['role', 'content', 'tool_call_id'], path)
  return {
    role: 'tool',
    parts: [{ type: 'tool_result', callId, tool: called ?? names.of(callId), status: 'ok', output: content as Json }],
    ...remember(format, { fields }),
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
        if (content !== undefined) out.push({ role: textIn(memo?.['role']) ?? message.role, content, ...memo?.fields })
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
  if (!plain) return written
  const texts = written.map(part => (part as Fields)['text'] as string)
  return texts.length === 1 ? texts[0] : texts.join('\n')
}

function writePart(part: Part | FileInput, contentOf: ContentOf): Json | undefined {
  const memo = recall(format, part)
  if (part.type === 'text')
    return memo?.form === 'refusal'
      ? { type: 'refusal', refusal: part.text, ...memo.fields }
      : { type: 'text', text: part.text, ...memo?.fields }
  const file = part.type === 'file' ? writeFile(part, memo, contentOf) : undefined
  if (file !== undefined) return file
  return wordsOf(part)
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
  const title = given({ filename: file.name })
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
    const asked = { name: part.tool, arguments: writeArguments(part.input, own), ...((own?.['inner'] ?? {}) as Memo['fields']) }
    calls.push({ id: part.callId, ...(own?.form === 'untyped' ? {} : { type: 'function' }), function: asked, ...own?.fields })
  }
  const shown = message.parts.filter(part => part.type !== 'tool_call' && part.type !== 'reasoning')
  const found = writeContent(shown, memo, contentOf)
  if (found === undefined && calls.length === 0 && memo === undefined && Object.keys(thought).length === 0) return undefined
  const content = found ?? (memo?.form === 'absent' ? undefined : memo?.form === 'null' || calls.length > 0 ? null : '')
  return {
    role: 'assistant',
    ...given({ content }),
    ...thought,
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...memo?.fields,
  }
}
