import { open } from 'node:fs/promises'
import { SkeinError } from '#kernel'

/**
 * The format that a store's file has, from its header, without opening it as a database; `null` if there is none.
 * Throws `store.foreign` for a file that isn't Skein's, `store.version` for one of a newer release. Source: sqlite.org/fileformat.html 1.3.
 */
export async function fileFormat(file: string): Promise<{ readonly format: number | null; readonly known: number }> {
  const { applicationId, formatVersion: known } = await import('#stores/sqlite')
  const header = await readStart(file, 100)
  if (header === undefined || header.length === 0) return { format: null, known }
  if (
    header.length < 100 ||
    header.toString('latin1', 0, 16) !== 'SQLite format 3\0' ||
    header.readUInt32BE(68) !== applicationId
  ) {
    throw new SkeinError('store.foreign', `${file} is not a Skein store.`, { details: { file } })
  }
  const format = header.readUInt32BE(60)
  if (format <= known) return { format, known }
  throw new SkeinError('store.version', `${file} has format ${format}; this release knows up to ${known}. Update Skein.`, {
    details: { file, format, known },
  })
}

async function readStart(file: string, length: number): Promise<Buffer | undefined> {
  try {
    await using handle = await open(file, 'r')
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new SkeinError('store.unavailable', `${file} cannot be read.`, { details: { file }, cause })
  }
}
