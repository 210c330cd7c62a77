import { type Clock, given, SkeinError, systemClock, systemTimers, type Timers } from '#kernel'
import { aggregators } from './catalog.ts'
import { type ConnectedModel, connected, override } from './connected.ts'
import { builtInConnectors } from './connectors.ts'
import { chooseRows, type PriceSources } from './cost.ts'
import { authMissing, createCredentials, type Credentials, type Environment } from './credentials.ts'
import { credentialFile } from './credential-file.ts'
import type { CredentialStore } from './credential-store.ts'
import { demoModel, demoNotice } from './demo.ts'
import { dial } from './dial.ts'
import { expired, isExpired } from './fresh-oauth.ts'
import type { AiSdkModel, Connector, Credential, ModelInfo, ModelPort, PriceRow } from './port.ts'
import { builtInPrices } from './price-table.ts'
import { createRegistry, type Registry } from './registry.ts'
import { decideRoute, type Route, subscriptionFor } from './route.ts'

/** A degradation that the user should hear of. */
export interface ModelNotice {
  readonly level: 'info' | 'warning'
  readonly code: string
  readonly message: string
}

export interface ModelsOptions {
  /** The environment that keys and base URLs are read from. Default: an empty one. */
  readonly env?: Environment
  readonly clock?: Clock
  readonly timers?: Timers
  readonly notice?: (notice: ModelNotice) => void
  /** Where credentials are kept, e.g. a `credentialFile`. Default: nowhere. */
  readonly store?: CredentialStore
  /** Price rows that go before Skein's own, for any model. */
  readonly prices?: readonly PriceRow[]
  /** Price rows for models that neither the user nor Skein has any for. */
  readonly morePrices?: (provider: string, id: string) => readonly PriceRow[]
}

export interface ConnectOptions {
  readonly provider?: string | undefined
  /** Goes before every other credential and is kept nowhere. */
  readonly apiKey?: string | undefined
  /** A file of credentials instead of the one that all others use; runtime keys and the environment count as ever. */
  readonly credentials?: string | undefined
}

export interface ResolvedModel {
  /** `provider/id`. */
  readonly ref: string
  readonly provider: string
  readonly id: string
  readonly info: ModelInfo
}

/** What `connect` would do, found out without a request. */
export interface ModelCheck extends ResolvedModel {
  readonly route: Route
  readonly credential: Credential['kind'] | null
  readonly source: 'option' | 'runtime' | 'stored' | 'environment' | null
  /** Why `connect` would reject, or `null`. */
  readonly problem: SkeinError | null
}

/** `skein.models`: which models there are, what a reference means, and ports to them. */
export interface Models {
  list(): ModelInfo[]
  /** What a reference means; without one the default model. Throws `model.unknown`, `.unknown_provider` or `.invalid_ref`. */
  resolve(reference?: string | null, options?: { readonly provider?: string | undefined }): ResolvedModel
  check(reference?: string | null, options?: ConnectOptions): Promise<ModelCheck>
  register: Registry['register']
  alias: Registry['alias']
  /**
   * A port to a model. Rejects with what `resolve` throws, `model.provider_missing` (no connector, or a package to install)
   * or `auth.missing`, in this order; asks no provider anything, but to refresh a login that is due (`auth.expired`,
   * `auth.refresh_failed`, `auth.locked`).
   */
  connect(reference?: string | null, options?: ConnectOptions): Promise<ConnectedModel>
  /** A port over a caller's own model, past registry, routes and credentials. */
  override(model: ModelPort | AiSdkModel): ConnectedModel
  /** The same models and credentials; what is registered there is there alone. */
  scope(): Models
  /**
   * The model of a server that was told none: the first of `keyedDefaults` whose provider has a credential, else `demo/echo`,
   * with a notice.
   */
  defaultModel(): Promise<string>
  readonly credentials: Pick<Credentials, 'set' | 'remove' | 'setRuntime'> & {
    /** Which providers have a credential, of which kind and from where. */
    list(): ReturnType<Credentials['list']>
  }
}

/** Tried in this order. */
export const keyedDefaults: readonly string[] = [
  'anthropic/claude-sonnet-4-6',
  'openai/gpt-5.4',
  'google/gemini-2.5-pro',
  'deepseek/deepseek-chat',
  'moonshot/kimi-k2.6',
  'openrouter/google/gemini-3-flash-preview',
  'groq/llama-3.3-70b-versatile',
  'zai/glm-4.7',
]

export function createModels(options: ModelsOptions = {}): Models {
  const { env = {}, clock = systemClock, timers = systemTimers, notice, store, prices: own = [], morePrices } = options
  const demo: Connector = { provider: 'demo', connect: () => demoModel() }
  const runtime = new Map<string, string>()
  const credentials = createCredentials({ env, clock, timers, runtime, ...given({ store }) })
  const files = new Map<string, Credentials>()
  const credentialsAt = (file: string | undefined): Credentials => {
    if (file === undefined) return credentials
    const known = files.get(file) ?? createCredentials({ env, clock, timers, runtime, store: credentialFile(file) })
    files.set(file, known)
    return known
  }

  const modelsOf = (registry: Registry): Models => {
    const resolve: Models['resolve'] = (reference, { provider } = {}) => {
      const info = registry.resolve(reference, { provider })
      return { ref: `${info.provider}/${info.id}`, provider: info.provider, id: info.id, info }
    }
    const pricesOf =
      ({ provider, id, prices = [] }: ModelInfo): PriceSources =>
      at =>
        chooseRows(
          [
            own.filter(row => row.provider === provider && row.model === id),
            prices,
            builtInPrices.filter(row => row.provider === provider && row.model === id),
            morePrices?.(provider, id) ?? [],
          ],
          at,
        )
    const routeTo = async (reference: string | null | undefined, { provider, apiKey, credentials: file }: ConnectOptions) => {
      const found = resolve(reference, { provider })
      const kept = credentialsAt(file)
      const { route, credential } = await routeOf(found.info, askedProvider(reference, provider, found.provider), apiKey, kept)
      const info =
        route.provider === found.provider && route.id === found.id
          ? found.info
          : registry.resolve(`${route.provider}/${route.id}`)
      return { found, route, credential, info, kept, connector: registry.connector(route.provider) }
    }
    const problemOf = ({ route, connector, credential }: Awaited<ReturnType<typeof routeTo>>): SkeinError | null => {
      if (connector === undefined) return noConnector(route.provider)
      if (credential === undefined) return authMissing(route.provider)
      if (credential.kind !== 'oauth' || connector.refresh !== undefined || !isExpired(credential.oauth, clock.now())) return null
      return expired(route.provider, 'its token has expired, and its connector cannot refresh it')
    }

    return {
      list: registry.list,
      resolve,
      register: registry.register,
      alias: registry.alias,
      async check(reference, connect = {}) {
        const target = await routeTo(reference, connect)
        const { credential } = target
        const source = credential === undefined || credential.kind === 'none' ? null : credential.source
        return { ...target.found, route: target.route, credential: credential?.kind ?? null, source, problem: problemOf(target) }
      },
      async connect(reference, connect = {}) {
        const target = await routeTo(reference, connect)
        const { connector, credential, info, kept, route } = target
        const problem = problemOf(target)
        if (problem !== null || connector === undefined || credential === undefined) throw problem ?? noConnector(route.provider)
        const source = dial(connector, info, credential, kept)
        await source.port()
        return connected(source, info, { route, credential: credential.kind, prices: pricesOf(info), timers })
      },
      override: model => override(model, registry, { clock, timers }, pricesOf),
      scope: () => modelsOf(registry.scope()),
      async defaultModel() {
        for (const reference of keyedDefaults) {
          if ((await credentials.find(resolve(reference).provider)) !== undefined) return reference
        }
        notice?.({ level: 'warning', code: 'model.demo', message: demoNotice })
        return 'demo/echo'
      },
      credentials: {
        set: credentials.set,
        remove: credentials.remove,
        setRuntime: credentials.setRuntime,
        list: () => credentials.list([...new Set(registry.list().map(model => model.provider)), 'openai-compatible']),
      },
    }
  }
  return modelsOf(createRegistry([...builtInConnectors({ clock, timers }), demo]))
}

async function routeOf(
  model: ModelInfo,
  asked: string | undefined,
  apiKey: string | undefined,
  credentials: Credentials,
): Promise<{ route: Route; credential: Credential | undefined }> {
  const own = await credentials.find(model.provider, { apiKey })
  const facts = { asked, apiKey: apiKey !== undefined && apiKey.trim() !== '', hasKey: () => own?.kind === 'apiKey' }
  // Only where it decides anything, so that a damaged store is in nobody's way.
  const subscription = subscriptionFor(model.provider)
  const login = subscription === undefined || own?.kind === 'apiKey' ? undefined : await credentials.find(subscription)
  const route = decideRoute(model, { ...facts, hasOAuth: provider => provider === subscription && login?.kind === 'oauth' })
  const credential = route.provider === model.provider ? own : await credentials.find(route.provider, { apiKey })
  return { route, credential }
}

/** Which provider the caller named, in the reference or beside it. */
function askedProvider(reference: string | null | undefined, provider: string | undefined, found: string): string | undefined {
  if (provider !== undefined) return provider.trim().toLowerCase()
  return reference?.toLowerCase().startsWith(`${found}/`) === true && !aggregators.has(found) ? found : undefined
}

const noConnector = (provider: string): SkeinError =>
  new SkeinError('model.provider_missing', `Nothing connects to ${provider}. Register a connector with models.register.`, {
    details: { provider },
  })
