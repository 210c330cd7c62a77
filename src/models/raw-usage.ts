import { fullUsage, type Usage } from '#journal'
import { isObject } from '#kernel'

type Fields = { readonly [name: string]: unknown }

/** What a provider's own stream has said of its usage so far, in its own words. Later chunks win, field by field. */
export interface RawUsage {
  readonly format: 'anthropic' | 'chat' | 'responses' | 'google'
  readonly fields: Fields
}

/**
 * Reads one raw chunk of a stream. Anthropic tells input at `message_start` and output at `message_delta`, OpenAI in its
 * last chunk, Google in every one. Gives `before` back, the same object, if the chunk says nothing of usage.
 */
export function addRawUsage(before: RawUsage | undefined, chunk: unknown): RawUsage | undefined {
  if (!isObject(chunk)) return before
  if (chunk['type'] === 'message_start' && isObject(chunk['message']))
    return merged(before, 'anthropic', chunk['message']['usage'])
  if (chunk['type'] === 'message_delta') return merged(before, 'anthropic', chunk['usage'])
  if (isObject(chunk['usageMetadata'])) return merged(before, 'google', chunk['usageMetadata'])
  if (isObject(chunk['response'])) return merged(before, 'responses', chunk['response']['usage'])
  return merged(before, 'chat', chunk['usage'])
}

function merged(before: RawUsage | undefined, format: RawUsage['format'], usage: unknown): RawUsage | undefined {
  if (!isObject(usage)) return before
  const said = Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null && value !== undefined))
  return { format, fields: { ...before?.fields, ...said } }
}

/** The same in our words: input without cached tokens, output with reasoning. `ttl` is how long written tokens were asked to live. */
export function usageOfRaw({ format, fields }: RawUsage, ttl: '5m' | '1h'): Usage {
  switch (format) {
    case 'anthropic':
      return fullUsage({
        inputTokens: count(fields, 'input_tokens'),
        cacheReadTokens: count(fields, 'cache_read_input_tokens'),
        ...splitWrites(count(fields, 'cache_creation_input_tokens'), fields, ttl),
        outputTokens: count(fields, 'output_tokens'),
        reasoningTokens: count(within(fields, 'output_tokens_details'), 'thinking_tokens'),
      })
    case 'google': {
      const prompt = sum(count(fields, 'promptTokenCount'), count(fields, 'toolUsePromptTokenCount'))
      const read = count(fields, 'cachedContentTokenCount')
      const reasoning = count(fields, 'thoughtsTokenCount')
      return fullUsage({
        inputTokens: without(prompt, read, null),
        cacheReadTokens: read,
        outputTokens: sum(count(fields, 'candidatesTokenCount'), reasoning),
        reasoningTokens: reasoning,
      })
    }
    case 'chat':
    case 'responses': {
      const [input, output] = format === 'chat' ? ['prompt', 'completion'] : ['input', 'output']
      const details = within(fields, `${input}_tokens_details`)
      // DeepSeek's chat format has its own name for what was read from the cache.
      const read = count(details, 'cached_tokens') ?? count(fields, 'prompt_cache_hit_tokens')
      const written = count(details, 'cache_write_tokens')
      return fullUsage({
        inputTokens: without(count(fields, `${input}_tokens`), read, written),
        cacheReadTokens: read,
        ...splitWrites(written, fields, ttl),
        outputTokens: count(fields, `${output}_tokens`),
        reasoningTokens: count(within(fields, `${output}_tokens_details`), 'reasoning_tokens'),
      })
    }
    default:
      return format satisfies never
  }
}

/** Splits written tokens by lifetime: as Anthropic's raw `cache_creation` says, else all to what was asked for. */
export function splitWrites(
  written: number | null,
  raw: unknown,
  ttl: '5m' | '1h',
): Pick<Usage, 'cacheWrite5mTokens' | 'cacheWrite1hTokens'> {
  if (written === null) return { cacheWrite5mTokens: null, cacheWrite1hTokens: null }
  const told = count(within(isObject(raw) ? raw : {}, 'cache_creation'), 'ephemeral_1h_input_tokens')
  const long = Math.min(told ?? (ttl === '1h' ? written : 0), written)
  return { cacheWrite5mTokens: written - long, cacheWrite1hTokens: long }
}

/** A total without its cached parts; never negative. */
export function without(total: number | null, read: number | null, written: number | null): number | null {
  return total === null ? null : Math.max(0, total - (read ?? 0) - (written ?? 0))
}

/** A token count, or `null` for anything that is none. */
export function count(fields: Fields, name: string): number | null {
  const value = fields[name]
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.trunc(value) : null
}

const within = (fields: Fields, name: string): Fields => {
  const value = fields[name]
  return isObject(value) ? value : {}
}

const sum = (a: number | null, b: number | null): number | null => (a === null && b === null ? null : (a ?? 0) + (b ?? 0))
