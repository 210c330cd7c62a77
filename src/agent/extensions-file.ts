import { readdir, realpath } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '#kernel'

/** Where the paths of extensions begin. */
export interface ExtensionPlace {
  readonly cwd: string | null
}

const endings = ['.ts', '.mts', '.js', '.mjs']

/**
 * The default export of a module. A path that is not absolute begins at the session's folder, never at a package. Rejects with
 * what the module throws, and when its default export is no function.
 */
export async function loadExtensionFile(path: string, { cwd }: ExtensionPlace): Promise<(host: object) => unknown> {
  if (!isAbsolute(path) && cwd === null) throw new Error('Its path is not absolute, and the session has no folder.')
  const file = await realpath(isAbsolute(path) ? path : resolve(cwd ?? '/', path))
  const { default: loader } = (await import(pathToFileURL(file).href)) as { readonly default?: unknown }
  if (typeof loader !== 'function') throw new Error('Its default export is no function.')
  return loader as (host: object) => unknown
}

/** The modules of a folder, by name: files, and folders with an index. A folder that is not there has none. */
export async function extensionsIn(folder: string): Promise<string[]> {
  const items = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes((error as { code?: string }).code ?? '')) return []
    throw new Error(`The folder of extensions ${folder} cannot be read: ${messageOf(error)}`, { cause: error })
  })
  const found: string[] = []
  for (const { name } of items.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (name.startsWith('.') || name.startsWith('_') || name.endsWith('.d.ts')) continue
    if (endings.some(ending => name.endsWith(ending))) found.push(join(folder, name))
    else {
      const inside = await readdir(join(folder, name)).catch((): string[] => [])
      const index = endings.map(ending => `index${ending}`).find(file => inside.includes(file))
      if (index !== undefined) found.push(join(folder, name, index))
    }
  }
  return found
}
