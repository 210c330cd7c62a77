import { randomBytes } from 'node:crypto'
import { constants, realpathSync, statSync } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { SkeinError } from '#kernel'
import { nearNames } from './near-names.ts'

/** How a file stood, to tell whether it is still the same. */
export interface FileMark {
  readonly size: number
  readonly mode: number
  readonly mark: string
}

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/**
 * A folder, and the files that may be reached from it. A path is followed through every symlink of itself and its nearest
 * parent that exists; what then lies elsewhere is refused, and looked at again once it is open, so that a folder that is
 * swapped for a symlink meanwhile leads nowhere. Unconfined, every path is taken. Law A29.
 */
export class Place {
  /** Absolute, without symlinks. */
  readonly root: string
  readonly #confined: boolean

  /** Throws `config.invalid` if `cwd` is no folder. */
  constructor(cwd: string, { confine = true }: { readonly confine?: boolean } = {}) {
    this.#confined = confine
    if (!isAbsolute(cwd)) throw noFolder(cwd)
    try {
      this.root = realpathSync(cwd)
      if (!statSync(this.root).isDirectory()) throw noFolder(cwd)
    } catch (error) {
      throw error instanceof SkeinError ? error : noFolder(cwd)
    }
  }

  /** As it is named, made absolute; touches nothing. `~` is the user's home. */
  absolute(path: string): string {
    if (path.includes('\0')) throw new Error('A path has no NUL in it.')
    return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : resolve(this.root, path)
  }

  /** How it is told to a model: relative to the root where it lies within. */
  shown(real: string): string {
    return this.#holds(real) ? relative(this.root, real) || '.' : real
  }

  /**
   * Where a path really is, its last parts perhaps not existing yet. Throws for what is outside, for a broken symlink, and
   * for a user's home by name (`~user`), which nothing here expands.
   */
  async real(path: string): Promise<string> {
    if (this.#confined && path.startsWith('~')) throw outside(path)
    const asked = this.absolute(path)
    // What is plainly elsewhere is not even looked at.
    if (this.#confined && !this.#holds(asked) && !(await this.#isAliased(asked))) throw outside(path)
    const missing: string[] = []
    for (let at = asked; ; at = dirname(at)) {
      const real = await realpath(at).catch(() => undefined)
      if (real === undefined) {
        // A symlink to nowhere exists, so it is no name that is free.
        if ((await lstat(at).catch(() => undefined)) !== undefined) throw outside(path)
        missing.unshift(basename(at))
        continue
      }
      const target = join(real, ...missing)
      if (this.#confined && !this.#holds(target)) throw outside(path)
      return target
    }
  }

  /** An open file and its mark. Throws for what is no plain file, and `File not found: PATH` with near names. */
  async open(path: string): Promise<{ readonly file: FileHandle; readonly real: string } & FileMark> {
    const real = await this.real(path)
    const file = await open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(async (error: unknown) => {
      throw codeOf(error) === 'ENOENT' ? await this.#notFound(path, real) : plainError(error, path)
    })
    try {
      const stats = await file.stat({ bigint: true })
      if (stats.isDirectory()) throw new Error(`${path} is a folder.`)
      if (!stats.isFile()) throw new Error(`${path} is no plain file.`)
      await this.#stillThere(path, stats)
      return { file, real, ...markOf(stats) }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** `undefined` if there is no file. Throws for what is there and is no plain file. */
  async look(path: string): Promise<FileMark | undefined> {
    const stats = await lstat(await this.real(path), { bigint: true }).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      throw plainError(error, path)
    })
    if (stats === undefined) return undefined
    if (!stats.isFile()) throw new Error(stats.isDirectory() ? `${path} is a folder.` : `${path} is no plain file.`)
    return markOf(stats)
  }

  /** The whole file. Throws past `maxBytes`. */
  async bytes(path: string, maxBytes: number): Promise<{ readonly bytes: Buffer; readonly real: string } & FileMark> {
    const { file, ...found } = await this.open(path)
    try {
      if (found.size > maxBytes) throw new Error(`${path} takes ${found.size} bytes, more than ${maxBytes}.`)
      const bytes = await file.readFile()
      return { ...found, bytes }
    } finally {
      await file.close()
    }
  }

  /**
   * Puts a file in place, whole or not at all: written beside, synced, renamed. Folders on the way are made. An existing
   * file keeps its mode unless one is given.
   */
  async write(path: string, bytes: Uint8Array, mode?: number): Promise<FileMark> {
    const real = await this.real(path)
    const kept = mode ?? (await this.look(path))?.mode
    await this.#makeFolders(path, dirname(real))
    return await this.#inFolder(path, dirname(real), async folder => {
      const beside = join(folder, `.${basename(real).slice(0, 100)}.${randomBytes(6).toString('hex')}`)
      const file = await open(beside, 'wx', kept ?? 0o666)
      try {
        await file.writeFile(bytes)
        // What the process masks off a new file it does not mask off a kept mode.
        if (kept !== undefined) await file.chmod(kept)
        await file.sync()
        await file.close()
        await rename(beside, join(folder, basename(real)))
        return markOf(await lstat(join(folder, basename(real)), { bigint: true }))
      } catch (error) {
        await file.close().catch(() => undefined)
        await rm(beside, { force: true })
        throw plainError(error, path)
      }
    })
  }

  /** Removes a file; none is well, too. Never a folder. */
  async remove(path: string): Promise<void> {
    const real = await this.real(path)
    if ((await this.look(path)) === undefined) return
    await this.#inFolder(path, dirname(real), async folder => await rm(join(folder, basename(real)), { force: true }))
  }

  #holds(real: string): boolean {
    return real === this.root || real.startsWith(this.root.endsWith(sep) ? this.root : `${this.root}${sep}`)
  }

  /** Whether an absolute path that is spelled differently, such as `/tmp` for `/private/tmp`, begins at the root. */
  async #isAliased(asked: string): Promise<boolean> {
    for (let at = asked; at !== dirname(at); at = dirname(at)) {
      const real = await realpath(at).catch(() => undefined)
      if (real !== undefined && this.#holds(real)) return true
    }
    return false
  }

  /** That the path, followed anew, still ends inside and at the same file. */
  async #stillThere(path: string, stats: { readonly dev: bigint; readonly ino: bigint }): Promise<void> {
    const again = await stat(await this.real(path), { bigint: true }).catch(() => undefined)
    if (again?.ino !== stats.ino || again.dev !== stats.dev) throw new Error(`${path} changed while it was opened. Try again.`)
  }

  async #makeFolders(path: string, folder: string): Promise<void> {
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw plainError(error, path)
    })
  }

  /**
   * Works in an open folder: where the system names open folders (`/proc/self/fd`), nothing that is done to the path
   * meanwhile leads elsewhere; else the folder is looked at again before.
   */
  async #inFolder<T>(path: string, folder: string, work: (folder: string) => Promise<T>): Promise<T> {
    const handle = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => {
      throw plainError(error, path)
    })
    try {
      const named = `/proc/self/fd/${handle.fd}`
      const through = await realpath(named).catch(() => undefined)
      const real = through ?? (await realpath(folder))
      if (this.#confined && !this.#holds(real)) throw outside(path)
      return await work(through === undefined ? real : named)
    } finally {
      await handle.close()
    }
  }

  async #notFound(path: string, real: string): Promise<Error> {
    const names = await readdir(dirname(real)).catch(() => [])
    const near = nearNames(basename(real), names).map(name => this.shown(join(dirname(real), name)))
    return new Error(`File not found: ${path}${near.length === 0 ? '' : `. Did you mean ${near.join(', ')}?`}`)
  }
}

/** Permissions as they stand, without the file's kind. */
function markOf(stats: {
  readonly size: bigint
  readonly mode: bigint
  readonly ino: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}): FileMark {
  const { size, mode, ino, mtimeNs, ctimeNs } = stats
  return { size: Number(size), mode: Number(mode) & 0o7777, mark: `${ino}:${size}:${mtimeNs}:${ctimeNs}` }
}

const noFolder = (cwd: string): SkeinError =>
  new SkeinError('config.invalid', `cwd: expected an absolute path of a folder that exists, got ${cwd}.`, {
    details: { key: 'cwd' },
  })

const outside = (path: string): Error => new Error(`${path} is outside of the working folder. Name a file within it.`)

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

const words: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'leads through what is no folder',
  EISDIR: 'is a folder',
  EACCES: 'may not be reached',
  EPERM: 'may not be changed',
  ELOOP: 'is a symlink that may not be followed',
  EROFS: 'lies on a file system that takes no writes',
  ENOSPC: 'finds no space',
  ENAMETOOLONG: 'has too long a name',
}

/** What the system said, without its own paths. */
function plainError(error: unknown, path: string): Error {
  const code = codeOf(error)
  return code === undefined ? (error as Error) : new Error(`${path} ${words[code] ?? `failed with ${code}`}.`)
}
