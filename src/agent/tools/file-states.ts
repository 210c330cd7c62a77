import { blobId, sha256 } from '#kernel'
import { type FilePart, type FileState, maxBlobBytes, type NewBlob } from '#journal'
import type { Place } from './place.ts'

/** How files stand, with the contents that bring them back. */
export interface Captured {
  readonly files: readonly FileState[]
  readonly unprotected: readonly { readonly path: string; readonly reason: 'too_large' | 'no_plain_file' }[]
  readonly blobs: readonly NewBlob[]
}

/** A file as it stands, or why it can't be kept. */
export type Standing =
  { readonly state: FileState; readonly bytes?: Uint8Array } | { readonly unprotected: 'too_large' | 'no_plain_file' }

/** Looks at a file by its place's own path. Nothing is followed: a symlink in its way is no plain file. */
export async function standingOf(place: Place, path: string): Promise<Standing> {
  const asked = place.absolute(path)
  let size: number | undefined
  try {
    if ((await place.real(asked)) !== asked) return { unprotected: 'no_plain_file' }
    size = (await place.look(asked))?.size
  } catch {
    return { unprotected: 'no_plain_file' }
  }
  if (size === undefined) return { state: { path, hash: null } }
  if (size > maxBlobBytes) return { unprotected: 'too_large' }
  const { bytes, mode } = await place.bytes(asked, maxBlobBytes)
  return { state: { path, hash: sha256(bytes), bytes: bytes.length, mode }, bytes }
}

/** All of these files, each once, under the names that their place has for them. */
export async function capture(place: Place, paths: readonly string[]): Promise<Captured> {
  const real = new Set<string>()
  for (const path of paths) real.add(place.shown(await place.real(path)))
  const files: FileState[] = []
  const unprotected: { path: string; reason: 'too_large' | 'no_plain_file' }[] = []
  const blobs = new Map<string, NewBlob>()
  for (const path of real) {
    const standing = await standingOf(place, path)
    if ('unprotected' in standing) {
      unprotected.push({ path, reason: standing.unprotected })
      continue
    }
    const { state, bytes } = standing
    files.push(state)
    if (state.hash !== null && bytes !== undefined) blobs.set(state.hash, { id: blobId(state.hash), hash: state.hash, bytes })
  }
  return { files, unprotected, blobs: [...blobs.values()] }
}

/** How a content stands in an entry. */
export const contentPart = ({ id, bytes }: NewBlob): FilePart => ({
  type: 'file',
  mediaType: 'application/octet-stream',
  bytes: bytes.length,
  blob: id,
})

export const sameState = (one: FileState, other: FileState): boolean =>
  one.hash === other.hash && (one.hash === null || one.mode === other.mode)
