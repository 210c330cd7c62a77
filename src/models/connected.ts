import { type Clock, type Timers, unlessAborted } from '#kernel'
import type { Usage } from '#journal'
import { type Cost, costOf, type PriceSources } from './cost.ts'
import { fromAiSdk } from './from-ai-sdk.ts'
import type { AiSdkModel, ModelEvent, ModelInfo, ModelPort, ModelRequest } from './port.ts'
import { redactedError, redactedThrow } from './redact.ts'
import type { Registry } from './registry.ts'
import type { Route } from './route.ts'
import { isAiSdkModel } from './sdk-options.ts'
import { heard } from './silence.ts'

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

/** Where the port for the next request comes from. */
export interface PortSource {
  /** Rejects where there is none now, e.g. because a login could not be refreshed. */
  port(): Promise<ModelPort>
  /** What must not be in any failure. */
  secrets(): readonly string[]
}

/** What stands beside a port's model. */
export type Known = Pick<ConnectedModel, 'route' | 'credential'> & { readonly prices: PriceSources; readonly timers: Timers }

/**
 * Wraps a port so that requests fit its model, a silent provider fails after 300 s, and no secret of its credential is in a
 * failure. Whatever the port or its source throws is a `failed` event, but for an aborted signal's reason. Law P12.
 */
export function connected(source: PortSource, info: ModelInfo, { route, credential, prices, timers }: Known): ConnectedModel {
  const billing = credential === 'oauth' ? ('subscription' as const) : info.billing
  return {
    provider: info.provider,
    modelId: info.id,
    info,
    route,
    credential,
    cost: (usage, at) => costOf(usage, prices(at), at, { billing }),
    async *stream(request, signal) {
      try {
        const port = await unlessAborted(source.port(), signal)
        for await (const event of heard(port, fitRequest(request, info), signal, timers)) yield withoutSecrets(event, source)
      } catch (thrown) {
        signal.throwIfAborted()
        yield { type: 'failed', error: redactedThrow(thrown, source.secrets()) }
      }
    },
  }
}

/** A model object or port that a caller brought: no registry entry, route or credential is needed. */
export function override(
  model: ModelPort | AiSdkModel,
  registry: Pick<Registry, 'find'>,
  { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
  prices: (info: ModelInfo) => PriceSources,
): ConnectedModel {
  const port = isAiSdkModel(model) ? fromAiSdk(model, {}, { clock, timers }) : model
  const info = completeInfo(port, registry)
  const ready = isAiSdkModel(model) ? fromAiSdk(model, info, { clock, timers }) : port
  const route = { provider: info.provider, id: info.id, reason: 'override' } as const
  const source = { port: () => Promise.resolve(ready), secrets: () => [] }
  return connected(source, info, { route, credential: 'override', prices: prices(info), timers })
}

function withoutSecrets(event: ModelEvent, source: PortSource): ModelEvent {
  if (event.type !== 'failed') return event
  const error = redactedError(event.error, source.secrets())
  return error === event.error ? event : { type: 'failed', error }
}
