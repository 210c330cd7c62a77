import { cleanLine, given, invalidInput, isObject, type Json, type JsonObject, toJson } from '#kernel'
import { messageOverhead } from '#context'
import { type VerbOptions, writeOptions } from './append-messages.ts'
import type { ToolDescription } from '#journal'
import type { Plan, SessionCore } from './core.ts'
import { type Draft, draft } from './draft.ts'
import { entryOf } from './read-messages.ts'
import { countedBy } from './weigh-parts.ts'

export const titleLength = 100
export const labelLength = 80
const nameLength = 255

/** A title as it is kept: one clean line of at most 100 code points, or `null`. Throws `input.invalid` for anything but text or null. */
export function readTitle(value: unknown, path = 'title'): string | null {
  if (value === null || value === undefined) return null
  if (typeof value !== 'string') throw invalidInput(path, 'Expected a text or null.')
  return cleanLine(value, titleLength)
}

/** Names that a person or host gives: 1–255 bytes without control characters, data and never paths. */
export function readName(value: unknown, path: string): string {
  if (
    typeof value === 'string' &&
    value.length > 0 &&
    Buffer.byteLength(value) <= nameLength &&
    !/\p{Cc}/u.test(value) &&
    value.isWellFormed()
  )
    return value
  throw invalidInput(path, 'Expected 1–255 bytes of text without control characters.')
}

export function readTags(value: unknown, path = 'tags'): string[] {
  if (!Array.isArray(value) || value.length > 64) throw invalidInput(path, 'Expected a list of at most 64 tags.')
  return [...new Set(value.map((tag, index) => readName(tag, `${path}[${index}]`)))]
}

export function readMetadata(value: unknown, path = 'metadata'): JsonObject {
  const json = toJson(value, path)
  if (!isObject(json)) throw invalidInput(path, 'Expected an object.')
  return json as JsonObject
}

/** What a model is told of tools, as plain data: a name, a description and the schema of its input. */
export function readToolDescriptions(value: unknown, path = 'tools'): ToolDescription[] {
  if (!Array.isArray(value)) throw invalidInput(path, 'Expected a list of tools.')
  return value.map((tool: unknown, index) => {
    const at = `${path}[${index}]`
    const json = toJson(tool, at)
    if (!isObject(json) || typeof json['name'] !== 'string' || json['name'] === '' || typeof json['description'] !== 'string')
      throw invalidInput(at, 'Expected a tool: { name, description, inputSchema }.')
    if (!isObject(json['inputSchema'])) throw invalidInput(`${at}.inputSchema`, 'Expected a JSON Schema.')
    return json as unknown as ToolDescription
  })
}

/** A title doesn't count as activity: `lastMessageAt` stays. Law S10. */
export async function rename(core: SessionCore, title: unknown, options: VerbOptions = {}): Promise<{ title: string | null }> {
  if (title !== null && typeof title !== 'string') throw invalidInput('title', 'Expected a text or null.')
  const kept = readTitle(title)
  await core.side(() => ({ drafts: [draft('session_titled', { title: kept })] }), writeOptions('rename', options, { title }))
  return { title: kept }
}

/** Replaces the tags; merges the metadata (a `null` member removes it). */
export async function annotate(
  core: SessionCore,
  input: { tags?: unknown; metadata?: unknown },
  options: VerbOptions = {},
): Promise<void> {
  if (!isObject(input)) throw invalidInput('', 'Give tags or metadata.')
  const tags = input.tags === undefined ? {} : { tags: readTags(input.tags) }
  const metadata = input.metadata === undefined ? {} : { metadata: readMetadata(input.metadata) }
  if (input.tags === undefined && input.metadata === undefined) throw invalidInput('', 'Give tags or metadata.')
  await core.side(
    () => ({ drafts: [draft('session_annotated', { ...tags, ...metadata })] }),
    writeOptions('annotate', options, input),
  )
}

/** Labels an entry; `null` takes the label off. The last one wins. */
export async function label(
  core: SessionCore,
  entryId: unknown,
  text: unknown,
  options: VerbOptions = {},
): Promise<{ label: string | null }> {
  const entry = await entryOf(core, entryId)
  if (text !== null && typeof text !== 'string') throw invalidInput('text', 'Expected a text or null.')
  const kept = text === null ? null : cleanLine(text, labelLength)
  await core.side(
    () => ({ drafts: [draft('entry_labelled', { entry: entry.id, label: kept })] }),
    writeOptions('label', options, { entryId, text }),
  )
  return { label: kept }
}

/** Keeps runs from starting until the same reason is released. */
export async function hold(core: SessionCore, reason: unknown, options: VerbOptions = {}): Promise<{ holds: string[] }> {
  const named = readName(reason, 'reason')
  const { row } = await core.side(
    () => ({ drafts: [draft('hold_added', { reason: named })] }),
    writeOptions('hold', options, { reason }),
  )
  return { holds: [...new Set([...holdsOf(row.data), named])].sort() }
}

export async function release(core: SessionCore, reason: unknown, options: VerbOptions = {}): Promise<{ holds: string[] }> {
  const named = readName(reason, 'reason')
  const { row } = await core.side(
    row => ({ drafts: holdsOf(row.data).includes(named) ? [draft('hold_removed', { reason: named })] : [] }),
    writeOptions('release', options, { reason }),
  )
  return { holds: holdsOf(row.data).filter(other => other !== named) }
}

export function holdsOf(data: JsonObject): string[] {
  return isObject(data['holds']) ? Object.keys(data['holds']).sort() : []
}

/** From now on the session refuses path entries, until `reopen`. Ending twice changes nothing. */
export async function end(core: SessionCore, reason: unknown = 'ended', options: VerbOptions = {}): Promise<void> {
  const named = readName(reason, 'reason')
  await core.side(
    row => ({ drafts: row.state === 'ended' ? [] : [draft('session_ended', { reason: named })] }),
    writeOptions('end', options, { reason: named }),
  )
}

export async function reopen(core: SessionCore, options: VerbOptions = {}): Promise<void> {
  await core.side(
    row => ({ drafts: row.state === 'ended' ? [draft('session_reopened', {})] : [] }),
    writeOptions('reopen', options, {}),
  )
}

export interface CustomInput {
  readonly name: string
  readonly data?: unknown
  /** Shown to the model; makes the entry part of the branch. */
  readonly text?: string
}

/** An entry of your own: beside the branch, or on it when it has a text for the model. */
export async function addCustom(
  core: SessionCore,
  input: CustomInput,
  options: VerbOptions = {},
): Promise<{ entry: string; seq: number }> {
  if (!isObject(input)) throw invalidInput('', 'Expected { name, data, text }.')
  const name = readName(input.name, 'name')
  const data: Json = toJson(input.data ?? null, 'data')
  if (input.text !== undefined && (typeof input.text !== 'string' || input.text === ''))
    throw invalidInput('text', 'Expected a text.')
  const asked = writeOptions('addCustom', options, { name, data, text: input.text })
  const { counter } = core.keeping
  const custom: Draft = {
    type: 'custom',
    data: { name, data, ...given({ text: input.text }) },
    path: input.text !== undefined,
    ...(input.text === undefined ? {} : { tokens: messageOverhead + counter.count(input.text), ...countedBy(counter) }),
  }
  const plan = (): Plan => ({ drafts: [custom] })
  const { entries } =
    input.text === undefined ? await core.side(plan, asked) : await core.path(plan, { ...asked, retryOnConflict: true })
  const entry = entries[0]
  return { entry: entry?.id ?? '', seq: entry?.seq ?? 0 }
}
