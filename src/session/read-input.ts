import { given, invalidInput, isObject } from '#kernel'
import { checkKey, type FinishReason } from '#journal'
import { isMessageFormat, messageFormats, readForeign } from './formats/messages.ts'
import { type MessageInput, readMessage, readMessages, readParts, readTime } from './message-input.ts'
import { readUsage, type TurnInput } from './record-turn.ts'

function parseMessages(format: unknown, messages: unknown, path: string): MessageInput[] {
  if (!isMessageFormat(format)) throw invalidInput('format', `Expected one of ${messageFormats.join(', ')}.`)
  return format === 'skein' ? readMessages(messages, path) : readForeign(format, messages, path)
}

/** Messages in the named shape (default Skein's own), a single one too. */
export function readAppend(messages: unknown, format: unknown = 'skein'): MessageInput[] {
  return parseMessages(format, Array.isArray(messages) ? messages : [messages], 'messages')
}

const turnFields = [
  'user',
  'assistant',
  'messages',
  'format',
  'usage',
  'tools',
  'finishReason',
  'model',
  'at',
  'cost',
  'idempotencyKey',
]
const finishReasons = ['stop', 'length', 'tool_calls', 'content_filter', 'error', 'aborted', 'other']

/** Reads what `record` takes. Throws `input.invalid` with the path of the first thing that is wrong. */
export function readTurn(value: unknown): { readonly input: TurnInput; readonly idempotencyKey?: string } {
  if (!isObject(value)) throw invalidInput('', 'Expected { user, assistant, … } or { messages, … }.')
  for (const key of Object.keys(value))
    if (value[key] !== undefined && !turnFields.includes(key)) throw invalidInput(key, 'Unknown field.')
  const { finishReason, model, at, cost, usage, tools, idempotencyKey } = value
  if (finishReason !== undefined && !finishReasons.includes(finishReason as string))
    throw invalidInput('finishReason', `Expected one of ${finishReasons.join(', ')}.`)
  if (model !== undefined && (typeof model !== 'string' || model === '')) throw invalidInput('model', 'Expected a text.')
  if (cost !== undefined && cost !== null && typeof cost !== 'number')
    throw invalidInput('cost', 'Expected whole nano-dollars, or null.')
  const input: TurnInput = {
    messages: readTurnMessages(value),
    ...(usage === undefined || usage === null ? {} : { usage: readUsage(usage) }),
    ...(tools === undefined ? {} : { tools: readTools(tools) }),
    ...(finishReason === undefined ? {} : { finishReason: finishReason as FinishReason }),
    ...given({ model }),
    ...(at === undefined ? {} : { at: readTime(at, 'at') }),
    ...given({ cost }),
  }
  return idempotencyKey === undefined ? { input } : { input, idempotencyKey: checkKey(idempotencyKey) }
}

function readTurnMessages(value: Record<string, unknown>): MessageInput[] {
  const { user, assistant, messages, format } = value
  if (messages !== undefined) {
    if (user !== undefined || assistant !== undefined)
      throw invalidInput('messages', 'Give user and assistant, or messages, not both.')
    const read = parseMessages(format ?? 'skein', messages, 'messages')
    if (read.filter(message => message.role === 'user').length > 1)
      throw invalidInput('messages', 'One turn has one user message.')
    return read
  }
  if (format !== undefined) throw invalidInput('format', 'Only with messages.')
  if (user === undefined) throw invalidInput('user', 'Expected a text, parts or a message.')
  if (assistant === undefined) throw invalidInput('assistant', 'Expected a text, parts or a message.')
  return [readSide(user, 'user'), readSide(assistant, 'assistant')]
}

function readSide(value: unknown, role: 'user' | 'assistant'): MessageInput {
  if (isObject(value)) return readMessage({ role, ...value }, role)
  return readMessage({ role, parts: readParts(value, role) }, role)
}

function readTools(value: unknown): NonNullable<TurnInput['tools']> {
  if (!Array.isArray(value)) throw invalidInput('tools', 'Expected a list of { tool, calls, errors, ms }.')
  return value.map((item: unknown, index) => {
    const path = `tools[${index}]`
    if (!isObject(item) || typeof item['tool'] !== 'string' || item['tool'] === '')
      throw invalidInput(path, 'Expected { tool, calls, errors, ms }.')
    const count = (field: string): number => {
      const number = item[field] ?? 0
      if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number
      throw invalidInput(`${path}.${field}`, 'Expected a whole number.')
    }
    return { tool: item['tool'], calls: count('calls'), errors: count('errors'), ms: count('ms') }
  })
}
