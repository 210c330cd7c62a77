import type { ContextBudget } from '#journal'

export const assumedWindow = 128_000

/** A window less the answer and a buffer. Law C7. */
export function contextBudget(
  model: { readonly contextWindow?: number; readonly maxOutput?: number },
  { maxTokens, buffer: asked }: { readonly maxTokens?: number | undefined; readonly buffer?: number | undefined } = {},
): ContextBudget {
  const told = sizeOf(model.contextWindow)
  const window = told ?? assumedWindow
  const reservedOutput = maxTokens ?? Math.min(sizeOf(model.maxOutput) ?? 4_096, 20_000, Math.floor(window / 4))
  const buffer = asked ?? Math.min(20_000, Math.floor(window / 10))
  return {
    window,
    reservedOutput,
    buffer,
    usable: Math.max(0, window - reservedOutput - buffer),
    assumed: told === undefined,
  }
}

/** What a model says of itself, if it is a size at all. */
const sizeOf = (told: number | undefined): number | undefined =>
  told !== undefined && Number.isSafeInteger(told) && told >= 0 ? told : undefined
