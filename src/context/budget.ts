/**
 * Tokens that a context may take. `usable = window − reservedOutput − buffer`, never negative; an unknown window is
 * 128,000 and says so. Source: spec/context.md 1, law C7.
 */
export interface ContextBudget {
  readonly window: number
  readonly reservedOutput: number
  readonly buffer: number
  readonly usable: number
  readonly assumed: boolean
}

export const assumedWindow = 128_000

export function contextBudget(
  model: { readonly contextWindow?: number; readonly maxOutput?: number },
  { maxTokens, buffer: asked }: { readonly maxTokens?: number | undefined; readonly buffer?: number | undefined } = {},
): ContextBudget {
  const window = model.contextWindow ?? assumedWindow
  const reservedOutput = maxTokens ?? Math.min(model.maxOutput ?? 4_096, 20_000, Math.floor(window / 4))
  const buffer = asked ?? Math.min(20_000, Math.floor(window / 10))
  return {
    window,
    reservedOutput,
    buffer,
    usable: Math.max(0, window - reservedOutput - buffer),
    assumed: model.contextWindow === undefined,
  }
}
