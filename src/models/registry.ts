import { SkeinError } from '#kernel'
import { bareProviders, builtInAliases, builtInModels, defaultReference } from './catalog.ts'
import type { Connector, ModelInfo } from './port.ts'
import { type Names, resolveReference } from './reference.ts'

export interface Registry {
  /** Every registered model, built-in ones included, in look-up order. */
  list(): ModelInfo[]
  /** The model that a reference means; the default model for none. See `resolveReference` for what it throws. */
  resolve(reference?: string | null, options?: { readonly provider?: string | undefined }): ModelInfo
  /** The row of exactly this provider and id. */
  find(provider: string, id: string): ModelInfo | undefined
  connector(provider: string): Connector | undefined
  /** A second registration of the same (provider, id) or connector throws `model.duplicate`, unless it says `replace`. */
  register(entry: ModelInfo | Connector, options?: { readonly replace?: boolean }): void
  /** Gives a reference a short name. A name that is taken throws `model.duplicate`, unless it says `replace`. */
  alias(name: string, reference: string, options?: { readonly replace?: boolean }): void
}

const keyOf = (provider: string, id: string): string => `${provider}/${id}`

export function createRegistry(connectors: readonly Connector[]): Registry {
  const models = new Map(builtInModels.map(model => [keyOf(model.provider, model.id), model]))
  const ports = new Map(connectors.map(connector => [connector.provider, connector]))
  const aliases = new Map(builtInAliases)
  const providers = new Set([...builtInModels.map(model => model.provider), ...bareProviders])
  const names: Names = {
    providers,
    aliases,
    get models() {
      return [...models.values()]
    },
  }
  return {
    list: () => [...models.values()],
    resolve: (reference, { provider } = {}) => resolveReference(reference ?? defaultReference, names, provider),
    find: (provider, id) => models.get(keyOf(provider.toLowerCase(), id)),
    connector: provider => ports.get(provider),
    register(entry, { replace = false } = {}) {
      const provider = entry.provider.trim().toLowerCase()
      if ('connect' in entry) {
        if (ports.has(provider) && !replace) throw duplicate(`The provider ${provider} has a connector`)
        ports.set(provider, entry)
      } else {
        const key = keyOf(provider, entry.id)
        if (models.has(key) && !replace) throw duplicate(`The model ${key} is registered`)
        models.set(key, { ...entry, provider })
      }
      providers.add(provider)
    },
    alias(name, reference, { replace = false } = {}) {
      const short = name.trim().toLowerCase()
      if (aliases.has(short) && !replace) throw duplicate(`The alias ${short} is taken`)
      resolveReference(reference, names)
      aliases.set(short, reference)
    },
  }
}

const duplicate = (what: string): SkeinError =>
  new SkeinError('model.duplicate', `${what} already. Pass { replace: true } to replace it.`)
