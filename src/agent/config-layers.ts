import { SkeinError } from '#kernel'
import {
  type ConfigKey,
  configKeys,
  type ConfigValue,
  findKey,
  nearestKey,
  personalSections,
  reservedSections,
  trustedSections,
  variableOf,
} from './config-keys.ts'
import { nearestOf } from './config-nearest.ts'
import { narrowed } from './config-narrow.ts'

/** Lowest first. `flag`: what a process was started with; `session`: what a session keeps; `options`: what it was given here. */
export type LayerName = 'default' | 'user' | 'project' | 'environment' | 'flag' | 'session' | 'options'

/** One value, and who says so: `null` is said to mean the default where there is none. `where` is a file with its line, a variable, or a flag. */
export interface Setting<V = ConfigValue> {
  readonly value: V
  readonly layer: LayerName
  readonly where: string | null
}

export interface Layer {
  readonly settings: ReadonlyMap<string, Setting>
  readonly notices: readonly string[]
  /** What it says of what an agent may do counts only where that is less than the layers below allow. Law A2. */
  readonly narrows?: true
}

export interface Config {
  /** By dotted key; later layers won. */
  readonly settings: ReadonlyMap<string, Setting>
  readonly notices: readonly string[]
}

/** Lowest first; each key has the value of the last layer that names it, so that stating a default resets to it. Laws H18, A1. */
export function mergeLayers(layers: readonly Layer[]): Config {
  const settings = new Map<string, Setting>()
  const notices: string[] = []
  for (const layer of [defaults, ...layers]) {
    notices.push(...layer.notices)
    const below = new Map(settings)
    for (const [key, setting] of layer.settings) {
      if (layer.narrows !== true) {
        settings.set(key, setting)
        continue
      }
      const held = narrowed(key, setting.value, path => below.get(path)?.value)
      if (held === undefined)
        notices.push(
          `${setting.where ?? 'project'}: ${key} is ignored: it would allow more, and the project isn't trusted (skein trust).`,
        )
      else for (const [path, value] of Object.entries(held)) settings.set(path, { ...setting, value })
    }
  }
  return { settings, notices }
}

const defaults: Layer = {
  settings: new Map(
    configKeys.flatMap(({ path, byDefault }): [string, Setting][] =>
      byDefault === undefined ? [] : [[path, { value: byDefault, layer: 'default', where: null }]],
    ),
  ),
  notices: [],
}

/**
 * A file's table, flattened. Wrong types and ranges reject `config.invalid` with file, line and key; an unknown key is a notice
 * that names the nearest. What a project's file may not decide is ignored with a notice.
 */
export function fileLayer(
  layer: 'user' | 'project',
  table: Readonly<Record<string, unknown>>,
  at: (key: string) => { readonly file: string; readonly line: number | undefined },
  trusted: boolean = true,
): Layer {
  const settings = new Map<string, Setting>()
  const notices: string[] = []
  const ignored = new Set<string>()
  for (const { path, value } of flatten(table)) {
    const { file, line } = at(path)
    const where = line === undefined ? file : `${file}:${line}`
    const section = path.split('.')[0] ?? path
    if (layer === 'project' && (personalSections.includes(section) || findKey(path)?.personal === true)) {
      if (!ignored.has(section))
        notices.push(`${where}: ${section} is ignored here: a project's file does not decide it. Say it in your own file.`)
      ignored.add(section)
      continue
    }
    if (layer === 'project' && !trusted && (trustedSections.includes(section) || findKey(path)?.trusted === true)) {
      const name = trustedSections.includes(section) ? section : path
      if (!ignored.has(name)) notices.push(`${where}: ${name} is ignored: the project isn't trusted (skein trust).`)
      ignored.add(name)
      continue
    }
    if (reservedSections.includes(section)) continue
    const known = findKey(path)
    if (known === undefined) {
      const meant = nearestKey(path)
      notices.push(`${where}: unknown key ${path}${meant === undefined ? '' : `; the nearest is ${meant}`}.`)
      continue
    }
    const problem = problemOf(known, value, true)
    if (problem !== undefined)
      throw invalidConfig(`${where}: ${path}: ${problem}`, { file, line: line ?? null, key: path, layer })
    settings.set(path, { value: folded(known, value as ConfigValue), layer, where })
  }
  return { settings, notices, ...(layer === 'project' && !trusted ? { narrows: true as const } : {}) }
}

/** `SKEIN_*`; blank counts as unset. A variable that is nearly one of ours is a notice. */
export function environmentLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const settings = new Map<string, Setting>()
  const variables = new Map(
    configKeys.flatMap(known => (variableOf(known.path) === undefined ? [] : [[variableOf(known.path) ?? '', known] as const])),
  )
  const notices: string[] = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('SKEIN_') || text === undefined || text.trim() === '') continue
    const known = variables.get(name)
    if (known === undefined) {
      const meant = ownVariables.includes(name) || name.startsWith('SKEIN_TEST_') ? undefined : nearestOf(name.slice(6), [...variables.keys()].map(own => own.slice(6))) // prettier-ignore
      if (meant !== undefined) notices.push(`${name}: unknown variable; the nearest is SKEIN_${meant}.`)
      continue
    }
    settings.set(known.path, { value: readText(known, text.trim(), name, 'environment'), layer: 'environment', where: name })
  }
  return { settings, notices }
}

/** Read where the data and the files are found, not here. */
const ownVariables: readonly string[] = ['SKEIN_HOME', 'SKEIN_CONFIG']

/** Flags as they were typed, by key. */
export function flagLayer(flags: Readonly<Record<string, string | undefined>>): Layer {
  const settings = new Map<string, Setting>()
  for (const [key, text] of Object.entries(flags)) {
    const known = findKey(key)
    if (known === undefined || text === undefined) continue
    const flag = `--${key.slice(key.lastIndexOf('.') + 1)}`
    settings.set(key, { value: readText(known, text, flag, 'flag'), layer: 'flag', where: flag })
  }
  return { settings, notices: [] }
}

function readText(known: ConfigKey, text: string, where: string, layer: LayerName): ConfigValue {
  const value = parseText(known, text)
  const problem = problemOf(known, value, false)
  if (problem !== undefined) throw invalidConfig(`${where}: ${problem}`, { variable: where, key: known.path, layer })
  return folded(known, value)
}

function parseText({ kind }: ConfigKey, text: string): ConfigValue {
  switch (kind.is) {
    case 'number':
      return /^-?\d+$/.test(text) ? Number(text) : text
    case 'fraction':
      return /^\d*\.?\d+$/.test(text) ? Number(text) : text
    case 'flag':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text
    case 'list': return text.split(',').map(item => item.trim()).filter(item => item !== '') // prettier-ignore
    default:
      return text
  }
}

/** What is wrong with a value, or `undefined`. */
function problemOf({ kind }: ConfigKey, value: unknown, inFile: boolean): string | undefined {
  switch (kind.is) {
    case 'text':
    case 'address':
      return typeof value === 'string' && value.trim() !== '' ? undefined : 'Expected a text.'
    case 'number':
      return Number.isSafeInteger(value) && (value as number) >= kind.min && (value as number) <= kind.max
        ? undefined
        : `Expected a whole number from ${kind.min} to ${kind.max}.`
    case 'fraction':
      return typeof value === 'number' && value >= kind.min && value <= kind.max
        ? undefined
        : `Expected a number from ${kind.min} to ${kind.max}.`
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'Expected true or false.'
    case 'choice':
      return typeof value === 'string' && kind.of.includes(kind.fold === true ? foldChoice(value) : value)
        ? undefined
        : `Expected one of ${kind.of.join(', ')}.`
    case 'list':
      if (!Array.isArray(value) || !value.every(item => typeof item === 'string')) return 'Expected a list of texts.'
      return kind.of === undefined || value.every(item => kind.of?.includes(item))
        ? undefined
        : `Expected only ${kind.of.join(', ')}.`
    case 'secret':
      if (typeof value !== 'string' || value === '') return 'Expected env:NAME or file:PATH.'
      return inFile && !isSecretReference(value) ? 'A secret is not written here: give env:NAME or file:PATH.' : undefined
    default:
      return kind satisfies never
  }
}

/** What somebody said in a section, as an object with the names of its keys. */
export function sectionOf(settings: ReadonlyMap<string, Setting>, section: string): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [path, { value, layer }] of settings) {
    const [of, ...names] = path.split('.')
    const last = names.pop()
    if (of !== section || last === undefined || layer === 'default') continue
    let within = found
    for (const name of names) within = (within[name] ??= {}) as Record<string, unknown>
    within[last] = value
  }
  return found
}

/** A secret is named, not written: `env:NAME` or `file:PATH`. */
export const isSecretReference = (text: string): boolean => /^(env:[A-Za-z_]\w*|file:.+)$/.test(text)

const foldChoice = (text: string): string => text.trim().toLowerCase().replaceAll('_', '-')
const folded = ({ kind }: ConfigKey, value: ConfigValue): ConfigValue =>
  kind.is === 'choice' && kind.fold === true && typeof value === 'string' ? foldChoice(value) : value

function* flatten(table: Readonly<Record<string, unknown>>, above = ''): Generator<{ path: string; value: unknown }> {
  for (const [name, value] of Object.entries(table)) {
    const path = above === '' ? name : `${above}.${name}`
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
      if (findKey(path) !== undefined) yield { path, value }
      else yield* flatten(value as Record<string, unknown>, path)
    } else yield { path, value }
  }
}

function invalidConfig(message: string, details: Readonly<Record<string, unknown>>): SkeinError {
  return new SkeinError('config.invalid', message, { details })
}
