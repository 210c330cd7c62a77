import { isObject, isSkeinError, type Json, sha256Stream, SkeinError } from '#kernel'
import { checkKey, type TenantStore } from '#journal'
import type { VerbOptions } from './append-messages.ts'
import { digestOf } from './core.ts'
import { badLine, type FormatInput, piecesOf } from './formats/lines.ts'
import { readClaudeCode } from './formats/claude-code.ts'
import { readImp } from './formats/imp.ts'
import { readPi } from './formats/pi.ts'
import { bundleFormat } from './import-bundle.ts'
import { foreignFormat } from './import-foreign.ts'
import { beginTarget, type ReadableFormat, type Target } from './import-target.ts'
import type { Imported } from './imported.ts'
import type { Runtime } from './runtime.ts'

export type ImportFormat = 'skein' | 'pi' | 'claude-code' | 'imp'
/** Text, bytes, or pieces of either; large input is never held whole. */
export type ImportInput = FormatInput

export interface ImportOptions extends VerbOptions {
  /** Under a new id, whatever the source says. */
  readonly as?: 'new'
}

const formats: Readonly<Record<ImportFormat, ReadableFormat>> = {
  skein: bundleFormat,
  pi: foreignFormat('pi', readPi),
  'claude-code': foreignFormat('claude-code', readClaudeCode),
  imp: foreignFormat('imp', readImp),
}
export const importFormats: readonly ImportFormat[] = Object.keys(formats) as ImportFormat[]

/**
 * Checks and writes in one pass; the session shows only when the last line has proved the rest. A fault stores nothing.
 * The same key and bytes again give the first answer. Laws S13, S14.
 */
export async function importSession(
  runtime: Runtime,
  store: TenantStore,
  format: ImportFormat,
  input: ImportInput,
  options: ImportOptions,
): Promise<Imported> {
  if (!Object.hasOwn(formats, format))
    throw new SkeinError('input.unsupported', `Cannot import ${String(format)}; formats are ${importFormats.join(', ')}.`, {
      details: { path: 'format' },
    })
  if (!isReadable(input)) throw new SkeinError('input.invalid', 'input: Expected text or bytes.', { details: { path: 'input' } })
  const { idempotencyKey: key } = options
  if (key === undefined) return await write(runtime, store, format, input, options)
  checkKey(key)
  const { pieces, digest } = hashed(input, sum => digestOf(null, ['import', format, options.as ?? null, sum]))
  if (await isUsed(store, key)) {
    for await (const _ of pieces);
    const before = await store.replay(key, digest())
    if (isObject(before?.memo)) return before.memo as unknown as Imported
    // Its seven days ended while this was read.
    throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for something else.')
  }
  return await write(runtime, store, format, pieces, options, { key, digest })
}

async function write(
  runtime: Runtime,
  store: TenantStore,
  name: ImportFormat,
  input: ImportInput,
  options: ImportOptions,
  keyed?: { readonly key: string; readonly digest: () => string },
): Promise<Imported> {
  const format = formats[name]
  const open: { target?: Target } = {}
  try {
    const { report, fields } = await format.read(runtime, input, async (source, entry, blobs) => {
      open.target ??= await beginTarget(runtime, store, source, entry, format, options)
      await open.target.take(entry, blobs)
    })
    if (open.target === undefined) throw badLine(1, 'No entries.')
    const { id, created } = open.target
    const imported: Imported = { id, created, ...report }
    const key = keyed === undefined ? {} : { key: keyed.key, digest: keyed.digest(), memo: imported as unknown as Json }
    const before = await open.target.finish(fields, key)
    return isObject(before) ? (before as unknown as Imported) : imported
  } catch (error) {
    await open.target?.discard()
    throw error
  }
}

/** Whether a key stands for something already; what, is known once the input has been read. */
async function isUsed(store: TenantStore, key: string): Promise<boolean> {
  try {
    return (await store.replay(key, 'asked')) !== undefined
  } catch (error) {
    if (isSkeinError(error) && error.code === 'idempotency.mismatch') return true
    throw error
  }
}

/** The input's bytes, and the digest of those that were read. */
function hashed(
  input: ImportInput,
  digestFor: (sum: string) => string,
): { pieces: AsyncIterable<Uint8Array>; digest: () => string } {
  const hash = sha256Stream()
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of piecesOf(input)) {
      hash.update(piece)
      yield piece
    }
  }
  return { pieces: pieces(), digest: () => digestFor(hash.digest()) }
}

const isReadable = (input: unknown): boolean =>
  typeof input === 'string' ||
  (typeof input === 'object' && input !== null && (Symbol.asyncIterator in input || Symbol.iterator in input))
