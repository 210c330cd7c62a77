import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SkeinError } from '#kernel'
import type { OgFile, OgNode, OgSkipped } from './import-og-nodes.ts'

const mostBytes = 64 * 2 ** 20

/** The files below a folder that may tell of sessions. What can't be read is skipped with its reason; links are not followed. */
export async function filesBelow(folder: string): Promise<{ readonly files: OgFile[]; readonly skipped: OgSkipped[] }> {
  const files: OgFile[] = []
  const skipped: OgSkipped[] = []
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw new SkeinError('path.not_found', `There is no folder ${folder} that can be read.`, {
      details: { path: folder },
      cause: error,
    })
  })
  for (const entry of found) {
    if (
      !entry.isFile() ||
      !/^(?:overview\.md|abstract\.md|messages\.json|\.meta\.json|state(?:\.json|\.md)?|content\.\w+)$/.test(entry.name)
    )
      continue
    const file = join(entry.parentPath, entry.name)
    const path = file.slice(folder.length).split('\\').join('/')
    try {
      const bytes = await readFile(file)
      if (bytes.length > mostBytes) skipped.push({ path, reason: 'too_large' })
      else files.push({ path: file.split('\\').join('/'), text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) })
    } catch {
      skipped.push({ path, reason: 'unreadable' })
    }
  }
  return { files, skipped }
}

/** The same as nodes, for whoever sends them elsewhere. Throws `path.not_found`. */
export async function ogNodesBelow(
  folder: string,
): Promise<{ readonly nodes: readonly OgNode[]; readonly skipped: readonly OgSkipped[] }> {
  const { files, skipped } = await filesBelow(folder)
  return { nodes: files.map(({ path, text }) => ({ path, content: text })), skipped }
}
