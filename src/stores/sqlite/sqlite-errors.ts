import { asSkeinError, isSkeinError, SkeinError } from '#kernel'

interface SqliteError extends Error {
  readonly errcode: number
}

/** Whether SQLite threw it; its `errcode` is an extended result code, the primary one in the low byte. */
export function isSqliteError(thrown: unknown): thrown is SqliteError {
  return thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number'
}

/** Source: sqlite.org/rescode.html. */
export const resultCodes = {
  busy: 5,
  locked: 6,
  outOfMemory: 7,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  notADatabase: 26,
  /** Extended: the index of the log could not grow, which is what a full disk looks like there. */
  sharedMemorySize: 4_874,
  /** Extended: the file was moved or deleted while it was open. */
  moved: 1_032,
} as const

const primary = (error: SqliteError): number => error.errcode & 0xff

export function isBusy(thrown: unknown): boolean {
  return isSqliteError(thrown) && (primary(thrown) === resultCodes.busy || primary(thrown) === resultCodes.locked)
}

export function isFull(thrown: unknown): boolean {
  return isSqliteError(thrown) && (primary(thrown) === resultCodes.full || thrown.errcode === resultCodes.sharedMemorySize)
}

/** Whether what was being written may or may not have reached the disk. */
export function isIoError(thrown: unknown): boolean {
  return isSqliteError(thrown) && primary(thrown) === resultCodes.ioError && !isFull(thrown)
}

export function isCorrupt(thrown: unknown): boolean {
  return isSqliteError(thrown) && (primary(thrown) === resultCodes.corrupt || primary(thrown) === resultCodes.notADatabase)
}

export function isReadOnly(thrown: unknown): boolean {
  return isSqliteError(thrown) && primary(thrown) === resultCodes.readOnly
}

export function corruptFile(file: string, what: string, cause?: unknown): SkeinError {
  return new SkeinError('store.corrupt', `${file} is damaged (${what}). Nothing was changed; \`skein doctor\` says more.`, {
    details: { file },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** What SQLite's error means to a caller of the store. Errors that are Skein's own pass as they are. */
export function storeError(thrown: unknown, file: string): SkeinError {
  if (isSkeinError(thrown)) return thrown
  if (!isSqliteError(thrown)) return asSkeinError(thrown)
  const options = { details: { file, sqlite: thrown.errcode }, cause: thrown }
  if (isFull(thrown)) return new SkeinError('store.full', `There is no room left for ${file}. Nothing was written.`, options)
  switch (primary(thrown)) {
    case resultCodes.busy:
    case resultCodes.locked:
      return new SkeinError('store.busy', `${file} is being written by another process.`, options)
    case resultCodes.corrupt:
    case resultCodes.notADatabase:
      return corruptFile(file, thrown.message, thrown)
    case resultCodes.readOnly:
      return thrown.errcode === resultCodes.moved
        ? new SkeinError('store.unavailable', `${file} was moved or deleted while it was open.`, options)
        : new SkeinError('store.read_only', `${file} cannot be written.`, options)
    case resultCodes.tooBig:
      return new SkeinError('input.too_large', 'Larger than a row of the store can be.', options)
    case resultCodes.ioError:
    case resultCodes.cannotOpen:
    case resultCodes.outOfMemory:
      return new SkeinError('store.unavailable', `${file} cannot be reached: ${thrown.message}.`, options)
    default:
      return asSkeinError(thrown)
  }
}
