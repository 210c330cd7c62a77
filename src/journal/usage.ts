export const usageFields = [
  'inputTokens',
  'cacheReadTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'outputTokens',
  'reasoningTokens',
] as const

/**
 * Tokens of one model request. `inputTokens` leave cached ones out, `outputTokens` include reasoning;
 * `null` is what the provider did not say. Source: spec/agent.md 4.
 */
export type Usage = { readonly [Field in (typeof usageFields)[number]]: number | null }

/** Usage with `null` for everything that is not said. */
export function fullUsage(known: Partial<Usage>): Usage {
  return usageOf(field => known[field] ?? null)
}

/** Nothing was reported. */
export const noUsage: Usage = fullUsage({})

/** The sum, in which what only one of both says counts as it is. */
export function addUsage(a: Usage, b: Usage): Usage {
  return usageOf(field => (a[field] === null ? b[field] : a[field] + (b[field] ?? 0)))
}

function usageOf(tokens: (field: keyof Usage) => number | null): Usage {
  return Object.fromEntries(usageFields.map(field => [field, tokens(field)])) as Usage
}
