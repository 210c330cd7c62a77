import { type Usage, usageFields } from '#journal'

/** Nothing was reported. */
export const noUsage: Usage = fullUsage({})

/** Usage with `null` for everything that is not said. */
export function fullUsage(known: Partial<Usage>): Usage {
  return Object.fromEntries(usageFields.map(field => [field, known[field] ?? null])) as unknown as Usage
}
