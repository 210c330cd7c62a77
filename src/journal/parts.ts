import {
  type BlobId,
  blobId,
  byteLength,
  cutCodePoints,
  invalidInput,
  isObject,
  type Json,
  type JsonObject,
  sha256,
  SkeinError,
  stringify,
} from '#kernel'
import type { NewBlob } from './change.ts'
import type { Entry } from './entry.ts'
import type { FilePart, Part } from './message.ts'
import type { BlobRow, TenantStore } from './store.ts'

/** A part whose payload is larger than this is kept as a blob, out of the scanned row. Bytes. */
export const inlineBytes = 4_096
export const maxPartBytes: number = 32 * 2 ** 20
const previewLength = 256

/** How a large part stands in its entry: its own fields but the payload, which is the blob's content. */
export interface Stub {
  readonly type: string
  readonly blob: BlobId
  readonly bytes: number
  readonly preview: string
  /** `utf8`: the text itself; `json`: its JSON text (results, and texts with lone surrogates). */
  readonly encoding?: 'utf8' | 'json'
}

/** A file as a caller hands it in; in the journal its `data` is a blob. */
export type FileInput = Omit<FilePart, 'bytes' | 'blob'> & { readonly data: Uint8Array }
export type PartInput = Part | FileInput

/** Which member of a part is its payload. Files keep theirs as a blob always. */
const payloadOf: { readonly [type: string]: 'text' | 'input' | 'output' | 'data' | undefined } = {
  text: 'text',
  reasoning: 'text',
  tool_call: 'input',
  tool_result: 'output',
  custom: 'data',
}

export interface Stowed {
  readonly parts: Part[]
  readonly blobs: NewBlob[]
  /** By part: its payload as JSON, where that text had to be made. */
  readonly texts: readonly (string | undefined)[]
}

/** Replaces the large payloads of parts by stubs and gives the blobs that hold them. Pure. Law J15. */
export function stowParts(parts: readonly PartInput[], path: string = 'parts'): Stowed {
  const blobs: NewBlob[] = []
  const texts: (string | undefined)[] = []
  const stowed = parts.map((part, index) => stowPart(part, blobs, texts, `${path}[${index}]`))
  return { parts: stowed, blobs, texts }
}

function stowPart(part: PartInput, blobs: NewBlob[], texts: (string | undefined)[], path: string): Part {
  texts.push(undefined)
  if (part.type === 'file' && 'data' in part) {
    const { data, ...rest } = part
    const blob = newBlob(data, path)
    blobs.push(blob)
    return { ...rest, bytes: data.length, blob: blob.id }
  }
  const member = payloadOf[part.type]
  if (member === undefined) return part
  const payload = (part as unknown as JsonObject)[member]
  if (payload === undefined) return part
  const encoding = typeof payload === 'string' && member === 'text' && payload.isWellFormed() ? 'utf8' : 'json'
  const content = encoding === 'utf8' ? (payload as string) : stringify(payload)
  if (encoding === 'json') texts[texts.length - 1] = content
  // In UTF-8 a UTF-16 unit takes 1 to 3 bytes.
  const { length } = content
  if (length * 3 <= inlineBytes || (length <= inlineBytes && byteLength(content) <= inlineBytes)) return part
  const blob = newBlob(Buffer.from(content), path)
  blobs.push({ ...blob, [madeHere]: true } as NewBlob)
  const { [member]: _stowed, ...rest } = part as unknown as JsonObject
  const preview = cutCodePoints(typeof payload === 'string' ? payload : content, previewLength)
  return { ...rest, blob: blob.id, bytes: blob.bytes.length, preview, encoding } as unknown as Part
}

/** Marks content that was made of a text here: nobody else has it to change. */
const madeHere: unique symbol = Symbol('made here')

/** A blob that stays as it is now: itself if its content was made here, else a copy. */
export function ownBlob(blob: NewBlob & { readonly [madeHere]?: true }): NewBlob {
  return blob[madeHere] === true ? blob : { ...blob, bytes: Uint8Array.prototype.slice.call(blob.bytes) }
}

function newBlob(bytes: Uint8Array, path: string): NewBlob {
  if (bytes.length > maxPartBytes) {
    throw new SkeinError('input.too_large', `${path}: a part takes at most ${maxPartBytes} bytes.`, {
      details: { path, bytes: bytes.length, max: maxPartBytes },
    })
  }
  const hash = sha256(bytes)
  return { id: blobId(hash), hash, bytes }
}

export function isStub(part: unknown): part is Stub & { readonly encoding: 'utf8' | 'json' } {
  return isObject(part) && typeof part['blob'] === 'string' && typeof part['encoding'] === 'string'
}

/** Where an entry of any type keeps parts: `data.parts`. */
function partsOf(entry: Entry): readonly unknown[] {
  const data = entry.data
  return isObject(data) && Array.isArray(data['parts']) ? (data['parts'] as readonly unknown[]) : []
}

/** Every blob that an entry names, stubs and files alike. */
export function blobsOf(entry: Pick<Entry, 'data'>): BlobId[] {
  return partsOf(entry as Entry).flatMap(part =>
    isObject(part) && typeof part['blob'] === 'string' && part['type'] !== 'lost' ? [part['blob'] as BlobId] : [],
  )
}

/**
 * Gives entries their large payloads back, reading each blob once. A missing or altered blob makes that part
 * `{ type: 'lost', blob }`; everything else stays. `lost` names them. Files keep their content where it is: it is read, one
 * file at a time, only to prove that it is there; `files: 'trust'` spares that for who wants texts alone. `outlined: 'stub'`
 * leaves what is shown by its outline where it is. Law J16.
 */
export async function fetchParts(
  store: Pick<TenantStore, 'blobs'>,
  entries: readonly Entry[],
  { files = 'check', outlined = 'fetch' }: { readonly files?: 'check' | 'trust'; readonly outlined?: 'fetch' | 'stub' } = {},
): Promise<{ entries: Entry[]; lost: BlobId[] }> {
  const ids = new Set(entries.flatMap(blobsOf))
  if (ids.size === 0) return { entries: [...entries], lost: [] }
  const isWanted = (part: object): boolean => outlined === 'fetch' || !('outline' in part)
  const wanted = new Set(
    entries.flatMap(entry => partsOf(entry).flatMap(part => (isStub(part) && isWanted(part) ? part.blob : []))),
  )
  const isTrue = (row: BlobRow): boolean => blobId(row.hash) === row.id && sha256(row.bytes) === row.hash
  const rows = wanted.size === 0 ? [] : await store.blobs([...wanted])
  const found = new Map<BlobId, Uint8Array>(rows.filter(isTrue).map(row => [row.id, row.bytes]))
  const lost = new Set([...wanted].filter(id => !found.has(id)))
  for (const id of files === 'trust' ? [] : ids) {
    if (wanted.has(id)) continue
    const [row] = await store.blobs([id])
    if (row === undefined || !isTrue(row)) lost.add(id)
  }
  return { entries: entries.map(entry => refill(entry, found, lost)), lost: [...lost] }
}

function refill(entry: Entry, found: ReadonlyMap<BlobId, Uint8Array>, lost: ReadonlySet<BlobId>): Entry {
  const parts = partsOf(entry)
  if (parts.length === 0) return entry
  return { ...entry, data: { ...(entry.data as JsonObject), parts: parts.map(part => refillPart(part, found, lost)) as Json } }
}

function refillPart(part: unknown, found: ReadonlyMap<BlobId, Uint8Array>, lost: ReadonlySet<BlobId>): unknown {
  if (!isObject(part) || typeof part['blob'] !== 'string' || part['type'] === 'lost') return part
  if (lost.has(part['blob'] as BlobId)) return { type: 'lost', blob: part['blob'] }
  const bytes = found.get(part['blob'] as BlobId)
  if (bytes === undefined || !isStub(part)) return part
  const { blob: _blob, bytes: _bytes, preview: _preview, encoding, ...rest } = part
  const member = payloadOf[part.type]
  if (member === undefined) throw invalidInput('part', `A ${part.type} has no payload.`)
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  return { ...rest, [member]: encoding === 'utf8' ? content : (JSON.parse(content) as Json) }
}
