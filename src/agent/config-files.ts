import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { given, isObject, SkeinError } from '#kernel'
import { environmentLayer, fileLayer, type Layer } from './config-layers.ts'
import { lineOf, tomlLines } from './config-lines.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Reads a TOML text; throws an error with the `line` where it is none. */
export type ParseToml = (text: string) => Record<string, unknown>

export interface ConfigPlaces {
  /** Says where the user's folder is, and is a layer itself. */
  readonly env: Environment
  /** Where to look for a project's file, upward; `null`: nowhere. */
  readonly cwd: string | null
  /** Instead of the user's file. One that isn't there is `config.invalid`. */
  readonly file?: string | undefined
  /** The user's home where `env` names none. */
  readonly home?: string | undefined
}

/** Which files a configuration is made of. */
export interface ConfigFiles {
  readonly user?: { readonly file: string; readonly required: boolean }
  readonly project?: { readonly file: string; readonly folder: string }
  /** The user's list of projects that are trusted. */
  readonly trust?: string
  /** Folders of extensions: the user's, and the nearest project's that has one. */
  readonly extensions?: { readonly user?: string; readonly project?: string }
}

/** What is found of a project. */
export interface Project {
  readonly folder: string
  readonly trusted: boolean
}

/** XDG's folder of the user's configuration, else `~/.config/skein`; `undefined` where there is no home. A relative XDG folder is to be ignored. */
export function userFolder(env: Environment, home?: string): string | undefined {
  const xdg = env['XDG_CONFIG_HOME']?.trim() ?? ''
  const own = env['HOME']?.trim() ?? ''
  const root = own === '' ? home : own
  if (isAbsolute(xdg)) return join(xdg, 'skein')
  return root === undefined || root === '' ? undefined : join(root, '.config', 'skein')
}

/** Looks which files there are; reads none. */
export function findConfigFiles({ env, cwd, file, home }: ConfigPlaces): ConfigFiles {
  const chosen = file ?? (env['SKEIN_CONFIG']?.trim() || undefined)
  const folder = userFolder(env, home)
  const named = chosen === undefined || isAbsolute(chosen) || cwd === null ? chosen : join(cwd, chosen)
  const user =
    named !== undefined
      ? { file: named, required: true }
      : folder === undefined
        ? undefined
        : { file: join(folder, 'config.toml'), required: false }
  const project = cwd === null ? undefined : projectConfigFile(cwd)
  return given({
    user,
    project: project === undefined ? undefined : { file: project, folder: dirname(dirname(project)) },
    trust: folder === undefined ? undefined : join(folder, trustFile),
    extensions: given({
      user: folder === undefined ? undefined : isThere(join(folder, 'extensions')),
      project: cwd === null ? undefined : nearest(cwd, join('.skein', 'extensions')),
    }),
  })
}

/** Names a state of files: another one where something was written to one of them. */
export function stateOfFiles({ user, project, trust, extensions }: ConfigFiles): {
  readonly name: string
  readonly isThere: boolean
} {
  let isThere = false
  const marks = [user?.file, project?.file, trust].map(file => {
    const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })
    if (stat !== undefined) isThere = true
    return stat === undefined ? [file] : [file, stat.mtimeMs, stat.size, stat.ino]
  })
  return { name: JSON.stringify([marks, extensions]), isThere }
}

/**
 * The layers of the user's file, the project's and the variables, lowest first. Rejects `config.invalid` with file, line, key and
 * layer. Source: spec/agent.md 1, spec/foundation.md 7.2.
 */
export function readConfigFiles(
  { user, project, trust, extensions = {} }: ConfigFiles,
  env: Environment,
  parse: ParseToml,
): { readonly layers: readonly Layer[]; readonly project?: Project; readonly extensions: readonly string[] } {
  const list = trust === undefined ? { folders: [] } : trustedFolders(trust)
  const isTrusted = (folder: string): boolean => list.folders.includes(realFolder(folder))
  const users = user === undefined ? none : readLayer('user', user.file, user.required, parse)
  const theirs = extensions.project
  const mayExtend = theirs !== undefined && isTrusted(dirname(dirname(theirs)))
  const notices = [
    ...(list.problem === undefined ? [] : [list.problem]),
    ...(theirs === undefined || mayExtend ? [] : [`${theirs} is ignored: the project isn't trusted (skein trust).`]),
  ]
  const folders = [extensions.user, mayExtend ? theirs : undefined].filter(folder => folder !== undefined)
  const lowest: Layer = { ...users, notices: [...notices, ...users.notices] }
  if (project === undefined) return { layers: [lowest, environmentLayer(env)], extensions: folders }
  const trusted = isTrusted(project.folder)
  const said = readLayer('project', project.file, true, parse, trusted)
  return { layers: [lowest, said, environmentLayer(env)], project: { folder: project.folder, trusted }, extensions: folders }
}

const none: Layer = { settings: new Map(), notices: [] }

/** The nearest `.skein/config.toml` from a directory upward. */
export function projectConfigFile(cwd: string): string | undefined {
  return nearest(cwd, join('.skein', 'config.toml'))
}

/** What is there by this name in a directory, or in the nearest one above. */
function nearest(cwd: string, name: string): string | undefined {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const file = isThere(join(folder, name))
    if (file !== undefined || dirname(folder) === folder) return file
  }
}

const isThere = (file: string): string | undefined => (existsSync(file) ? file : undefined)

const trustFile = 'trusted.json'

/** The folders that the user's list names, by their real paths; without a list, none. */
export function trustedFolders(file: string): { readonly folders: readonly string[]; readonly problem?: string } {
  const text = textOf(file)
  if (text === undefined) return { folders: [] }
  try {
    const json: unknown = JSON.parse(text)
    const projects = isObject(json) ? json['projects'] : undefined
    if (Array.isArray(projects) && projects.every(project => typeof project === 'string')) return { folders: projects }
  } catch {
    // Told below.
  }
  return { folders: [], problem: `${file} is no list of trusted projects, so none is.` }
}

/** Where a folder really is; itself, if it isn't there. */
export function realFolder(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}

/** From where the process is. */
export const absolutePath = (path: string): string => resolve(path)

/** A path as it is found from the file that names it, and from `cwd` where no file does. */
export function namedPath(path: string, where: string | null, cwd: string): string {
  const from = where !== null && isAbsolute(where) ? dirname(where) : cwd
  return isAbsolute(path) ? path : join(from, path)
}

/** The text of a secret's file, which is found from the file that names it. */
export function secretText(path: string, where: string | null, cwd: string): string {
  return readFileSync(namedPath(path, where, cwd), 'utf8')
}

function readLayer(layer: 'user' | 'project', file: string, required: boolean, parse: ParseToml, trusted: boolean = true): Layer {
  const text = readText(file, required, layer)
  if (text === undefined) return none
  const lines = tomlLines(text)
  return fileLayer(layer, parseToml(text, file, layer, parse), key => ({ file, line: lineOf(lines, key) }), trusted)
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function readText(file: string, required: boolean, layer: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (!required && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined
    throw new SkeinError('config.invalid', `${file} cannot be read (${code ?? 'unknown'}).`, { details: { file, layer }, cause })
  }
}

function parseToml(text: string, file: string, layer: string, parse: ParseToml): Record<string, unknown> {
  try {
    return parse(text)
  } catch (cause) {
    const line = isObject(cause) && typeof cause['line'] === 'number' ? cause['line'] : null
    const [problem] = (cause instanceof Error ? cause.message : '').split('\n')
    throw new SkeinError('config.invalid', `${file}${line === null ? '' : `:${line}`}: ${problem || 'Not TOML.'}`, {
      details: { file, line, key: null, layer },
    })
  }
}
