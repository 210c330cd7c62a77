import { type Config, type ConfigValue, findKey, namedPath, secretText, type Setting } from '#agent'
import { masked, readSecret } from './secrets.ts'

export interface TokenSettings {
  readonly name: string
  readonly secret: string
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly owners: readonly string[] | undefined
}

type Env = Readonly<Record<string, string | undefined>>

/** What the layers decided, read by key. Secrets are looked up when they are asked for. */
export class Settings {
  readonly #config: Config
  readonly #env: Env
  readonly #cwd: string

  constructor(config: Config, env: Env, cwd: string) {
    this.#config = config
    this.#env = env
    this.#cwd = cwd
  }

  text(key: string): string | undefined {
    const value = this.#config.settings.get(key)?.value
    return typeof value === 'string' ? value : undefined
  }

  /** Who decided it. */
  layerOf(key: string): Setting['layer'] | undefined {
    return this.#config.settings.get(key)?.layer
  }

  /** A file, absolute: from the folder of the file that names it, else from where the command was given. */
  path(key: string): string | undefined {
    const setting = this.#config.settings.get(key)
    return typeof setting?.value === 'string' ? namedPath(setting.value, setting.where, this.#cwd) : undefined
  }

  number(key: string): number | undefined {
    const value = this.#config.settings.get(key)?.value
    return typeof value === 'number' ? value : undefined
  }

  /** A number that some layer states: no default. */
  stated(key: string): number | undefined {
    return this.layerOf(key) === 'default' ? undefined : this.number(key)
  }

  list(key: string): readonly string[] | undefined {
    const value = this.#config.settings.get(key)?.value
    return Array.isArray(value) ? (value as readonly string[]) : undefined
  }

  /** An address or secret, from where it is kept. Throws `config.invalid` if nothing is there. */
  secret(key: string): string | undefined {
    const setting = this.#config.settings.get(key)
    if (typeof setting?.value !== 'string') return undefined
    return readSecret(setting.value, key, { env: this.#env, readFile: path => secretText(path, setting.where, this.#cwd) })
  }

  /** Tokens that the configuration gives, beside those of the store. */
  tokens(): TokenSettings[] {
    return this.#names('tokens').flatMap(name => {
      const secret = this.secret(`tokens.${name}.secret`)
      if (secret === undefined) return []
      return [
        {
          name,
          secret,
          tenant: this.text(`tokens.${name}.tenant`) ?? 'default',
          scopes: this.list(`tokens.${name}.scopes`) ?? ['read', 'write'],
          owners: this.list(`tokens.${name}.owners`),
        },
      ]
    })
  }

  /** The environment, and in it what the user's file says of providers; the environment wins. */
  providerEnvironment(): Env {
    const found: Record<string, string | undefined> = {}
    for (const name of this.#names('providers')) {
      const prefix = name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
      found[`${prefix}_API_KEY`] = this.secret(`providers.${name}.apiKey`)
      found[`${prefix}_BASE_URL`] = this.secret(`providers.${name}.baseUrl`)
    }
    for (const [name, value] of Object.entries(this.#env)) if (value !== undefined && value.trim() !== '') found[name] = value
    return found
  }

  /** Every value with its layer, as it may be shown: secrets masked. Law H23. */
  shown(): {
    readonly key: string
    readonly value: ConfigValue
    readonly layer: Setting['layer']
    readonly where: string | null
  }[] {
    return [...this.#config.settings]
      .map(([key, { value, layer, where }]) => ({ key, value: shownValue(key, value), layer, where }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  #names(section: string): string[] {
    const keys = [...this.#config.settings.keys()].filter(key => key.startsWith(`${section}.`))
    return [...new Set(keys.map(key => key.slice(section.length + 1, key.lastIndexOf('.'))))]
  }
}

function shownValue(key: string, value: ConfigValue): ConfigValue {
  const kind = findKey(key)?.kind.is
  return typeof value === 'string' && (kind === 'secret' || kind === 'address') ? masked(kind, value) : value
}
