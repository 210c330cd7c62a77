import { demoInfo } from './demo.ts'
import type { Capabilities, ModelInfo } from './port.ts'
import { builtInPrices } from './price-table.ts'

type Size = readonly [contextWindow: number, maxOutput: number]

const all: Capabilities = { reasoning: true, images: true, tools: true }
const text: Capabilities = { tools: true }
const thinker: Capabilities = { reasoning: true, tools: true }

const model = (
  provider: string,
  id: string,
  size: Size,
  capabilities: Capabilities,
  more: Partial<ModelInfo> = {},
): ModelInfo => {
  const prices = builtInPrices.filter(row => row.provider === provider && row.model === id)
  const [contextWindow, maxOutput] = size
  return { provider, id, name: id, contextWindow, maxOutput, capabilities, ...(prices.length > 0 ? { prices } : {}), ...more }
}

const gpt = (provider: string, more: Partial<ModelInfo> = {}): ModelInfo[] => [
  model(provider, 'gpt-5.4', [1_050_000, 128_000], all, more),
  model(provider, 'gpt-5.4-mini', [400_000, 128_000], all, more),
  model(provider, 'gpt-5.4-nano', [400_000, 128_000], all, more),
  model(provider, 'gpt-5.3-chat-latest', [128_000, 16_384], { images: true, tools: true }, more),
  model(provider, 'gpt-5.3-codex', [400_000, 128_000], all, more),
  model(provider, 'gpt-5.3-codex-spark', [128_000, 16_384], thinker, more),
]
const subscription = { billing: 'subscription' } as const

/** Models that Skein knows by heart, in the order in which a bare id is looked up. Source: spec/agent.md 2. */
export const builtInModels: readonly ModelInfo[] = [
  model('anthropic', 'claude-opus-4-6', [1_000_000, 128_000], all),
  model('anthropic', 'claude-sonnet-4-6', [1_000_000, 128_000], all),
  model('anthropic', 'claude-haiku-4-5-20251001', [200_000, 64_000], all),
  ...gpt('openai'),
  ...gpt('openai-codex', subscription),
  model('openai-codex', 'gpt-5.5', [400_000, 128_000], all, subscription),
  model('google', 'gemini-2.5-pro', [1_048_576, 65_536], all),
  model('google', 'gemini-2.5-flash', [1_048_576, 65_536], all),
  model('deepseek', 'deepseek-chat', [64_000, 8_192], text),
  model('deepseek', 'deepseek-reasoner', [64_000, 8_192], thinker),
  model('moonshot', 'kimi-k2.6', [256_000, 32_768], thinker),
  model('moonshot', 'kimi-k2.5', [256_000, 32_768], thinker),
  model('moonshot', 'kimi-k2-thinking', [256_000, 32_768], thinker),
  model('moonshot', 'kimi-k2-thinking-turbo', [256_000, 32_768], thinker),
  model('moonshot', 'kimi-k2-0905-preview', [256_000, 16_384], text),
  model('moonshot', 'kimi-k2-turbo-preview', [256_000, 16_384], text),
  model('kimi-code', 'kimi2.6', [262_144, 16_384], thinker, subscription),
  model('kimi-code', 'kimi-for-coding', [262_144, 16_384], thinker, subscription),
  model('openrouter', 'google/gemini-3-flash-preview', [1_048_576, 65_536], all),
  model('openrouter', 'google/gemini-3.1-flash-lite-preview', [1_048_576, 65_536], all),
  model('groq', 'llama-3.3-70b-versatile', [128_000, 32_768], text),
  model('zai', 'glm-4.7', [200_000, 16_384], thinker),
  demoInfo,
]

/** Providers that exist without a model in the table. */
export const bareProviders: readonly string[] = ['openai-compatible']

/** Aggregators take a whole reference as an id, so that their ids may begin with another provider's name. */
export const aggregators: ReadonlySet<string> = new Set(['openrouter', 'groq'])

/** Providers that sell another one's models by subscription. */
export const subscriptionOf: { readonly [provider: string]: string | undefined } = {
  'openai-codex': 'openai',
  'kimi-code': 'moonshot',
}

const names = (target: string, ...aliases: string[]): [string, string][] => aliases.map(alias => [alias, target])

/** Short names, lower case, and the models that they stand for. */
export const builtInAliases: ReadonlyMap<string, string> = new Map([
  ...names('anthropic/claude-sonnet-4-6', 'sonnet', 'claude-sonnet', 'sonnet-4.6', 'claude-sonnet-4.6'),
  ...names('anthropic/claude-haiku-4-5-20251001', 'haiku', 'claude-haiku', 'haiku-4.5', 'claude-haiku-4.5'),
  ...names('anthropic/claude-opus-4-6', 'opus', 'claude-opus', 'opus-4.6', 'claude-opus-4.6'),
  ...names('openai/gpt-5.4', 'gpt5', 'gpt-5', 'gpt5.4'),
  ...names('openai/gpt-5.4-mini', 'gpt5mini', 'gpt-5-mini'),
  ...names('openai/gpt-5.4-nano', 'gpt5nano'),
  ...names('openai-codex/gpt-5.5', 'gpt5.5', 'chatgpt5.5', 'chatgpt-5.5'),
  ...names('openai/gpt-5.3-chat-latest', 'chatgpt', 'chatgpt-latest', 'gpt5chat'),
  ...names('openai/gpt-5.3-codex', 'codex', 'gpt5codex'),
  ...names('openai/gpt-5.3-codex-spark', 'spark', 'codex-spark'),
  ...names('google/gemini-2.5-pro', 'gemini-pro'),
  ...names('google/gemini-2.5-flash', 'gemini-flash'),
  ...names('deepseek/deepseek-chat', 'deepseek', 'deepseek-v3'),
  ...names('deepseek/deepseek-reasoner', 'deepseek-r1'),
  ...names('moonshot/kimi-k2.6', 'kimi'),
  ...names('moonshot/kimi-k2-0905-preview', 'kimi-k2', 'kimi-k2-0905'),
  ...names('moonshot/kimi-k2-turbo-preview', 'kimi-k2-turbo'),
  ...names('moonshot/kimi-k2-thinking', 'kimi-thinking'),
  ...names('moonshot/kimi-k2-thinking-turbo', 'kimi-thinking-turbo'),
  ...names('kimi-code/kimi2.6', 'kimi-code'),
  ...names('groq/llama-3.3-70b-versatile', 'llama-groq'),
  ...names('zai/glm-4.7', 'glm'),
])

/** The model where nobody names one. Law P1. */
export const defaultReference = 'sonnet'
