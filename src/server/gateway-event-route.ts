import type { GatewayEvent } from '#gateway'
import { eventStream } from './event-stream.ts'
import { route, type Route } from './route.ts'

/** What happens at the gateway of the caller's tenant, from now on. The rows are the truth, so there is nothing to resume from. */
export const gatewayEventRoute: Route = route({
  method: 'get',
  path: '/v1/gateway/events',
  operation: 'gateway.events',
  summary: 'Live events of the gateway as server-sent events, those of this server’s process.',
  streams: true,
  answers: { 200: { description: 'A stream of events, each with its type and JSON.', mediaTypes: ['text/event-stream'] } },
  run: ({ skein, caller, shared }) => {
    const leave = shared.streams.enter(caller.tenant)
    const stop = new AbortController()
    const body = eventStream({
      events: skein.gateway.events({ signal: stop.signal }),
      frame: frameOf,
      timers: shared.timers,
      pingMs: shared.settings.pingMs,
      stopping: shared.stopping,
      alive: () => Promise.resolve(),
      ending: () => Promise.resolve(undefined),
      closed: () => {
        leave()
        stop.abort()
      },
    })
    return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } }))
  },
})

const frameOf = (event: GatewayEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
