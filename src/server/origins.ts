/** The request's origin if pages of it may call: exactly a configured one. Law H12. */
export function allowedOrigin(request: Request, origins: readonly string[]): string | undefined {
  const origin = request.headers.get('origin')
  return origin !== null && origins.includes(origin) ? origin : undefined
}

const exposed = 'Idempotent-Replay, Location, Retry-After, X-Request-Id'

export function corsHeaders(origin: string | undefined): readonly (readonly [string, string])[] {
  const vary = ['vary', 'Origin'] as const
  if (origin === undefined) return [vary]
  return [vary, ['access-control-allow-origin', origin], ['access-control-expose-headers', exposed]]
}

/** The answer to a browser that asks before it calls. */
export function preflight(origin: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': 'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id',
      'access-control-max-age': '600',
    },
  })
}
