import { fullUsage, type Usage, usageFields } from '#journal'
import { isObject } from '#kernel'
import { count, type RawUsage, splitWrites, usageOfRaw, without } from './raw-usage.ts'

type Fields = { readonly [name: string]: unknown }

/**
 * The usage of a `finish` part. v3 and v4 tell totals with their parts; v2 tells flat numbers, where only Anthropic's
 * input leaves cached tokens out. What it leaves open is filled from the raw usage. Laws P27, P34.
 */
export function usageOfFinish(
  told: unknown,
  { provider, raw, ttl }: { provider: string; raw: RawUsage | undefined; ttl: '5m' | '1h' },
): Usage {
  const known = raw === undefined ? fullUsage({}) : usageOfRaw(raw, ttl)
  if (!isObject(told)) return known
  const usage =
    isObject(told['inputTokens']) || isObject(told['outputTokens']) ? nested(told, raw, ttl) : flat(told, known, provider)
  return fullUsage(Object.fromEntries(usageFields.map(field => [field, usage[field] ?? known[field]])))
}

function nested(told: Fields, raw: RawUsage | undefined, ttl: '5m' | '1h'): Partial<Usage> {
  const input = isObject(told['inputTokens']) ? told['inputTokens'] : {}
  const output = isObject(told['outputTokens']) ? told['outputTokens'] : {}
  const read = count(input, 'cacheRead')
  const written = count(input, 'cacheWrite')
  return {
    inputTokens: count(input, 'noCache') ?? without(count(input, 'total'), read, written),
    cacheReadTokens: read,
    ...splitWrites(written, raw?.fields ?? told['raw'], ttl),
    outputTokens: count(output, 'total'),
    reasoningTokens: count(output, 'reasoning'),
  }
}

function flat(told: Fields, known: Usage, provider: string): Partial<Usage> {
  const read = count(told, 'cachedInputTokens')
  const input = count(told, 'inputTokens')
  return {
    inputTokens: provider.startsWith('anthropic') ? input : without(input, read, null),
    cacheReadTokens: read,
    // v2 leaves Google's thoughts out of the output; the raw usage has both.
    outputTokens: known.outputTokens ?? count(told, 'outputTokens'),
    reasoningTokens: count(told, 'reasoningTokens'),
  }
}
