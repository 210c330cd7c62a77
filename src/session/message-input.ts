import { invalidInput, isBlobId, isObject, type Json, latestTime, toJson } from '#kernel'
import type { Message, PartInput, Role } from '#journal'

/** A message as a caller hands it in: `parts`, or `content` as one text or a list of parts. */
export interface MessageInput extends Omit<Message, 'parts'> {
  readonly parts: readonly PartInput[]
  /** Epoch milliseconds; the clock's time if absent. */
  readonly at?: number
}

const roles: readonly string[] = ['user', 'assistant', 'tool', 'system'] satisfies Role[]
const finishReasons: readonly string[] = ['stop', 'length', 'tool_calls', 'content_filter', 'error', 'aborted', 'other']
const statuses: readonly string[] = ['ok', 'error', 'denied', 'skipped', 'interrupted']

/** Reads a list of messages in Skein's own shape. Throws `input.invalid` with the path of the first thing that is wrong. */
export function readMessages(value: unknown, path: string = 'messages'): MessageInput[] {
  if (!Array.isArray(value)) throw invalidInput(path, 'Expected a list of messages.')
  return value.map((item, index) => readMessage(item, `${path}[${index}]`))
}

export function readMessage(value: unknown, path: string): MessageInput {
  if (!isObject(value)) throw invalidInput(path, 'Expected a message: { role, parts } or { role, content }.')
  const { role, parts, content, at, from, source, model, finishReason, rawFinishReason, providerData, ...unknown } = value
  if (typeof role !== 'string' || !roles.includes(role))
    throw invalidInput(`${path}.role`, `Expected one of ${roles.join(', ')}.`)
  for (const key of Object.keys(unknown)) if (unknown[key] !== undefined) throw invalidInput(`${path}.${key}`, 'Unknown field.')
  if (parts !== undefined && content !== undefined) throw invalidInput(`${path}.content`, 'Give parts or content, not both.')
  const given = parts === undefined ? `${path}.content` : `${path}.parts`
  const read = readParts(parts ?? content, given)
  for (const [index, part] of read.entries()) checkPlace(part.type, role as Role, `${given}[${index}]`)
  if (finishReason !== undefined && (typeof finishReason !== 'string' || !finishReasons.includes(finishReason))) {
    throw invalidInput(`${path}.finishReason`, `Expected one of ${finishReasons.join(', ')}.`)
  }
  return {
    role: role as Role,
    parts: read,
    ...text({ from, model, rawFinishReason }, path),
    ...(finishReason === undefined ? {} : { finishReason: finishReason as NonNullable<Message['finishReason']> }),
    ...(providerData === undefined ? {} : { providerData: toJson(providerData, `${path}.providerData`) }),
    ...(source === undefined ? {} : { source: toJson(source, `${path}.source`) }),
    ...(at === undefined ? {} : { at: readTime(at, `${path}.at`) }),
  }
}

/** A text, or a list of parts. */
export function readParts(value: unknown, path: string): PartInput[] {
  if (typeof value === 'string') return [{ type: 'text', text: value }]
  if (!Array.isArray(value)) throw invalidInput(path, 'Expected a text or a list of parts.')
  return value.map((part, index) => readPart(part, `${path}[${index}]`))
}

export function readTime(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= latestTime) return value
  throw invalidInput(path, 'Expected a time in whole epoch milliseconds.')
}

const partFields: { readonly [T in Exclude<PartInput['type'], 'lost'>]: readonly string[] } = {
  text: ['text'],
  reasoning: ['text', 'signature', 'redacted'],
  tool_call: ['callId', 'tool', 'input'],
  // What Skein itself noted, an outline or a count, is noted anew.
  tool_result: ['callId', 'tool', 'status', 'output', 'details', 'trust', 'outline'],
  file: ['mediaType', 'name', 'bytes', 'blob', 'url', 'data', 'tokens', 'outline'],
  source: ['url', 'title'],
  custom: ['name', 'data'],
}
const fieldsOf: ReadonlyMap<unknown, ReadonlySet<string>> = new Map(
  Object.entries(partFields).map(([type, names]) => [type, new Set(['type', 'origin', 'providerData', ...names])]),
)

/** Nothing of a type that there is has any other field. */
function checkFields(value: Record<string, unknown>, type: unknown, path: string): void {
  const known = fieldsOf.get(type)
  if (known === undefined) return
  for (const key of Object.keys(value))
    if (!known.has(key) && value[key] !== undefined) throw invalidInput(`${path}.${key}`, 'Unknown field.')
}

function readPart(value: unknown, path: string): PartInput {
  if (typeof value === 'string') return { type: 'text', text: value }
  if (!isObject(value)) throw invalidInput(path, 'Expected a part.')
  const common = {
    ...(value['origin'] === undefined ? {} : { origin: oneOf(value['origin'], ['recall'], `${path}.origin`) as 'recall' }),
    ...(value['providerData'] === undefined ? {} : { providerData: toJson(value['providerData'], `${path}.providerData`) }),
  }
  const type = (value['type'] ?? (typeof value['text'] === 'string' ? 'text' : undefined)) as PartInput['type']
  checkFields(value, type, path)
  switch (type) {
    case 'text':
      return { type, text: required(value, 'text', path), ...common }
    case 'reasoning':
      return {
        type,
        text: required(value, 'text', path),
        ...text({ signature: value['signature'], redacted: value['redacted'] }, path),
        ...common,
      }
    case 'tool_call':
      return {
        type,
        callId: required(value, 'callId', path, true),
        tool: required(value, 'tool', path, true),
        input: toJson(value['input'] ?? {}, `${path}.input`),
        ...common,
      }
    case 'tool_result':
      return {
        type,
        callId: required(value, 'callId', path, true),
        tool: required(value, 'tool', path, true),
        status: oneOf(value['status'] ?? 'ok', statuses, `${path}.status`) as 'ok',
        output: toJson(value['output'] ?? null, `${path}.output`),
        ...(value['details'] === undefined ? {} : { details: toJson(value['details'], `${path}.details`) }),
        ...text({ trust: value['trust'] }, path),
        ...common,
      }
    case 'file':
      return readFile(value, path, common)
    case 'source':
      return { type, url: required(value, 'url', path, true), ...text({ title: value['title'] }, path), ...common }
    case 'custom':
      return { type, name: required(value, 'name', path, true), data: toJson(value['data'] ?? null, `${path}.data`), ...common }
    default:
      throw invalidInput(`${path}.type`, 'Expected text, reasoning, tool_call, tool_result, file, source or custom.')
  }
}

/** A file comes with `data` (bytes, or base64 text), with a `url`, or with the `blob` that an earlier entry of the tenant stored. */
function readFile(value: Record<string, unknown>, path: string, common: { providerData?: Json; origin?: 'recall' }): PartInput {
  const { data, url, blob } = value
  const file = {
    type: 'file',
    mediaType: required(value, 'mediaType', path, true),
    ...text({ name: value['name'] }, path),
    ...common,
  } as const
  if ([data, url, blob].filter(item => item !== undefined).length !== 1)
    throw invalidInput(path, 'A file has exactly one of data, url and blob.')
  if (typeof url === 'string') return { ...file, bytes: readSize(value['bytes'] ?? 0, `${path}.bytes`), url }
  if (data instanceof Uint8Array) return { ...file, data }
  if (typeof data === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(data) && data.length % 4 === 0)
    return { ...file, data: new Uint8Array(Buffer.from(data, 'base64')) }
  if (isBlobId(blob)) return { ...file, bytes: readSize(value['bytes'], `${path}.bytes`), blob }
  throw invalidInput(
    `${path}.${data === undefined ? (url === undefined ? 'blob' : 'url') : 'data'}`,
    'Expected bytes or base64 as data, a text as url, or a blob id.',
  )
}

function readSize(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw invalidInput(path, 'Expected a size in bytes.')
}

function checkPlace(type: PartInput['type'], role: Role, path: string): void {
  const fits =
    role === 'tool'
      ? type === 'tool_result' || type === 'file' || type === 'custom'
      : type !== 'tool_result' && (role === 'assistant' || (type !== 'tool_call' && type !== 'reasoning'))
  if (!fits) throw invalidInput(`${path}.type`, `A ${type} does not belong in a message of role ${role}.`)
}

function required(value: Record<string, unknown>, field: string, path: string, filled = false): string {
  const found = value[field]
  if (typeof found === 'string' && !(filled && found === '')) return found
  throw invalidInput(`${path}.${field}`, 'Expected a text.')
}

function oneOf(value: unknown, allowed: readonly string[], path: string): string {
  if (typeof value === 'string' && allowed.includes(value)) return value
  throw invalidInput(path, `Expected one of ${allowed.join(', ')}.`)
}

/** The members that are there; each must be a text. */
function text<K extends string>(members: Record<K, unknown>, path: string): Partial<Record<K, string>> {
  const out: Partial<Record<K, string>> = {}
  for (const [key, value] of Object.entries(members) as [K, unknown][]) {
    if (value === undefined) continue
    if (typeof value !== 'string') throw invalidInput(`${path}.${key}`, 'Expected a text.')
    out[key] = value
  }
  return out
}
