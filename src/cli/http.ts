import { Readable } from 'node:stream'
import { type ErrorCode, errorRules, given, isObject, SkeinError } from '#kernel'

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Left out where `undefined`. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  readonly body?: unknown
  /** Sent as it comes, instead of `body`. */
  readonly stream?: AsyncIterable<Uint8Array>
  readonly form?: FormData
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Server {
  readonly url: string
  readonly token: string | undefined
  readonly fetch: typeof fetch
}

/** One request. Rejects with the error that the server answered, or `store.unavailable` if there is none. */
export async function request(server: Server, path: string, ask: Ask = {}): Promise<Response> {
  const url = new URL(path, server.url.endsWith('/') ? server.url : `${server.url}/`)
  for (const [name, value] of Object.entries(ask.query ?? {})) {
    if (value !== undefined)
      url.searchParams.set(name, Array.isArray(value) ? value.join(',') : String(value as string | number | boolean))
  }
  const headers = new Headers(ask.headers)
  if (server.token !== undefined) headers.set('authorization', `Bearer ${server.token}`)
  if (ask.body !== undefined) headers.set('content-type', 'application/json')
  const init: RequestInit & { duplex?: 'half' } = {
    method: ask.method ?? 'GET',
    headers,
    ...given({ signal: ask.signal }),
    ...(ask.stream === undefined ? {} : { body: webStream(ask.stream), duplex: 'half' }),
    ...(ask.form === undefined ? {} : { body: ask.form }),
    ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
  }
  const response = await server.fetch(url, init).catch((cause: unknown) => {
    if (ask.signal?.aborted === true) throw ask.signal.reason
    throw new SkeinError('store.unavailable', `No answer from ${url.origin}. Is skein serve running there?`, {
      details: { url: url.origin },
      cause,
    })
  })
  if (response.ok) return response
  throw await errorOf(response, url)
}

export async function answer<T>(server: Server, path: string, ask?: Ask): Promise<T> {
  return (await (await request(server, path, ask)).json()) as T
}

/** Node's fetch takes pieces as they come; the DOM's types know no `from`. */
const webStream = (pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> =>
  Readable.toWeb(Readable.from(pieces, { objectMode: false })) as unknown as ReadableStream<Uint8Array<ArrayBuffer>>

/** An error as the server told it, code and details kept; what isn't a Skein error is what its status says. */
async function errorOf(response: Response, url: URL): Promise<SkeinError> {
  const told: unknown = await response.json().catch(() => undefined)
  const error = isObject(told) && isObject(told['error']) ? told['error'] : undefined
  const code = error?.['code']
  if (error !== undefined && typeof code === 'string' && code in errorRules) {
    const details = isObject(error['details']) ? error['details'] : {}
    return new SkeinError(code as ErrorCode, String(error['message']), { details, cause: { requestId: error['requestId'] } })
  }
  return new SkeinError(
    'input.invalid',
    `${url.origin} answered ${response.status}, and not as Skein does. Is it a Skein server?`,
    { details: { status: response.status } },
  )
}
