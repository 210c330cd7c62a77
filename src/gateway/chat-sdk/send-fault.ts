import { isObject, messageOf } from '#kernel'

/** What the SDK and Slack's client call what sending again does not mend. */
const lasting: ReadonlySet<string> = new Set(['AUTH_FAILED', 'PERMISSION_DENIED', 'NOT_FOUND', 'VALIDATION_ERROR'])

/** Errors of Slack that are over by themselves. All others are about the message, the channel or the app. */
const slackPasses: ReadonlySet<string> = new Set([
  'fatal_error',
  'internal_error',
  'ratelimited',
  'rate_limited',
  'request_timeout',
  'service_unavailable',
  'team_added_to_org',
])

/** Meta's words for "too much", by their number. Source: developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes. */
const metaTooMuch: ReadonlySet<number> = new Set([4, 80_007, 130_429, 131_048, 131_056])

export interface ChatFault {
  readonly permanent?: boolean
  readonly retryAfterMs?: number
}

/** What an adapter's error says of sending the message again. */
export function faultOfChat(error: unknown): ChatFault {
  if (!(error instanceof Error)) return {}
  const { code, retryAfter, data, originalError, status, errorCode } = error as Error & Record<string, unknown>
  if (code === 'slack_webapi_rate_limited_error' || code === 'RATE_LIMITED') return waits(retryAfter)
  if (code === 'slack_webapi_platform_error') {
    const said = isObject(data) ? data['error'] : undefined
    return typeof said === 'string' && !slackPasses.has(said) ? { permanent: true } : {}
  }
  if (typeof code === 'string' && lasting.has(code)) return { permanent: true }
  if (typeof errorCode === 'number' && metaTooMuch.has(errorCode)) return {}
  // Discord's and Meta's answers, by their HTTP status.
  const answered = typeof status === 'number' ? status : originalError instanceof Error ? statusOf(originalError) : undefined
  if (answered === undefined || answered >= 500 || answered === 408) return {}
  if (answered === 429) return waits(secondsIn(messageOf(error)))
  return answered >= 400 ? { permanent: true } : {}
}

const statusOf = (error: Error): number | undefined => {
  const { status } = error as { status?: unknown }
  return typeof status === 'number' ? status : undefined
}

/** Discord says in its body how long to wait. */
const secondsIn = (text: string): number | undefined => {
  const [, seconds] = /"retry_after":\s*([\d.]+)/.exec(text) ?? []
  return seconds === undefined ? undefined : Number(seconds)
}

const waits = (seconds: unknown): ChatFault =>
  typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: Math.ceil(seconds * 1_000) } : {}
