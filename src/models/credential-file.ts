import { mkdir, open, readdir, readFile, readlink, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Clock, type Random, sha256, SkeinError, systemClock, systemRandom } from '#kernel'
import type { CredentialStore, StoredCredential } from './credential-store.ts'
import { type CredentialText, readCredentialText } from './credential-text.ts'
import { type HeldLock, type LockOutside, takeLock } from './file-lock.ts'
import type { Environment } from './credentials.ts'

export interface CredentialFileOptions {
  readonly clock?: Clock
  readonly random?: Random
  /** How waiting for the lock passes. */
  readonly pause?: (ms: number) => Promise<void>
}

/** Where credentials are kept, from an environment alone: `SKEIN_CREDENTIALS`, else in XDG's folder, else below `HOME`. */
export function credentialPlace(env: Environment): string | undefined {
  const said = (name: string): string => env[name]?.trim() ?? ''
  if (said('SKEIN_CREDENTIALS') !== '') return said('SKEIN_CREDENTIALS')
  const xdg = said('XDG_CONFIG_HOME')
  const folder = isAbsolute(xdg) ? xdg : said('HOME') === '' ? undefined : join(said('HOME'), '.config')
  return folder === undefined ? undefined : join(folder, 'skein', 'credentials.json')
}

/**
 * Credentials in a JSON file that its owner alone can read (0600). It is always the old one or the new one, whole, whenever the
 * process dies; members that Skein doesn't know stay. A file that cannot be understood is `auth.store_corrupt` and is never
 * overwritten. Every change is made under the lock `FILE.lock` beside the real file, symbolic links resolved. Laws P13, P14.
 */
export function credentialFile(file: string, options: CredentialFileOptions = {}): CredentialStore {
  const { clock = systemClock, random = systemRandom } = options
  const place = resolve(file)
  const outside: LockOutside = {
    now: () => clock.now(),
    number: () => random.number(),
    name: () => sha256(random.bytes(new Uint8Array(32))).slice(0, 32),
    pause: options.pause ?? (ms => pause(ms)),
  }
  const write = async (real: string, text: string, lock: HeldLock): Promise<void> => {
    const temporary = `${real}.${outside.name()}.tmp`
    try {
      await writeWhole(temporary, text)
      if (!(await lock.isOurs())) throw new SkeinError('auth.locked', `${real}: another process took over. Try again.`, { details: { file } }) // prettier-ignore
      await rename(temporary, real)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    await syncFolder(dirname(real))
  }
  const change: CredentialStore['change'] = async (provider, decide) => {
    const real = await realFile(place)
    await mkdir(dirname(real), { recursive: true, mode: 0o700 })
    const lock = await takeLock(`${real}.lock`, outside)
    try {
      const read = await readText(real, file)
      const decided = await decide(read.get(provider))
      if (decided === undefined || (decided === null && !read.providers.includes(provider))) return
      await removeLeft(real)
      await write(real, read.with(provider, decided), lock)
    } finally {
      await lock.release()
    }
  }
  return {
    get: async (provider): Promise<StoredCredential | undefined> => (await readText(place, file)).get(provider),
    list: async () => (await readText(place, file)).providers,
    change: async (provider, decide) => await change(provider, decide).catch((error: unknown) => refuse(error, file)),
  }
}

async function readText(real: string, file: string): Promise<CredentialText> {
  const bytes = await readFile(real).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    return refuse(error, file)
  })
  return readCredentialText(bytes, file)
}

const isMissing = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** A file system's refusal is about the path that the caller gave; everything else is thrown as it is. */
function refuse(error: unknown, file: string): never {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) throw error
  throw new SkeinError('config.invalid', `The credential file ${file} cannot be used (${code}).`, {
    details: { file },
    cause: error,
  })
}

/** The file that a path means, also through links whose target is not there yet. */
async function realFile(path: string, links = 40): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isMissing(error) || links === 0) throw error
  }
  const target = await readlink(path).catch(() => undefined)
  if (target !== undefined) return await realFile(resolve(dirname(path), target), links - 1)
  const folder = await realpath(dirname(path)).catch(() => dirname(path))
  return join(folder, basename(path))
}

async function writeWhole(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'wx', 0o600)
  // What `umask` took away or a folder's default added.
  await handle.chmod(0o600)
  await handle.writeFile(text)
  await handle.sync()
}

/** What processes that died in the middle left; whoever has the lock is the only one to write. */
async function removeLeft(real: string): Promise<void> {
  const left = new RegExp(`^[0-9a-f]{32}\\.tmp$`)
  const prefix = `${basename(real)}.`
  for (const name of await readdir(dirname(real)))
    if (name.startsWith(prefix) && left.test(name.slice(prefix.length))) await rm(join(dirname(real), name), { force: true })
}

/** Where folders can be synced; elsewhere a rename is as durable as the system makes it. */
async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, 'r')
    await handle.sync()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EISDIR' && code !== 'EPERM' && code !== 'EINVAL' && code !== 'EACCES') throw error
  }
}
