import { lstat, readlink, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'

/** What the policy asks the disk. */
export interface Places {
  /** Where a path really leads, below `cwd` with `/` between, or `null` if that is outside. What is not there yet counts as its nearest folder. */
  below(cwd: string, path: string): Promise<string | null>
  /** Whether a folder lies in a linked git work tree. */
  isWorktree(cwd: string): Promise<boolean>
}

export const diskPlaces: Places = {
  async below(cwd, path) {
    if (path === '~' || path.startsWith('~/') || path.includes('\0')) return null
    const [root, place] = await Promise.all([realpath(cwd), realPlace(resolve(cwd, path), 0)])
    const inside = relative(root, place)
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return null
    return inside.split(sep).join('/')
  },
  async isWorktree(cwd) {
    for (let folder = resolve(cwd); ; folder = dirname(folder)) {
      const found = await stat(join(folder, '.git')).catch(() => undefined)
      if (found !== undefined) return found.isFile()
      if (dirname(folder) === folder) return false
    }
  },
}

/** Whether there is a folder at an absolute path. */
export async function isFolder(path: string): Promise<boolean> {
  if (!isAbsolute(path) || path.includes('\0')) return false
  return await stat(path).then(
    found => found.isDirectory(),
    () => false,
  )
}

const maxLinks = 40

/** Follows links also where they lead to nothing: writing there makes what they name. */
async function realPlace(path: string, links: number): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    const { code } = error as { code?: unknown }
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || dirname(path) === path) throw error
    const parent = await realPlace(dirname(path), links)
    const here = join(parent, basename(path))
    const isLink = await lstat(here).then(
      found => found.isSymbolicLink(),
      () => false,
    )
    if (!isLink || links >= maxLinks) return here
    return await realPlace(resolve(parent, await readlink(here)), links + 1)
  }
}
