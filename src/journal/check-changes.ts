import { byteLength, invalidInput, SkeinError } from '#kernel'
import type { Change, NewBlob } from './change.ts'
import { entryBody } from './entry.ts'
import type { CommitOptions } from './store.ts'

export const maxChanges = 10_000
export const maxCommitBytes: number = 128 * 2 ** 20
export const maxEntryBytes: number = 2 ** 20
export const maxBlobBytes: number = 64 * 2 ** 20
/** How long an idempotency key is remembered. */
export const keyLifeMs: number = 7 * 86_400_000

/** How long jobs that are done or skipped are kept. Source: spec/memory.md 11. */
export const jobLifeMs: number = 7 * 86_400_000

/** Checks a commit before any effect and says how many bytes it weighs. Throws `input.invalid` or `input.too_large`. */
export function checkCommit(changes: readonly Change[], options: CommitOptions): number {
  if (options.key !== undefined) checkKey(options.key)
  if (changes.length > maxChanges) throw tooLarge(`A commit takes at most ${maxChanges} changes.`, changes.length, maxChanges)
  let bytes = 0
  for (const [index, change] of changes.entries()) bytes += weigh(change, index)
  if (bytes > maxCommitBytes) throw tooLarge(`A commit takes at most ${maxCommitBytes} bytes.`, bytes, maxCommitBytes)
  return bytes
}

/** An idempotency key is 1–255 UTF-8 bytes without control characters. */
export function checkKey(key: unknown, path: string = 'idempotencyKey'): string {
  if (typeof key !== 'string' || key === '' || byteLength(key) > 255 || /[\p{Cc}]/u.test(key) || !key.isWellFormed()) {
    throw invalidInput(path, 'Expected 1–255 bytes of text without control characters.')
  }
  return key
}

function weigh(change: Change, index: number): number {
  switch (change.type) {
    case 'append': {
      if (change.entries.length === 0 && change.head?.setsLeaf !== undefined)
        throw invalidInput(`changes[${index}].entries`, 'Moving the leaf is an entry.')
      let bytes = 0
      for (const entry of change.entries) {
        const size = entryBody(entry).length
        if (size > maxEntryBytes)
          throw tooLarge(`An entry takes at most ${maxEntryBytes} bytes beside its blobs.`, size, maxEntryBytes)
        bytes += size
      }
      for (const blob of change.blobs ?? []) bytes += weighBlob(blob)
      return bytes
    }
    case 'put_blob':
      return weighBlob(change.blob)
    case 'put_record':
    case 'put_route':
      if ((change.tags?.length ?? 0) > 3) throw invalidInput(`changes[${index}].tags`, 'At most three.')
      return JSON.stringify(change.value).length
    case 'put_archive':
    case 'put_view':
    case 'put_memory':
      return JSON.stringify(change.data).length
    case 'enqueue':
      return JSON.stringify(change.job.payload).length
    case 'acquire':
      if (!Number.isSafeInteger(change.leaseMs) || change.leaseMs < 1)
        throw invalidInput(`changes[${index}].leaseMs`, 'Expected a positive whole number of milliseconds.')
      return 0
    default:
      return 0
  }
}

function weighBlob(blob: NewBlob): number {
  if (blob.bytes.length > maxBlobBytes)
    throw tooLarge(`A blob takes at most ${maxBlobBytes} bytes.`, blob.bytes.length, maxBlobBytes)
  return blob.bytes.length
}

const tooLarge = (message: string, bytes: number, max: number): SkeinError =>
  new SkeinError('input.too_large', message, { details: { bytes, max } })
