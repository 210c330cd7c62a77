import { given, isObject } from '#kernel'
import type { AiSdkModel, ModelInfo, ModelRequest, ThinkingLevel } from './port.ts'
import { mergeOptions, type ProviderOptions, type SdkMessage, sdkPrompt, type SdkVersion } from './sdk-prompt.ts'

/** Tokens to think with, per level. Source: spec/agent.md 4. */
const anthropicBudgets = { minimal: 1_024, low: 4_096, medium: 10_000, high: 32_000, xhigh: 100_000 } as const
const googleBudgets = { minimal: 1_024, low: 4_096, medium: 10_000, high: 24_576 } as const
const openaiEfforts = { minimal: 'low', low: 'low', medium: 'medium', high: 'high', xhigh: 'high' } as const
/** An answer of this many tokens must fit beside the thinking. */
const answerTokens = 1_024

type Target = Pick<AiSdkModel, 'provider' | 'modelId'> & { readonly version: SdkVersion; readonly info: Partial<ModelInfo> }
interface Thinking {
  readonly reasoning?: string
  readonly providerOptions?: ProviderOptions
  readonly maxOutputTokens?: number
}

/**
 * A request as the options of `doStream`, all but the signal. Pure.
 * Tools are left out for a model that is known to take none, thinking for one that is not known to reason (law P31).
 * OpenAI is asked not to keep responses: its encrypted reasoning comes back in ours instead. `request.providerOptions` win.
 */
export function sdkOptions(request: ModelRequest, target: Target): Record<string, unknown> {
  const { info } = target
  const thinking = info.capabilities?.reasoning === true && request.thinking !== undefined ? thinkingOf(request, target) : {}
  const maxOutputTokens = thinking.maxOutputTokens ?? request.maxTokens
  const tools = info.capabilities?.tools === false ? [] : toolsOf(request)
  const unkept: ProviderOptions = familyOf(target) === 'openai' ? { openai: { store: false } } : {}
  const providerOptions = mergeOptions(mergeOptions(unkept, thinking.providerOptions ?? {}), request.providerOptions ?? {})
  const marks = familyOf(target) === 'anthropic' && request.cache !== undefined ? markOf(request.cache.ttl) : undefined
  return {
    prompt: promptOf(request, target, marks),
    includeRawChunks: true,
    ...(tools.length === 0 ? {} : { tools: marked(tools, tools.length - 1, marks), toolChoice: { type: 'auto' } }),
    ...given({ maxOutputTokens, temperature: request.temperature, reasoning: thinking.reasoning }),
    ...(Object.keys(providerOptions).length === 0 ? {} : { providerOptions }),
  }
}

type Family = 'anthropic' | 'openai' | 'google' | 'other'

/** Whose options a model understands, from what its SDK object calls its provider, e.g. `google.generative-ai`. */
export function familyOf({ provider }: Pick<AiSdkModel, 'provider'>): Family {
  const name = provider.split('.')[0] ?? ''
  return name === 'anthropic' || name === 'openai' || name === 'google' ? name : 'other'
}

function promptOf(request: ModelRequest, target: Target, mark: ProviderOptions | undefined): SdkMessage[] {
  const { system, messages, cache } = request
  const head: SdkMessage[] = system == null || system === '' ? [] : [{ role: 'system', content: system.toWellFormed() }]
  // Chat formats write a result as one text.
  const filesInResults = familyOf(target) !== 'other' && !target.provider.endsWith('.chat')
  const prefill = sdkPrompt(messages.slice(0, cache?.prefill ?? 0), target.version, { filesInResults })
  const rest = sdkPrompt(messages.slice(cache?.prefill ?? 0), target.version, { filesInResults })
  const prompt = [...head, ...prefill, ...rest]
  const ends = new Set([head.length - 1, head.length + prefill.length - 1, prompt.length - 1])
  return [...ends].reduce((all, end) => marked(all, end, mark), prompt)
}

const toolsOf = ({ tools }: ModelRequest): { type: string; providerOptions?: ProviderOptions }[] =>
  tools.map(({ name, description, inputSchema }) => ({ type: 'function', name, description, inputSchema }))

const markOf = (ttl: '5m' | '1h'): ProviderOptions => ({
  anthropic: { cacheControl: ttl === '1h' ? { type: 'ephemeral', ttl } : { type: 'ephemeral' } },
})

function marked<T extends { readonly providerOptions?: ProviderOptions }>(
  items: readonly T[],
  at: number,
  mark: ProviderOptions | undefined,
): T[] {
  return items.map((item, index) => (index === at && mark !== undefined ? { ...item, providerOptions: mark } : item))
}

/** v4 objects map levels themselves; older ones get what each provider's options call it. */
function thinkingOf(request: ModelRequest, target: Target): Thinking {
  const level = request.thinking ?? 'medium'
  if (target.version === 'v4') return { reasoning: level === 'off' ? 'none' : level }
  switch (familyOf(target)) {
    case 'anthropic':
      return anthropicThinking(level, request, target.info)
    case 'openai':
      return level === 'off' ? {} : { providerOptions: { openai: { reasoningEffort: openaiEfforts[level] } } }
    case 'google': {
      const pro = target.modelId.includes('pro')
      // The pro models cannot stop thinking.
      if (level === 'off' && pro) return {}
      const thinkingBudget = level === 'off' ? 0 : level === 'xhigh' ? (pro ? 32_768 : 24_576) : googleBudgets[level]
      return { providerOptions: { google: { thinkingConfig: { thinkingBudget, includeThoughts: level !== 'off' } } } }
    }
    default:
      return {}
  }
}

function anthropicThinking(level: ThinkingLevel, request: ModelRequest, info: Partial<ModelInfo>): Thinking {
  if (level === 'off') return { providerOptions: { anthropic: { thinking: { type: 'disabled' } } } }
  const most = info.maxOutput ?? Number.MAX_SAFE_INTEGER
  const budgetTokens = Math.max(1_024, Math.min(anthropicBudgets[level], most - answerTokens))
  const all = Math.min(Math.max(request.maxTokens ?? 0, budgetTokens + answerTokens), most)
  return {
    providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens } } },
    // The SDK adds the thinking budget to what it is told.
    maxOutputTokens: Math.max(1, all - budgetTokens),
  }
}

/** True for what `fromAiSdk` takes: a specification version that it reads, and `doStream`. */
export function isAiSdkModel(value: unknown): value is AiSdkModel {
  return isObject(value) && typeof value['specificationVersion'] === 'string' && typeof value['doStream'] === 'function'
}
