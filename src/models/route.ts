import { builtInModels, subscriptionOf } from './catalog.ts'
import type { ModelInfo } from './port.ts'

/** Where a request really goes, and why. Recorded with each run. */
export interface Route {
  readonly provider: string
  readonly id: string
  readonly reason: 'named' | 'only_oauth' | 'subscription_id'
}

export interface RouteFacts {
  /** The provider that the reference or the caller named, if any. */
  readonly asked?: string | undefined
  /** A key came with the call itself. */
  readonly apiKey: boolean
  hasKey(provider: string): boolean
  hasOAuth(provider: string): boolean
}

const idsOf = (provider: string): ReadonlySet<string> =>
  new Set(builtInModels.filter(model => model.provider === provider).map(model => model.id))

const codexIds = idsOf('openai-codex')
const moonshotIds = idsOf('moonshot')

/** The provider whose subscription a provider's models may be had by. */
export const subscriptionFor = (provider: string): string | undefined =>
  Object.keys(subscriptionOf).find(seller => subscriptionOf[seller] === provider)

/** Decides the route of a run. OAuth is taken only where there is no key. Pure. Source: spec/agent.md 2, laws P6–P9. */
export function decideRoute({ provider, id }: Pick<ModelInfo, 'provider' | 'id'>, facts: RouteFacts): Route {
  const named: Route = { provider, id, reason: 'named' }
  const unkeyed = (facts.asked === undefined || facts.asked === provider) && !facts.apiKey && !facts.hasKey(provider)
  if (provider === 'openai' && unkeyed && codexIds.has(id) && facts.hasOAuth('openai-codex')) {
    return { provider: 'openai-codex', id, reason: 'only_oauth' }
  }
  if (provider === 'moonshot' && unkeyed && moonshotIds.has(id) && facts.hasOAuth('kimi-code')) {
    return { provider: 'kimi-code', id: 'kimi2.6', reason: 'only_oauth' }
  }
  if (provider === 'kimi-code' && moonshotIds.has(id)) return { provider, id: 'kimi2.6', reason: 'subscription_id' }
  return named
}
