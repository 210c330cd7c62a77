import { asSkeinError, createIds, type ErrorCode, errorRules, SkeinError } from '#kernel'
import type { Skein } from '#skein'
import { Access } from './access.ts'
import { answerCall, type Admitted } from './answer-call.ts'
import { errorResponse } from './answer.ts'
import { AnsweredKeys } from './answered-keys.ts'
import { describeRoutes } from './document.ts'
import { placesOf } from './log.ts'
import { Metrics } from './metrics.ts'
import { readOptions, type ServerOptions, type Settings } from './options.ts'
import { allowedOrigin, corsHeaders, preflight } from './origins.ts'
import { RateBuckets } from './rate-bucket.ts'
import type { Shared } from './route.ts'
import { routerOf } from './router.ts'
import { routes } from './routes.ts'
import { Streams } from './streams.ts'

export interface Face {
  readonly settings: Settings
  readonly access: Access
  fetch(request: Request): Promise<Response>
  /** Refuses what comes from now on, ends streams, and resolves when nothing is in flight or `drainMs` have passed. */
  stop(): Promise<void>
}

/** Skein over HTTP, for any server that speaks `Request` and `Response`. Source: spec/foundation.md 6. */
export function createHandler(skein: Skein, options: ServerOptions = {}): (request: Request) => Promise<Response> {
  return createFace(skein, options).fetch
}

/** One request on its way, and what is known of it for the log. */
interface Visit {
  readonly requestId: string
  place: string
  code: ErrorCode | undefined
}

const requestIdShape = /^[A-Za-z0-9._:-]{1,128}$/

export function createFace(skein: Skein, options: ServerOptions = {}): Face {
  const settings = readOptions(options)
  const { clock, timers, logger } = settings
  const ids = createIds({ clock })
  const access = new Access(settings.tokens, skein.store, clock)
  const stopping = new AbortController()
  const waiting = new Set<() => void>()
  let document: unknown
  const shared: Shared = {
    store: skein.store,
    settings,
    clock,
    timers,
    streams: new Streams(settings.maxStreams),
    hookRates: new RateBuckets(settings.hookRate, clock),
    answered: new AnsweredKeys(clock, error =>
      logger?.log({ level: 'warn', at: clock.now(), event: 'answer_not_kept', code: asSkeinError(error).code }),
    ),
    metrics: new Metrics(),
    stopping: stopping.signal,
    document: () => (document ??= describeRoutes(routes)),
  }
  const admitted: Omit<Admitted, 'requestId'> = {
    skein,
    access,
    shared,
    buckets: settings.rate === undefined ? undefined : new RateBuckets(settings.rate, clock),
  }

  const router = routerOf<Visit>(routes, async (visit, request, found) => {
    visit.place = found?.route.path ?? 'unknown'
    try {
      return await answerCall({ ...admitted, requestId: visit.requestId }, request, found)
    } catch (thrown) {
      const error = asSkeinError(thrown)
      visit.code = error.code
      if (errorRules[error.code].category === 'broken') {
        logger?.log({
          level: 'error',
          at: clock.now(),
          event: 'broken',
          code: error.code,
          requestId: visit.requestId,
          places: placesOf(error.cause ?? error),
        })
      }
      return errorResponse(error, visit.requestId)
    }
  })

  async function fetch(given: Request): Promise<Response> {
    const begun = clock.now()
    const head = given.method === 'HEAD'
    const request = head ? new Request(given, { method: 'GET' }) : given
    const asked = request.headers.get('x-request-id')
    const requestId = asked !== null && requestIdShape.test(asked) ? asked : ids('req')
    const origin = allowedOrigin(request, settings.origins)
    if (request.method === 'OPTIONS' && origin !== undefined) return preflight(origin)
    shared.metrics.inFlight++
    try {
      const visit: Visit = { requestId, place: 'unknown', code: undefined }
      const response = await router(request, visit)
      const { place, code } = visit
      const { status } = response
      const ms = clock.now() - begun
      shared.metrics.answered(request.method, place, status, ms)
      if (code !== undefined) shared.metrics.failed(code)
      logger?.log({
        level: status >= 500 ? 'error' : 'info',
        at: begun,
        event: 'request',
        method: given.method,
        route: place,
        status,
        ms,
        requestId,
        ...(code === undefined ? {} : { code }),
      })
      response.headers.set('x-content-type-options', 'nosniff')
      response.headers.set('cache-control', 'no-store')
      response.headers.set('x-request-id', requestId)
      if (stopping.signal.aborted) response.headers.set('connection', 'close')
      if (settings.origins.length > 0) for (const [name, value] of corsHeaders(origin)) response.headers.append(name, value)
      if (!head) return response
      await response.body?.cancel()
      return new Response(null, response)
    } finally {
      shared.metrics.inFlight--
      if (shared.metrics.inFlight === 0) for (const wake of waiting) wake()
    }
  }

  return {
    settings,
    access,
    fetch,
    async stop() {
      if (!stopping.signal.aborted) stopping.abort(new SkeinError('server.stopping', 'This server is stopping.'))
      if (shared.metrics.inFlight === 0) return
      await new Promise<void>(resolve => {
        const done = (): void => {
          cancel()
          waiting.delete(done)
          resolve()
        }
        const cancel = timers.after(settings.drainMs, done)
        waiting.add(done)
      })
    },
  }
}
