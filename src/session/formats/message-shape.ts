import { type BlobId, given, invalidInput, isObject, type Json, type JsonObject, toJson } from '#kernel'
import type { FileInput, FilePart, FinishReason, Message, Part, PartInput } from '#journal'

/** A message that a format was read into: Skein's own, files with their content. */
export interface FormatMessage extends Omit<Message, 'parts'> {
  readonly parts: readonly PartInput[]
  /** What the message said beside what Skein has a place for, under the format's name. Opaque. Law J9. */
  readonly providerData?: Json
}

/** A message to be written: a stored one, its large parts fetched; a file may carry its content as `data`. */
export interface OutgoingMessage extends Omit<Message, 'parts'> {
  readonly parts: readonly (Part | FileInput)[]
  readonly providerData?: Json
}

/** Gives a stored file's content, or `undefined` where it is not at hand; the file is then named in words. */
export type ContentOf = (blob: BlobId) => Uint8Array | undefined

export type Fields = Record<string, unknown>

/** What a format remembers of a message or a part, so that it is written as it was read. */
export interface Memo {
  /** Members that Skein has no place for. */
  readonly fields?: JsonObject | undefined
  /** How the content stood, where the usual way differs. */
  readonly form?: string | undefined
  readonly [more: string]: Json | undefined
}

export function object(value: unknown, path: string): Fields {
  if (isObject(value)) return value
  throw invalidInput(path, 'Expected an object.')
}

export function list(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw invalidInput(path, 'Expected a list.')
}

/** What `read` makes of each object of a list; `at` is its path. */
export function each<T>(value: unknown, path: string, read: (item: Fields, at: string) => T): T[] {
  return list(value, path).map((item, index) => read(object(item, `${path}[${index}]`), `${path}[${index}]`))
}

export function text(value: Fields, name: string, path: string): string {
  const found = value[name]
  if (typeof found === 'string') return found
  throw invalidInput(`${path}.${name}`, 'Expected a text.')
}

/** A text that is not empty: a name or an id. */
export function name(value: Fields, member: string, path: string): string {
  const found = text(value, member, path)
  if (found !== '') return found
  throw invalidInput(`${path}.${member}`, 'Expected a text that is not empty.')
}

export function unknownType(path: string, known: readonly string[]): Error {
  return invalidInput(`${path}.type`, `Expected one of ${known.join(', ')}.`)
}

/** The members of a value that are not among `known`, as JSON. */
export function others(value: Fields, known: readonly string[], path: string): JsonObject | undefined {
  const rest = Object.entries(value).filter(([key, member]) => !known.includes(key) && member !== undefined)
  return rest.length === 0 ? undefined : (toJson(Object.fromEntries(rest), path) as JsonObject)
}

/** The text, if it is one. */
export const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Why a model stopped, as a provider says it, by the provider's words. */
export function finishOf(raw: unknown, reasons: { readonly [raw: string]: FinishReason }): Partial<FormatMessage> {
  if (typeof raw !== 'string') return {}
  return { finishReason: (Object.hasOwn(reasons, raw) && reasons[raw]) || 'other', rawFinishReason: raw }
}

/** A call's input, or its text where that is not JSON. What was written is remembered where writing would differ. */
export function readArguments(written: string): { readonly input: Json; readonly memo: Memo } {
  let input: Json = written
  try {
    input = JSON.parse(written) as Json
  } catch {
    // A text then.
  }
  return { input, memo: { arguments: JSON.stringify(input) === written ? undefined : written } }
}

export function writeArguments(input: Json, memo: Memo | undefined): string {
  return textIn(memo?.['arguments']) ?? jsonText(input)
}

/** Texts of inputs and outputs, which are written again with every request that shows them. */
const texts = new WeakMap<object, string>()

function jsonText(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const text = texts.get(value) ?? JSON.stringify(value)
  texts.set(value, text)
  return text
}

/** `providerData` with a format's memo in it; nothing if there is nothing to remember. */
export function remember(format: string, memo: Memo): { providerData?: Json } {
  const filled = given(memo) as JsonObject
  return Object.keys(filled).length === 0 ? {} : { providerData: { [format]: filled } }
}

/** What this format remembered. `undefined` for a message or part that came another way. */
export function recall(format: string, item: object): Memo | undefined {
  const data = (item as { readonly providerData?: Json }).providerData
  const memo = isObject(data) ? data[format] : undefined
  return isObject(memo) ? (memo as Memo) : undefined
}

const dataUrl = /^data:([^,;]*)(?:;[^,;]*)*;base64,/

/** A file whose content stands in a data URL, or that stays where the URL points. */
export function fileFromUrl(url: string, mediaType: string, title?: unknown): FileInput | FilePart {
  const more = given({ name: textIn(title) })
  const match = dataUrl.exec(url)
  const data = match === null ? undefined : bytesOf(url.slice(match[0].length))
  const plain = match?.[0] === `data:${match?.[1] ?? ''};base64,`
  if (match === null || data === undefined || !plain)
    return { type: 'file', mediaType: match?.[1] || mediaType, ...more, bytes: 0, url }
  return { type: 'file', mediaType: match[1] || mediaType, ...more, data }
}

/** Bytes of canonical base64, else `undefined`. */
export function bytesOf(base64: string): Uint8Array | undefined {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? new Uint8Array(bytes) : undefined
}

/** A file's content, where it is at hand. */
export function contentOfFile(file: FilePart | FileInput, contentOf: ContentOf): Uint8Array | undefined {
  const own = (file as { readonly data?: unknown }).data
  if (own instanceof Uint8Array) return own
  const { blob } = file as FilePart
  return blob === undefined ? undefined : contentOf(blob)
}

export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

/** A file as one URL, or `undefined` if its content is not at hand. */
export function urlOfFile(file: FilePart | FileInput, contentOf: ContentOf): string | undefined {
  if (file.url !== undefined) return file.url
  const bytes = contentOfFile(file, contentOf)
  return bytes === undefined ? undefined : `data:${file.mediaType};base64,${base64(bytes)}`
}

/** What a reader is told of a part that a format cannot carry. `null`: nothing. */
export function inWords(part: Part | FileInput): string | null {
  switch (part.type) {
    case 'text':
      return part.text
    case 'source':
      return part.title === undefined ? part.url : `${part.title}: ${part.url}`
    case 'file':
      return `[file${part.name === undefined ? '' : ` ${part.name}`}, ${part.mediaType}: not shown]`
    case 'lost':
      return '[content lost]'
    default:
      return null
  }
}

/** A part that a format cannot carry, as a text of that format. */
export function wordsOf(part: Part | FileInput, type: string = 'text'): JsonObject | undefined {
  const words = inWords(part)
  return words === null ? undefined : { type, text: words }
}

/** Texts and files as they stood; texts first where nothing is known. */
export function inOrder(texts: readonly Json[], files: readonly Json[], order: Json | undefined): Json[] {
  if (!Array.isArray(order) || order.length !== texts.length + files.length) return [...texts, ...files]
  const rest = { file: [...files], other: [...texts] }
  return order.flatMap(kind => rest[kind === 'file' ? 'file' : 'other'].shift() ?? [])
}

/** A result as text: a text as it is, anything else as JSON. */
export const outputText = (output: Json): string => (typeof output === 'string' ? output : jsonText(output))

/** True for a list of nothing but `{ type: 'text', text }`. */
export function isTextBlocks(output: Json): output is readonly { readonly type: 'text'; readonly text: string }[] {
  return (
    Array.isArray(output) &&
    output.every(
      block =>
        isObject(block) && block['type'] === 'text' && typeof block['text'] === 'string' && Object.keys(block).length === 2,
    )
  )
}

/** Which tool a call id belongs to, as calls come by. */
export class CallNames {
  #names = new Map<string, string>()
  add(callId: string, tool: string): void {
    this.#names.set(callId, tool)
  }
  of(callId: string): string {
    return this.#names.get(callId) ?? 'unknown'
  }
}
