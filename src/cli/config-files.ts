import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { SkeinError } from '#kernel'
import { type Config, environmentLayer, fileLayer, flagLayer, type Layer, mergeLayers } from './config.ts'
import { defaultStore, projectConfigFile, userConfigFile } from './places.ts'
import { lineOf, tomlLines } from './toml-lines.ts'

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Instead of the user's file. One that isn't there is `config.invalid`. */
  readonly file?: string | undefined
  /** By key; `undefined` for those that were not given. */
  readonly flags: Readonly<Record<string, string | undefined>>
}

/** All layers, read once. Rejects `config.invalid` with file, line and key. */
export function loadConfig({ env, cwd, file, flags }: ConfigSources): Config {
  const chosen = file ?? (env['SKEIN_CONFIG']?.trim() || undefined)
  const user =
    chosen === undefined
      ? readLayer('user', userConfigFile(env), false)
      : readLayer('user', isAbsolute(chosen) ? chosen : join(cwd, chosen), true)
  const project = projectConfigFile(cwd)
  const place: Layer = {
    settings: new Map([['store', { value: defaultStore(env), layer: 'default', where: null }]]),
    notices: [],
  }
  return mergeLayers([
    place,
    user,
    ...(project === undefined ? [] : [readLayer('project', project, true)]),
    environmentLayer(env),
    flagLayer(flags),
  ])
}

/** A path as it is found from the file that names it, and from `cwd` where no file does. */
export function namedPath(path: string, where: string | null, cwd: string): string {
  const from = where !== null && isAbsolute(where) ? dirname(where) : cwd
  return isAbsolute(path) ? path : join(from, path)
}

/** The text of a secret's file, which is found from the file that names it. */
export function secretText(path: string, where: string | null, cwd: string): string {
  return readFileSync(namedPath(path, where, cwd), 'utf8')
}

function readLayer(layer: 'user' | 'project', file: string, required: boolean): Layer {
  const text = readText(file, required)
  if (text === undefined) return { settings: new Map(), notices: [] }
  const lines = tomlLines(text)
  return fileLayer(layer, parseToml(text, file), key => ({ file, line: lineOf(lines, key) }))
}

function readText(file: string, required: boolean): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (!required && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined
    throw new SkeinError('config.invalid', `${file} cannot be read (${code ?? 'unknown'}).`, { details: { file }, cause })
  }
}

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const [problem] = cause.message.split('\n')
    throw new SkeinError('config.invalid', `${file}:${cause.line}: ${problem ?? 'Not TOML.'}`, {
      details: { file, line: cause.line, key: null },
    })
  }
}
