import { mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** Where keys and logins of providers are kept, beside the user's configuration. */
export function defaultCredentials(env: Env): string {
  return join(xdg(env, 'XDG_CONFIG_HOME', '.config'), 'skein', 'credentials.json')
}

/** Where data is kept: `SKEIN_HOME`, else XDG's, else `~/.local/share/skein`. */
export function dataFolder(env: Env): string {
  const own = env['SKEIN_HOME']?.trim() ?? ''
  return own === '' ? join(xdg(env, 'XDG_DATA_HOME', '.local/share'), 'skein') : own
}

/** The store of who names none. */
export function defaultStore(env: Env): string {
  return `sqlite:${join(dataFolder(env), 'skein.db')}`
}

/** Makes the folder and those above it that are missing, for their owner alone. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
}

/** The file of a `sqlite:` address, absolute; `undefined` for another store. */
export function storeFile(store: string, cwd: string): string | undefined {
  if (!store.startsWith('sqlite:')) return undefined
  const file = store.slice('sqlite:'.length)
  return isAbsolute(file) ? file : join(cwd, file)
}

/** Permission bits of a file, `undefined` if there is none. */
export function modeOf(file: string): number | undefined {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat === undefined ? undefined : stat.mode & 0o777
}

/** A relative XDG folder is to be ignored. Source: specifications.freedesktop.org/basedir-spec. */
function xdg(env: Env, variable: string, fallback: string): string {
  const folder = env[variable]?.trim() ?? ''
  const home = env['HOME']?.trim() ?? ''
  return isAbsolute(folder) ? folder : join(home === '' ? homedir() : home, fallback)
}
