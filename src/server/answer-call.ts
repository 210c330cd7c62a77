import { given, invalidInput, type Json, sha256, SkeinError, within } from '#kernel'
import { checkKey } from '#journal'
import type { VerbOptions } from '#session'
import type { Skein } from '#skein'
import { type Access, type Caller, demandLocal, demandScope } from './access.ts'
import { type Answer, jsonResponse } from './answer.ts'
import { checkBody, checkQuery } from './check-input.ts'
import type { RateBuckets } from './rate-bucket.ts'
import { readJson } from './read-body.ts'
import type { Call, Route, Shared } from './route.ts'
import type { Found } from './router.ts'

/** What a request meets on its way in. */
export interface Admitted {
  readonly skein: Skein
  readonly access: Access
  readonly shared: Shared
  readonly buckets: RateBuckets | undefined
  readonly requestId: string
}

/** Lets a request in, reads and checks it, and carries it out within its time. Whatever is refused rejects, and has had no effect. */
export async function answerCall(admitted: Admitted, request: Request, found: Found | undefined): Promise<Response> {
  const { shared } = admitted
  if (found !== undefined && found.route.scope === 'none') return await carryOut(admitted, request, found, nobody)
  if (shared.stopping.aborted)
    throw new SkeinError('server.stopping', 'This server is stopping. Ask another one, or again in a moment.', {
      details: { retryAfterMs: 1_000 },
    })
  const answer = async (signal?: AbortSignal): Promise<Response> => {
    const caller = await admit(admitted, request, found?.route)
    if (found === undefined) {
      const { pathname } = new URL(request.url)
      throw new SkeinError(
        'path.not_found',
        `There is no ${request.method} ${pathname}. GET /openapi.json lists what there is.`,
        {
          details: { method: request.method, path: pathname },
        },
      )
    }
    return await carryOut(admitted, request, found, caller, signal)
  }
  return await (found?.route.streams === true ? answer() : inTime(shared, answer))
}

const nobody: Caller = { bucket: '', tenant: 'default', scopes: [], owners: 'all' }

async function admit({ access, shared, buckets }: Admitted, request: Request, route: Route | undefined): Promise<Caller> {
  if (!(await access.required())) demandLocal(request, shared.settings.origins)
  const caller = await access.caller(request.headers)
  const retryAfterMs = buckets?.take(caller.bucket) ?? 0
  if (retryAfterMs > 0) throw new SkeinError('rate.limited', 'Too many requests. Wait a moment.', { details: { retryAfterMs } })
  if (route !== undefined && route.scope !== 'none') demandScope(caller, route.scope)
  return caller
}

async function carryOut(
  admitted: Admitted,
  request: Request,
  { route, params }: Found,
  caller: Caller,
  signal?: AbortSignal,
): Promise<Response> {
  const { shared, requestId } = admitted
  const url = new URL(request.url)
  const query = checkQuery(route.query, url)
  const key = route.replays === 'none' ? null : request.headers.get('idempotency-key')
  if (key !== null) checkKey(key, 'Idempotency-Key')
  const body = await readBody(route, request, shared)
  const skein = admitted.skein.in(caller.tenant, { owners: caller.owners })
  const verb: VerbOptions = {
    traceId: requestId,
    ...(key === null ? {} : { idempotencyKey: key }),
    ...given({ signal }),
  }
  const call: Call = { skein, caller, params, query, body, request, verb, shared }
  if (key === null || route.replays !== 'answer') return respond(await route.run(call))
  const digest = sha256(JSON.stringify([route.operation, params, query, body ?? null]))
  const keyed = {
    store: shared.store.in(caller.tenant),
    key,
    digest: async () => digest,
    visible: (session: string) => skein.sessions.has(session),
  }
  return respond(
    await shared.answered.once(keyed, async () => {
      const answer = await route.run(call)
      if (answer instanceof Response) throw new TypeError(`${route.operation} has no answer that can be kept.`)
      return answer
    }),
  )
}

const respond = (answer: Answer | Response): Response => (answer instanceof Response ? answer : jsonResponse(answer))

async function readBody(route: Route, request: Request, { settings }: Shared): Promise<unknown> {
  if (route.body === undefined) return undefined
  const body: Json | undefined = await readJson(request, settings.maxBodyBytes)
  if (body === null || (body === undefined && !route.bodyOptional)) throw invalidInput('body', 'Expected a JSON object.')
  return checkBody(route.body, body ?? {})
}

/** Gives the work its time; what isn't committed by then is taken back, what is done then is done. */
async function inTime<T>({ settings, timers }: Shared, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { requestMs } = settings
  const stop = new AbortController()
  return await within(timers, requestMs, work(stop.signal), () => {
    const told = `This took longer than ${requestMs} ms. Ask again with the same Idempotency-Key.`
    const error = new SkeinError('server.timeout', told)
    stop.abort(error)
    throw error
  })
}
