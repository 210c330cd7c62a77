import { z } from '@hono/zod-openapi'

/** A whole number in a query. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d{1,16}$/, 'Expected a whole number.')
    .transform(Number)
    .refine(value => value >= min && value <= max, `Expected ${min} to ${max}.`)
    .openapi({ type: 'integer', minimum: min, maximum: max })
}

/** `true` or `false` in a query. */
export function flag(): z.ZodType<boolean, 'true' | 'false'> {
  return z
    .enum(['true', 'false'])
    .transform(value => value === 'true')
    .openapi({ type: 'boolean' })
}

/** A list in a query: given once with commas, or more than once. */
export function words(): z.ZodType<string[], string | string[]> {
  return z
    .union([z.string(), z.array(z.string())])
    .transform(value => (Array.isArray(value) ? value : [value]).flatMap(text => text.split(',')))
    .openapi({ type: 'array', items: { type: 'string' } })
}
