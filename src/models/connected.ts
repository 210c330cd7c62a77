import { type Clock, SkeinError } from '#kernel'
import type { Usage } from '#journal'
import { type Cost, costOf, type PriceSources } from './cost.ts'
import { fromAiSdk } from './from-ai-sdk.ts'
import type { AiSdkModel, ModelEvent, ModelInfo, ModelPort, ModelRequest } from './port.ts'
import type { Registry } from './registry.ts'
import type { Route } from './route.ts'
import { isAiSdkModel } from './sdk-options.ts'

/** A port that is ready for a run: everything about its model is known, and what its requests cost. */
export interface ConnectedModel extends ModelPort {
  readonly info: ModelInfo
  readonly route: Route | { readonly provider: string; readonly id: string; readonly reason: 'override' }
  /** How it was authorised; never a secret. */
  readonly credential: 'none' | 'apiKey' | 'oauth' | 'override'
  /** What a request that started at `at` cost. Prices `null` where they are unknown. */
  cost(usage: Usage, at: number): Cost
}

/** Window of a model that does not tell its own. Law P31. */
export const assumedWindow = 128_000

/**
 * What is known of an override: its own `info`, then the registry's row of its provider and id, then defaults: no prices, a
 * window of 128,000 (`assumed`), output of at most a quarter of it. Law P31.
 */
export function completeInfo(
  port: Pick<ModelPort, 'provider' | 'modelId' | 'info'>,
  registry: Pick<Registry, 'find'>,
): ModelInfo {
  const own = port.info ?? {}
  const provider = own.provider ?? port.provider
  const id = own.id ?? port.modelId
  const row = registry.find(provider, id)
  const contextWindow = own.contextWindow ?? row?.contextWindow
  const window = contextWindow ?? assumedWindow
  return {
    ...row,
    ...own,
    provider,
    id,
    name: own.name ?? row?.name ?? id,
    contextWindow: window,
    maxOutput: own.maxOutput ?? row?.maxOutput ?? Math.min(32_000, Math.floor(window / 4)),
    capabilities: { ...row?.capabilities, ...own.capabilities },
    ...(contextWindow === undefined ? { assumed: true } : {}),
  }
}

/** A request without what its model is known not to take: tools (`false`), thinking (not `true`). Law P31. */
export function fitRequest(request: ModelRequest, { capabilities }: Pick<ModelInfo, 'capabilities'>): ModelRequest {
  const { thinking, ...rest } = request
  return {
    ...rest,
    ...(thinking !== undefined && capabilities.reasoning === true ? { thinking } : {}),
    tools: capabilities.tools === false ? [] : request.tools,
  }
}

/** Wraps a port so that requests fit its model and no secret of its credential is in a failure. Law P12. */
export function connected(
  port: ModelPort,
  info: ModelInfo,
  known: Pick<ConnectedModel, 'route' | 'credential'> & { readonly prices: PriceSources; readonly secret?: string | undefined },
): ConnectedModel {
  const { route, credential, prices, secret } = known
  const billing = credential === 'oauth' ? ('subscription' as const) : info.billing
  return {
    provider: info.provider,
    modelId: info.id,
    info,
    route,
    credential,
    cost: (usage, at) => costOf(usage, prices(at), at, { billing }),
    async *stream(request, signal) {
      for await (const event of port.stream(fitRequest(request, info), signal)) yield withoutSecret(event, secret)
    },
  }
}

/** A model object or port that a caller brought: no registry entry, route or credential is needed. */
export function override(
  model: ModelPort | AiSdkModel,
  registry: Pick<Registry, 'find'>,
  clock: Clock,
  prices: (info: ModelInfo) => PriceSources,
): ConnectedModel {
  const port = isAiSdkModel(model) ? fromAiSdk(model, {}, { clock }) : model
  const info = completeInfo(port, registry)
  const ready = isAiSdkModel(model) ? fromAiSdk(model, info, { clock }) : port
  const route = { provider: info.provider, id: info.id, reason: 'override' } as const
  return connected(ready, info, { route, credential: 'override', prices: prices(info) })
}

function withoutSecret(event: ModelEvent, secret: string | undefined): ModelEvent {
  if (event.type !== 'failed' || secret === undefined || !event.error.message.includes(secret)) return event
  const { code, message, details } = event.error
  return { type: 'failed', error: new SkeinError(code, message.replaceAll(secret, '[REDACTED]'), { details }) }
}
