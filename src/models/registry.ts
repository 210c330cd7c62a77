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
  /** Has all that is and will be here; what is registered there is there alone. */
  scope(): Registry
}

const keyOf = (provider: string, id: string): string => `${provider}/${id}`

/** What somebody registered, beside what was there before. */
interface Shelf {
  readonly models: Map<string, ModelInfo>
  readonly ports: Map<string, Connector>
  readonly aliases: Map<string, string>
  readonly providers: Set<string>
}

export function createRegistry(connectors: readonly Connector[]): Registry {
  return registryOf([
    {
      models: new Map(builtInModels.map(model => [keyOf(model.provider, model.id), model])),
      ports: new Map(connectors.map(connector => [connector.provider, connector])),
      aliases: new Map(builtInAliases),
      providers: new Set([...builtInModels.map(model => model.provider), ...bareProviders]),
    },
  ])
}

/** A registry that writes on the last shelf and reads them all, the last first. */
function registryOf(shelves: readonly [Shelf, ...Shelf[]]): Registry {
  const own = shelves.at(-1) ?? shelves[0]
  const all = <K, V>(of: (shelf: Shelf) => Map<K, V>): Map<K, V> =>
    shelves.length === 1 ? of(own) : new Map(shelves.flatMap(shelf => [...of(shelf)]))
  const names: Names = {
    get providers() {
      return shelves.length === 1 ? own.providers : new Set(shelves.flatMap(shelf => [...shelf.providers]))
    },
    get aliases() {
      return all(shelf => shelf.aliases)
    },
    get models() {
      return [...all(shelf => shelf.models).values()]
    },
  }
  return {
    list: () => [...names.models],
    resolve: (reference, { provider } = {}) => resolveReference(reference ?? defaultReference, names, provider),
    find: (provider, id) => all(shelf => shelf.models).get(keyOf(provider.toLowerCase(), id)),
    connector: provider => all(shelf => shelf.ports).get(provider),
    register(entry, { replace = false } = {}) {
      const provider = entry.provider.trim().toLowerCase()
      if ('connect' in entry) {
        if (all(shelf => shelf.ports).has(provider) && !replace) throw duplicate(`The provider ${provider} has a connector`)
        own.ports.set(provider, entry)
      } else {
        const key = keyOf(provider, entry.id)
        if (all(shelf => shelf.models).has(key) && !replace) throw duplicate(`The model ${key} is registered`)
        own.models.set(key, { ...entry, provider })
      }
      own.providers.add(provider)
    },
    alias(name, reference, { replace = false } = {}) {
      const short = name.trim().toLowerCase()
      if (names.aliases.has(short) && !replace) throw duplicate(`The alias ${short} is taken`)
      resolveReference(reference, names)
      own.aliases.set(short, reference)
    },
    scope: () => registryOf([...shelves, { models: new Map(), ports: new Map(), aliases: new Map(), providers: new Set() }]),
  }
}

const duplicate = (what: string): SkeinError =>
  new SkeinError('model.duplicate', `${what} already. Pass { replace: true } to replace it.`)
