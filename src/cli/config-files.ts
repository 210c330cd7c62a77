import { homedir } from 'node:os'
import { parse } from 'smol-toml'
import {
  type Config,
  type Environment,
  findConfigFiles,
  flagLayer,
  type Layer,
  mergeLayers,
  type Project,
  readConfigFiles,
} from '#agent'
import { defaultStore } from './places.ts'

export interface ConfigSources {
  readonly env: Environment
  readonly cwd: string
  /** Instead of the user's file. One that isn't there is `config.invalid`. */
  readonly file?: string | undefined
  /** By key; `undefined` for those that were not given. */
  readonly flags: Readonly<Record<string, string | undefined>>
}

/** All layers, read once. Rejects `config.invalid` with file, line and key. */
export function loadConfig({ env, cwd, file, flags }: ConfigSources): Config & { readonly project?: Project } {
  const { layers, ...found } = readConfigFiles(findConfigFiles({ env, cwd, file, home: homedir() }), env, parse)
  const place: Layer = {
    settings: new Map([['store', { value: defaultStore(env), layer: 'default', where: null }]]),
    notices: [],
  }
  return { ...mergeLayers([place, ...layers, flagLayer(flags)]), ...found }
}
