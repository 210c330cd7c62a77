import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs'
import { SkeinError } from '#kernel'

/** What a file's first hundred bytes say. Source: sqlite.org/fileformat.html 1.3. */
export interface Header {
  readonly sqlite: boolean
  readonly applicationId: number
  readonly userVersion: number
  /** How large the file says that it is, in bytes; 0 if it doesn't. */
  readonly declaredBytes: number
}

const magic = 'SQLite format 3\0'

/** The size in bytes, or undefined if there is no such file. */
export function fileSize(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size
}

/**
 * Reads a header without SQLite, so that a file of somebody else is not touched. Never for a file that this process has open
 * in SQLite: closing any descriptor of a file drops the process's POSIX locks on it. See `isOpenHere`.
 * Throws `store.foreign` for a folder, `store.unavailable` for what cannot be read.
 */
export function readHeader(file: string): Header {
  const bytes = readStart(file, 100)
  const pageSize = bytes.readUInt16BE(16)
  return {
    sqlite: bytes.toString('latin1', 0, 16) === magic,
    applicationId: bytes.readUInt32BE(68),
    userVersion: bytes.readUInt32BE(60),
    declaredBytes: (pageSize === 1 ? 65_536 : pageSize) * bytes.readUInt32BE(28),
  }
}

function readStart(file: string, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  try {
    const descriptor = openSync(file, 'r')
    try {
      readSync(descriptor, bytes, 0, length, 0)
    } finally {
      closeSync(descriptor)
    }
    return bytes
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw code === 'EISDIR'
      ? new SkeinError('store.foreign', `${file} is a folder. Name a file in it.`, { details: { file }, cause })
      : new SkeinError('store.unavailable', `${file} cannot be read: ${message}.`, { details: { file }, cause })
  }
}

/** Whether this process, in any of its threads, has the file open. Where the system doesn't say (not Linux): false. */
export function isOpenHere(file: string): boolean {
  try {
    return readdirSync('/proc/self/fd').some(descriptor => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`) === file
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}
