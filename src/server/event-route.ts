import { z } from '@hono/zod-openapi'
import { given, invalidInput } from '#kernel'
import { parseEventId } from '#session'
import { sessionOf } from './collection-routes.ts'
import { eventStream, frame } from './event-stream.ts'
import { words } from './fields.ts'
import { route, type Route } from './route.ts'

/** The session as it happens. What is wrong with the request is said before the stream begins. Laws H5, H6. */
export const eventRoute: Route = route({
  method: 'get',
  path: '/v1/sessions/{id}/events',
  operation: 'session.events',
  summary: 'Entries and live events as server-sent events; Last-Event-ID beats after.',
  query: z.strictObject({ after: z.string().optional(), types: words().optional() }),
  streams: true,
  answers: { 200: { description: 'A stream of events, each with its type, id and JSON.', mediaTypes: ['text/event-stream'] } },
  run: async call => {
    const { skein, caller, query, request, shared } = call
    const lastEventId = request.headers.get('last-event-id')
    const after = lastEventId ?? query.after
    const path = lastEventId === null ? 'after' : 'Last-Event-ID'
    const position = after === undefined ? undefined : parseEventId(after, path)
    const session = await sessionOf(call)
    const { id, seq } = await session.info()
    if (position !== undefined && position.seq > seq) throw invalidInput(path, `Beyond the journal's end, ${seq}.`)
    const leave = shared.streams.enter(caller.tenant)
    const stop = new AbortController()
    const events = session.events(given({ after, types: query.types, signal: stop.signal }))
    const body = eventStream({
      events,
      frame,
      timers: shared.timers,
      pingMs: shared.settings.pingMs,
      stopping: shared.stopping,
      // Also counts as use of the session, so that it isn't dropped from memory while somebody looks at it.
      alive: async () => void (await session.info()),
      ending: async () =>
        (await shared.store.in(caller.tenant).session(id)) === undefined && !(await skein.sessions.has(id))
          ? 'session_erased'
          : undefined,
      closed: () => {
        leave()
        stop.abort()
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } })
  },
})
