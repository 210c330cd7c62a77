import { asSkeinError, errorRules, type SkeinError } from '#kernel'

/** What a route answers: a status and the verb's value, sent as JSON, or a response of its own. */
export interface Answer {
  readonly status: number
  readonly value: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** What was answered before was answered again. */
  readonly replayed?: boolean
  /** Whose text the value may show; a replay shows it only while that session can be seen. */
  readonly session?: string
}

export const ok = (value: unknown, more: Partial<Answer> = {}): Answer => ({ status: 200, value, ...more })

export function sessionPath(id: string): string {
  return `/v1/sessions/${id}`
}

export function jsonResponse(answer: Answer): Response {
  const body = JSON.stringify(answer.value ?? null)
  const replay = answer.replayed === true ? { 'idempotent-replay': 'true' } : {}
  return new Response(body, {
    status: answer.status,
    headers: { 'content-type': 'application/json', ...replay, ...answer.headers },
  })
}

/** The error body. What went wrong inside of Skein is told to the log alone: its message may hold what a person wrote. */
export function errorBody(error: SkeinError, requestId: string): { readonly error: Record<string, unknown> } {
  const message =
    error.code === 'skein.bug' ? 'Something broke inside of Skein. The log has more under the request id.' : error.message
  return { error: { code: error.code, message, retryable: error.retryable, details: error.details, requestId } }
}

export function errorResponse(thrown: unknown, requestId: string): Response {
  const error = asSkeinError(thrown)
  const { retryAfterMs } = error.details
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (error.code === 'auth.required') headers['www-authenticate'] = 'Bearer'
  if (typeof retryAfterMs === 'number') headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1_000)))
  return new Response(JSON.stringify(errorBody(error, requestId)), { status: errorRules[error.code].http, headers })
}

/** Something to keep, not to show: a browser saves it and runs none of it. Law H13. */
export function attachment(body: Uint8Array | ReadableStream<Uint8Array>, mediaType: string, name: string): Response {
  return new Response(body as BodyInit, {
    headers: {
      'content-type': mediaType,
      'content-disposition': `attachment; filename="${name}"`,
      'content-security-policy': 'sandbox',
    },
  })
}
