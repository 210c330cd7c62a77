import { type ErrorCode, given, isObject, isSkeinError, SkeinError } from '#kernel'

/** HTTP statuses after which the same request may succeed. Source: spec/agent.md 4. */
export const retryableStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 529])

const overflowText =
  /context.?(length|window)|(exceed|maximum).{0,20}context|prompt is too long|input is too long|too many input tokens|token count.{0,40}exceed|reduce the length/i
const transientTypes = /overloaded|rate.?limit|server_error|api_error|internal|unavailable|timeout/i
/** What SDKs throw for an answer that they cannot make sense of: like a cut one, it may come whole the next time. */
const brokenAnswer = /JSONParseError|TypeValidationError|InvalidResponseDataError|EmptyResponseBodyError/

export interface ErrorPlace {
  readonly provider: string
  readonly model: string
  /** Epoch milliseconds, for a `Retry-After` that is a date. */
  readonly now: number
  /** The provider had begun to answer: a lost connection is then a truncated answer. */
  readonly begun: boolean
}

/**
 * Whatever a provider or its SDK threw or streamed, as one of five codes: `auth.rejected` (401, 403), `provider.overflow`,
 * `provider.unavailable` (retryable; `details.retryAfterMs` if told), `provider.truncated` (retryable), `provider.rejected`.
 * `details` have `provider`, `model` and, if known, `status` and `type`; request and response bodies are never kept.
 */
export function providerError(thrown: unknown, place: ErrorPlace): SkeinError {
  if (isSkeinError(thrown)) return thrown
  const { provider, model } = place
  const status = statusOf(thrown)
  const type = typeOf(thrown)
  const text = messageOf(thrown)
  const code = codeOf(thrown, status, type, text, place.begun)
  const retryAfterMs = code === 'provider.unavailable' ? retryAfter(thrown, place.now) : undefined
  const details = {
    provider,
    model,
    ...given({ status, type, retryAfterMs }),
  }
  const where = status === undefined ? provider : `${provider} (${status})`
  return new SkeinError(code, `${introductions[code]} ${where}: ${text}`, { details })
}

type ProviderCode = Extract<ErrorCode, `provider.${string}` | 'auth.rejected'>
const introductions: Record<ProviderCode, string> = {
  'auth.rejected': 'Auth failed for',
  'provider.overflow': 'Context too long for',
  'provider.rejected': 'Request refused by',
  'provider.truncated': 'Answer cut short by',
  'provider.unavailable': 'Unavailable now:',
}

/** An answer that stopped before its end, for no reason that a provider gave. */
export function truncated(place: Pick<ErrorPlace, 'provider' | 'model'>, rawFinishReason?: string): SkeinError {
  const why = rawFinishReason === undefined ? 'it stopped without a finish reason' : `it ended with ${rawFinishReason}`
  return new SkeinError('provider.truncated', `Answer cut short by ${place.provider}: ${why}.`, {
    details: {
      provider: place.provider,
      model: place.model,
      ...given({ rawFinishReason }),
    },
  })
}

function codeOf(
  thrown: unknown,
  status: number | undefined,
  type: string | undefined,
  text: string,
  begun: boolean,
): ProviderCode {
  if (status === 401 || status === 403 || type === 'authentication_error') return 'auth.rejected'
  const mayOverflow = status === undefined || status === 400 || status === 413 || status === 422
  if (mayOverflow && (type === 'context_length_exceeded' || overflowText.test(text))) return 'provider.overflow'
  if (status !== undefined) return retryableStatuses.has(status) ? 'provider.unavailable' : 'provider.rejected'
  if (isConnectionError(thrown)) return begun ? 'provider.truncated' : 'provider.unavailable'
  if (thrown instanceof Error && brokenAnswer.test(thrown.name)) return 'provider.truncated'
  return type !== undefined && transientTypes.test(type) ? 'provider.unavailable' : 'provider.rejected'
}

/** What a provider said inside its body, e.g. `{ error: { type, message } }`, or a stream's error frame. */
function bodyOf(thrown: unknown): Record<string, unknown> {
  if (!isObject(thrown)) return {}
  for (const data of [thrown['data'], parsed(thrown['responseBody']), thrown]) {
    if (!isObject(data)) continue
    const error = isObject(data['error']) ? data['error'] : isObject(data['response']) ? data['response']['error'] : undefined
    if (isObject(error)) return error
  }
  return thrown
}

/** A body that the SDK could not make sense of, as proxies send them. */
function parsed(body: unknown): unknown {
  try {
    return typeof body === 'string' ? (JSON.parse(body) as unknown) : undefined
  } catch {
    return undefined
  }
}

function statusOf(thrown: unknown): number | undefined {
  const status = isObject(thrown) ? thrown['statusCode'] : undefined
  const inBody = bodyOf(thrown)['code']
  const found = typeof status === 'number' ? status : typeof inBody === 'number' ? inBody : undefined
  return found !== undefined && found >= 400 && found <= 599 ? found : undefined
}

function typeOf(thrown: unknown): string | undefined {
  const body = bodyOf(thrown)
  const told = [body['code'], body['type'], body['status']].find(value => typeof value === 'string' && value !== 'error')
  return typeof told === 'string' ? told : undefined
}

function messageOf(thrown: unknown): string {
  const told = bodyOf(thrown)['message']
  if (typeof told === 'string' && told !== '') return told.slice(0, 2_000)
  if (thrown instanceof Error) return thrown.message.slice(0, 2_000) || thrown.name
  return typeof thrown === 'string' ? thrown.slice(0, 2_000) : 'no reason given'
}

function isConnectionError(thrown: unknown): boolean {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
    const { code, isRetryable } = error as Error & { code?: unknown; isRetryable?: unknown }
    if (typeof code === 'string' && /^(E[A-Z]+|UND_ERR_\w+)$/.test(code)) return true
    if (isRetryable === true) return true
    if (error instanceof TypeError && /fetch failed|failed to fetch|terminated|network|socket/i.test(error.message)) return true
  }
  return false
}

function retryAfter(thrown: unknown, now: number): number | undefined {
  const headers = isObject(thrown) && isObject(thrown['responseHeaders']) ? thrown['responseHeaders'] : {}
  const header = (name: string): string | undefined => {
    const value = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
  }
  const ms = Number(header('retry-after-ms') ?? Number.NaN)
  if (Number.isFinite(ms) && ms >= 0) return Math.ceil(ms)
  const text = header('retry-after')
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (Number.isFinite(seconds)) return seconds >= 0 ? Math.ceil(seconds * 1_000) : undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
