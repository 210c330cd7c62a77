import { canonical, cleanLine, type EntryId, given, isObject, type Json, type JsonObject } from '#kernel'
import { type Entry, isStub, type NewBlob, type NewEntry, type Part, stowParts } from '#journal'
import type { ContentOf } from './message-shape.ts'
import { ownOf, piFormat, type PiMessage, readPiMessage, restOf, writePiMessage } from './pi-message.ts'
import { isIdTime } from './seeded-ids.ts'

/** What one line of a pi file becomes. `data` goes back to an equal line. */
export interface PiLine {
  readonly type: string
  readonly place: 'path' | 'side'
  readonly data: JsonObject
  readonly blobs: readonly NewBlob[]
  /** False for a type or role that pi's format, versions 1 to 3, does not have. */
  readonly known: boolean
}

/** Name of the part that keeps a whole line, where keeping its odd members inline would make the entry too large. */
const wholeLine = 'pi:line'
const heavyLine = 2 ** 18
const heavyEntry = 2 ** 19

const plainTypes: readonly string[] = [
  'compaction',
  'branch_summary',
  'custom',
  'custom_message',
  'usage',
  'context_edit',
  'context_transform',
  'ephemeral',
  'leaf',
  'active_tools_change',
]
const mappedTypes: readonly string[] = ['message', 'model_change', 'thinking_level_change', 'label', 'session_info']
const plainRoles: readonly string[] = ['bashExecution', 'custom', 'hookMessage', 'branchSummary', 'compactionSummary']

export const isPiType = (type: unknown): boolean =>
  type === 'session' || plainTypes.includes(type as string) || mappedTypes.includes(type as string)

/** When a line was written, or `undefined` if it does not say. */
export function timeOfLine(line: JsonObject): number | undefined {
  const { timestamp, message } = line
  const at = typeof timestamp === 'string' ? Date.parse(timestamp) : timestamp
  if (isIdTime(at)) return at
  const said = isObject(message) ? message['timestamp'] : undefined
  return isIdTime(said) ? said : undefined
}

/**
 * Reads a line. What Skein has no place for stays in `providerData`; a line that would not come back equal is kept whole
 * beside what was understood of it, and one that is not understood becomes `custom { name: 'pi/TYPE', data: line }`.
 */
export function readPiLine(line: JsonObject, at: number, entryOf: (piId: string) => EntryId | undefined): PiLine {
  const mapped = readMapped(line, at, entryOf)
  if (mapped === undefined) return readRaw(line)
  const { blobs } = mapped
  const contentOf: ContentOf = id => blobs.find(blob => blob.id === id)?.bytes
  const [back, ...more] = writePiLine({ type: mapped.type, at, data: mapped.data }, contentOf)
  const same = more.length === 0 && back !== undefined && canonical(back) === canonical(line)
  return lighten(same ? mapped : { ...mapped, data: { ...mapped.data, providerData: { [piFormat]: { line } } } }, line)
}

function readMapped(line: JsonObject, at: number, entryOf: (piId: string) => EntryId | undefined): PiLine | undefined {
  const entry = (known: readonly string[]): JsonObject =>
    restOf(line, ['type', ...known, ...(line['timestamp'] === timestampOf(at) ? ['timestamp'] : [])])
  const made = (type: string, place: PiLine['place'], data: JsonObject, known: readonly string[]): PiLine => ({
    type,
    place,
    data: { ...data, providerData: { [piFormat]: { entry: entry(known) } } },
    blobs: [],
    known: true,
  })
  switch (line['type']) {
    case 'message': {
      const read = readPiMessage(line['message'])
      if (read === undefined) return undefined
      const data = { ...read.message, providerData: { [piFormat]: { ...ownOf(read.message), entry: entry(['message']) } } }
      return { type: 'message_added', place: 'path', data: data as unknown as JsonObject, blobs: read.blobs, known: true }
    }
    case 'model_change': {
      const { provider, modelId } = line
      if (typeof provider !== 'string' || typeof modelId !== 'string') return undefined
      return made('model_changed', 'path', { model: `${provider}/${modelId}` }, ['provider', 'modelId'])
    }
    case 'thinking_level_change':
      return typeof line['thinkingLevel'] === 'string'
        ? made('thinking_changed', 'path', { level: line['thinkingLevel'] }, ['thinkingLevel'])
        : undefined
    case 'session_info': {
      const { name } = line
      const title = typeof name === 'string' ? cleanLine(name, 100) : null
      return made('session_titled', 'side', { title }, title === name ? ['name'] : [])
    }
    case 'label': {
      const { targetId, label } = line
      const target = typeof targetId === 'string' ? entryOf(targetId) : undefined
      const text = typeof label === 'string' ? cleanLine(label, 80) : null
      return target === undefined
        ? undefined
        : made('entry_labelled', 'side', { entry: target, label: text }, text === label ? ['label'] : [])
    }
    default:
      return undefined
  }
}

/** A line as it stands. It keeps its place in the tree; where pi shows it to the model, so does Skein, by its text. */
function readRaw(line: JsonObject): PiLine {
  const type = typeof line['type'] === 'string' ? line['type'] : 'unknown'
  const message = isObject(line['message']) ? (line['message'] as JsonObject) : {}
  const role = type === 'message' && typeof message['role'] === 'string' ? message['role'] : undefined
  const known =
    role === undefined
      ? plainTypes.includes(type) || mappedTypes.includes(type)
      : plainRoles.includes(role) || ['user', 'assistant', 'toolResult'].includes(role)
  const name = `${piFormat}/${role ?? type}`
  const text = shownText(role ?? type, role === undefined ? line : message)
  return lighten({ type: 'custom', place: 'path', data: { name, data: line, ...given({ text }) }, blobs: [], known }, line)
}

/** What pi shows the model of a line that is no message of user, assistant or tool. */
function shownText(kind: string, value: JsonObject): string | undefined {
  const { content, summary, command, output, exitCode } = value
  switch (kind) {
    case 'custom_message':
    case 'custom':
    case 'hookMessage':
      if (typeof content === 'string') return content
      return Array.isArray(content)
        ? content.flatMap(block => (isObject(block) && typeof block['text'] === 'string' ? [block['text']] : [])).join('\n')
        : undefined
    case 'branch_summary':
    case 'branchSummary':
      return typeof summary === 'string' && summary !== '' ? `Summary of a branch that was left:\n\n${summary}` : undefined
    case 'bashExecution':
      if (typeof command !== 'string' || value['excludeFromContext'] === true) return undefined
      return `The user ran a command: ${command}\n\n${typeof output === 'string' ? output : ''}${typeof exitCode === 'number' && exitCode !== 0 ? `\n\nExit code ${exitCode}.` : ''}`
    default:
      return undefined
  }
}

/** Moves what is too large to stay inline into a part, which a store keeps as a blob. */
function lighten(read: PiLine, line: JsonObject): PiLine {
  if (JSON.stringify(line).length < heavyLine) return read
  if (JSON.stringify(stowData(read.data).data).length < heavyEntry) return read
  const whole = { type: 'custom', name: wholeLine, data: line }
  const { providerData: _own, text: _text, ...data } = read.data
  if (read.type === 'custom') return { ...read, data: { ...data, data: null, parts: [whole] } }
  const parts = (Array.isArray(data['parts']) ? (data['parts'] as readonly JsonObject[]) : []).map(part =>
    restOf(part, ['providerData', 'details']),
  )
  return { ...read, data: { ...data, parts: [...parts, whole] } }
}

/** Data whose large parts are set aside as blobs. */
export function stowData(data: JsonObject): { data: JsonObject; blobs: NewBlob[] } {
  if (!Array.isArray(data['parts'])) return { data, blobs: [] }
  const { parts, blobs } = stowParts(data['parts'] as unknown as readonly Part[])
  return { data: { ...data, parts: parts as unknown as Json }, blobs }
}

/** Whether an entry came from a line of a pi file. */
export function isPiLine({ type, by, data }: Pick<NewEntry, 'type' | 'by' | 'data'>): boolean {
  if (by !== 'import' || !isObject(data)) return false
  if (ownOf(data) !== undefined || partOf(data) !== undefined) return true
  return type === 'custom' && typeof data['name'] === 'string' && data['name'].startsWith(`${piFormat}/`)
}

const partOf = (data: Record<string, unknown>): JsonObject | undefined => {
  if (!Array.isArray(data['parts'])) return undefined
  const found = (data['parts'] as readonly unknown[]).find(part => isObject(part) && part['name'] === wholeLine && !isStub(part))
  return found as JsonObject | undefined
}

/** The line that an imported entry came from, equal in content. */
export function writePiLine({ type, at, data }: Pick<Entry, 'type' | 'at' | 'data'>, contentOf: ContentOf): JsonObject[] {
  const fields = data as JsonObject
  const whole = partOf(fields)?.['data'] ?? ownOf(fields)?.['line'] ?? (type === 'custom' ? fields['data'] : undefined)
  if (isObject(whole)) return [whole as JsonObject]
  const own = ownOf(fields) ?? {}
  const base = { ...(own['entry'] as JsonObject | undefined) }
  const line = (name: string, more: JsonObject): JsonObject => ({
    type: name,
    ...restOf(base, ['timestamp']),
    timestamp: base['timestamp'] ?? timestampOf(at),
    ...more,
  })
  switch (type) {
    case 'message_added':
      return writePiMessage(data as PiMessage, at, contentOf).map(message => line('message', { message }))
    case 'model_changed': {
      const [, provider = '', modelId = ''] =
        /^([^/]*)\/(.*)$/s.exec(typeof fields['model'] === 'string' ? fields['model'] : '') ?? []
      return [line('model_change', { provider, modelId })]
    }
    case 'thinking_changed':
      return [line('thinking_level_change', { thinkingLevel: fields['level'] ?? null })]
    case 'session_titled':
      return [line('session_info', fields['title'] == null || 'name' in base ? {} : { name: fields['title'] })]
    case 'entry_labelled':
      return [line('label', fields['label'] == null || 'label' in base ? {} : { label: fields['label'] })]
    default:
      return []
  }
}

export const timestampOf = (at: number): string => new Date(at).toISOString()

/** What `session_created` keeps of a header, so that it comes back equal. */
export function keepPiHeader(header: JsonObject, created: JsonObject, at: number): JsonObject {
  const known = ['type', 'timestamp', 'cwd', 'provider', 'modelId', 'thinkingLevel']
  const data = { ...created, providerData: { [piFormat]: { entry: restOf(header, known) } } }
  const back = writePiHeader({ type: 'session_created', at, data })
  return back !== undefined && canonical(back) === canonical(header)
    ? data
    : { ...created, providerData: { [piFormat]: { line: header } } }
}

/** The header that a `session_created` came from; `undefined` for one that came from none. */
export function writePiHeader({ at, data }: Pick<NewEntry, 'type' | 'at' | 'data'>): JsonObject | undefined {
  const fields = data as JsonObject
  const own = ownOf(fields)
  if (own === undefined || isObject(own['line'])) return own?.['line'] as JsonObject | undefined
  const [, provider, modelId] = /^([^/]*)\/(.*)$/s.exec(typeof fields['model'] === 'string' ? fields['model'] : '') ?? []
  return {
    type: 'session',
    ...(own['entry'] as JsonObject | undefined),
    timestamp: timestampOf(at),
    ...(fields['cwd'] == null ? {} : { cwd: fields['cwd'] }),
    ...(provider === undefined || modelId === undefined ? {} : { provider, modelId }),
    ...(fields['thinking'] == null ? {} : { thinkingLevel: fields['thinking'] }),
  }
}
