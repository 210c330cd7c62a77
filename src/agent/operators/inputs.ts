import { byteLength, invalidInput, isBlobId, isObject, type Json, SkeinError, stringify, toJson } from '#kernel'
import type { BlobId, SessionId } from '#kernel'
import type { TenantStore } from '#journal'
import type { MapInputs } from './map-options.ts'

/** Inputs, one by one and in order. */
export type InputSource = AsyncGenerator<Json, void, undefined>

/** What kind of inputs these are. Throws `input.invalid`. */
export function readInputs(inputs: unknown): {
  readonly list?: readonly unknown[]
  readonly blob?: BlobId
  readonly stream?: AsyncIterable<unknown>
} {
  if (Array.isArray(inputs)) return { list: inputs }
  if (isObject(inputs)) {
    if (isBlobId(inputs['blob']) && Object.keys(inputs).length === 1) return { blob: inputs['blob'] }
    if (Symbol.asyncIterator in inputs) return { stream: inputs as unknown as AsyncIterable<unknown> }
  }
  throw invalidInput('inputs', 'Expected a list, an async iterable, or { blob } with JSON Lines.')
}

/** Refuses a list with anything in it that cannot be stored. */
export function checkList(list: readonly unknown[]): void {
  for (const [index, input] of list.entries()) sizeOf(toJson(input, `inputs[${index}]`))
}

/** Opens inputs from the first one on. What isn't JSON throws `input.invalid` when it is reached. */
export async function openInputs(store: TenantStore, inputs: MapInputs<unknown>, parent: SessionId | null): Promise<InputSource> {
  const { list, blob, stream } = readInputs(inputs)
  if (blob !== undefined) return linesOf(await readBlob(store, blob, parent))
  return inputsOf(stream ?? list ?? [])
}

/** With a parent only what its own entries name is there. */
async function readBlob(store: TenantStore, blob: BlobId, parent: SessionId | null): Promise<Uint8Array> {
  const [row] = parent === null || (await store.hasBlob(parent, blob)) ? await store.blobs([blob]) : []
  if (row === undefined) throw new SkeinError('blob.not_found', `There is no blob ${blob}.`, { details: { blob } })
  return row.bytes
}

async function* inputsOf(inputs: Iterable<unknown> | AsyncIterable<unknown>): InputSource {
  let index = 0
  for await (const input of inputs) yield toJson(input, `inputs[${index++}]`)
}

/** One JSON value a line; blank lines count for nothing. A line is decoded when it is its turn. */
async function* linesOf(bytes: Uint8Array): InputSource {
  const text = new TextDecoder('utf-8', { fatal: true })
  for (let from = 0, line = 1; from < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, from)
    const to = end === -1 ? bytes.length : end
    const piece = bytes.subarray(from, to)
    from = to + 1
    let value: unknown
    try {
      const said = text.decode(piece).trim()
      if (said === '') continue
      value = JSON.parse(said)
    } catch {
      throw invalidInput(`inputs, line ${line}`, 'Not JSON.')
    }
    yield toJson(value, `inputs, line ${line}`)
  }
}

/** A store takes so much at once. */
const maxChunkBytes = 8 * 2 ** 20
const maxInputBytes = 4 * 2 ** 20

function sizeOf(input: Json): number {
  const bytes = byteLength(stringify(input))
  if (bytes <= maxInputBytes) return bytes
  throw new SkeinError('input.too_large', `An input of a map takes at most ${maxInputBytes} bytes.`, {
    details: { bytes, max: maxInputBytes },
  })
}

/** The next inputs, at most `count`; `done` when there are no more. */
export async function takeInputs(
  source: InputSource,
  count: number,
): Promise<{ readonly inputs: Json[]; readonly done: boolean }> {
  const inputs: Json[] = []
  for (let bytes = 0; inputs.length < count && bytes < maxChunkBytes;) {
    const next = await source.next()
    if (next.done === true) return { inputs, done: true }
    bytes += sizeOf(next.value)
    inputs.push(next.value)
  }
  return { inputs, done: false }
}
