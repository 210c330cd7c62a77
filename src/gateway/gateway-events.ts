import type { SessionId } from '#kernel'
import type { RouteHold } from './route.ts'

interface OfRoute {
  readonly key: string
  readonly sessionId: SessionId
}

/** Something that happened at the gateway, told to whoever listens now. The rows are the truth. */
export type GatewayEvent =
  | ({ readonly type: 'route_created' | 'route_pruned' | 'route_finalized' } & OfRoute)
  | ({
      readonly type: 'route_reset' | 'route_switched'
      readonly previousSessionId: SessionId
      readonly reason: string
    } & OfRoute)
  /** `key` is where the survivor is, `from` what led to the other one. */
  | ({ readonly type: 'route_merged'; readonly from: string } & OfRoute)
  | ({ readonly type: 'route_hold_added' | 'route_hold_removed'; readonly hold: RouteHold } & OfRoute)
  | {
      readonly type:
        'message_received' | 'message_refused' | 'message_dropped' | 'delivery_started' | 'delivery_ended' | 'delivery_abandoned'
      readonly id: string
      readonly [more: string]: unknown
    }

type Told = GatewayEvent & { readonly at: number }

interface Listener {
  readonly tenant: string
  hear(event: Told): void
}

/** Live events of all tenants of this process. */
export class GatewayEvents {
  readonly #listeners = new Set<Listener>()

  tell(tenant: string, at: number, ...events: readonly GatewayEvent[]): void {
    for (const listener of this.#listeners)
      if (listener.tenant === tenant) for (const event of events) listener.hear({ ...event, at })
  }

  /** One tenant's events from the call on, until the signal is aborted. */
  async *follow(tenant: string, signal?: AbortSignal): AsyncGenerator<Told, void, undefined> {
    const waiting: Told[] = []
    let wake = (): void => undefined
    const listener: Listener = {
      tenant,
      hear: event => {
        waiting.push(event)
        wake()
      },
    }
    const abort = (): void => wake()
    this.#listeners.add(listener)
    signal?.addEventListener('abort', abort)
    try {
      while (signal?.aborted !== true) {
        const event = waiting.shift()
        if (event !== undefined) yield event
        else await new Promise<void>(resolve => (wake = resolve))
      }
    } finally {
      this.#listeners.delete(listener)
      signal?.removeEventListener('abort', abort)
    }
  }
}
