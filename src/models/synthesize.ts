import type { ModelInfo } from './port.ts'

/**
 * A model that no table has, from the look of its id: provider, window and output are what its family has; unpriced.
 * With an explicit provider any id is taken. `undefined`: the id looks like nothing. Source: spec/agent.md 2, law P4.
 */
export function synthesize(id: string, provider?: string): ModelInfo | undefined {
  const family = familyOf(id)
  const home = provider ?? family?.provider
  if (home === undefined) return undefined
  const [contextWindow, maxOutput] = family !== undefined && family.provider === home ? family.size : [200_000, 16_384]
  return { provider: home, id, name: id, contextWindow, maxOutput, capabilities: {}, synthesized: true }
}

function familyOf(id: string): { provider: string; size: readonly [number, number] } | undefined {
  const name = id.toLowerCase()
  if (/^(gpt-|chatgpt|o1|o3|o4)/.test(name) || name.includes('codex')) return { provider: 'openai', size: openaiSize(name) }
  if (name.startsWith('claude')) return { provider: 'anthropic', size: [200_000, 64_000] }
  if (name.startsWith('gemini')) return { provider: 'google', size: [1_048_576, 65_536] }
  if (/^(kimi|moonshot)/.test(name)) return { provider: 'moonshot', size: [256_000, 16_384] }
  if (name.startsWith('glm')) return { provider: 'zai', size: [200_000, 16_384] }
  return undefined
}

function openaiSize(name: string): readonly [number, number] {
  if (name.startsWith('gpt-5') || name.includes('codex')) return [400_000, 128_000]
  if (name.startsWith('gpt-4o')) return [128_000, 16_384]
  if (/^o[134]/.test(name)) return [200_000, 100_000]
  return [200_000, 16_384]
}
