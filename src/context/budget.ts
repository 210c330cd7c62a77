import type { ContextBudget } from '#journal'

export const assumedWindow = 128_000

/** A window less the answer and a buffer. Law C7. */
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
