import {
  absolutePath,
  findConfigFiles,
  type Environment,
  type ParseToml,
  type Project,
  readConfigFiles,
  stateOfFiles,
  userFolder,
} from './config-files.ts'
import { type Layer, mergeLayers, type Setting } from './config-layers.ts'

/** What the layers below a session's own say, the highest of them for each key, and what is found of its project. */
export interface FoundConfig {
  readonly settings: ReadonlyMap<string, Setting>
  readonly project?: Project
  /** Folders whose modules extend a session, in this order. */
  readonly extensions?: readonly string[]
}

/** Where the settings of sessions come from that nobody gave them. */
export interface ConfigSource {
  /**
   * As the files stand now, for a session that works in `cwd`; `null`: no project. What is read is kept until a file changes.
   * Rejects `config.invalid` with file, line, key and layer.
   */
  find(cwd: string | null): Promise<FoundConfig>
  /** Where the user's own files stand; absent where `env` names no home. */
  readonly userFolder?: string | undefined
}

const mostKept = 100

/**
 * The user's file and the variables as `env` names them, and the nearest project's file. Each notice is told once. Nothing is
 * parsed, and no parser loaded, where there is no file.
 */
export function configSource(parts: {
  readonly env: Environment
  /** Instead of the user's file. */
  readonly file?: string | undefined
  /** What the process was started with, by key; it goes before files and variables. */
  readonly flags?: ReadonlyMap<string, Setting>
  loadParser(): Promise<ParseToml>
  notice(message: string): void
}): ConfigSource {
  const { env } = parts
  // Relative to where the process is, not to where a session works.
  const named = parts.file ?? (env['SKEIN_CONFIG']?.trim() || undefined)
  const file = named === undefined ? undefined : absolutePath(named)
  const flags: Layer = { settings: parts.flags ?? new Map(), notices: [] }
  const kept = new Map<string, FoundConfig>()
  const told = new Set<string>()
  return {
    userFolder: userFolder(env),
    async find(cwd) {
      const files = findConfigFiles({ env, cwd, file })
      const state = stateOfFiles(files)
      const known = kept.get(state.name)
      if (known !== undefined) return known
      const { layers, ...found } = readConfigFiles(files, env, state.isThere ? await parts.loadParser() : () => ({}))
      const { settings, notices } = mergeLayers([...layers, flags])
      for (const message of notices.filter(notice => !told.has(notice))) {
        told.add(message)
        parts.notice(message)
      }
      if (kept.size >= mostKept) kept.clear()
      const all = { ...found, settings }
      kept.set(state.name, all)
      return all
    },
  }
}
