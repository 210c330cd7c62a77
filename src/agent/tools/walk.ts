import type { Dirent } from 'node:fs'
import { readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type IgnoreFile, isIgnored, readIgnoreFile } from './gitignore.ts'
import type { Place } from './place.ts'

export interface Found {
  /** Relative to the place's root, with slashes. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link' | 'other'
}

/**
 * What lies in a folder, in the order of names, each folder before what it holds. What a `.gitignore` of the place names,
 * and `.git`, is left out. Symlinks are told and not followed.
 */
export async function* walk(place: Place, folder: string, recursive: boolean, signal?: AbortSignal): AsyncGenerator<Found> {
  const start = place.shown(folder)
  const steps = start === '.' || start.startsWith('/') ? [] : ['', ...start.split('/').slice(0, -1)]
  const above: IgnoreFile[] = []
  let at = place.root
  for (const step of steps) {
    at = join(at, step)
    above.push(...(await ignoreFileIn(at, prefixOf(place, at))))
  }
  yield* walkFolder(place, folder, await namesIn(folder), recursive, above, signal)
}

/** Throws if the folder can't be read, or is another one by now. */
async function namesIn(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  if ((await realpath(folder)) !== folder) throw new Error('The folder changed while it was read. Try again.')
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

const prefixOf = (place: Place, folder: string): string => {
  const shown = place.shown(folder)
  return shown === '.' ? '' : shown
}

async function* walkFolder(
  place: Place,
  folder: string,
  entries: readonly Dirent[],
  recursive: boolean,
  above: readonly IgnoreFile[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Found> {
  signal?.throwIfAborted()
  const prefix = prefixOf(place, folder)
  const ignores = [...above, ...(await ignoreFileIn(folder, prefix))]
  for (const entry of entries) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    const kind = kindOf(entry)
    if (entry.name === '.git' || isIgnored(ignores, path, kind === 'folder')) continue
    yield { path, kind }
    if (!recursive || kind !== 'folder') continue
    const inner = join(folder, entry.name)
    // A folder that may not be read is passed over, not the others with it.
    const names = await namesIn(inner).catch(() => [])
    yield* walkFolder(place, inner, names, true, ignores, signal)
  }
}

const kindOf = (entry: Dirent): Found['kind'] =>
  entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : entry.isSymbolicLink() ? 'link' : 'other'

async function ignoreFileIn(folder: string, prefix: string): Promise<IgnoreFile[]> {
  const text = await readFile(join(folder, '.gitignore'), 'utf8').catch(() => undefined)
  return text === undefined ? [] : [readIgnoreFile(prefix, text)]
}
