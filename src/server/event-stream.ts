import type { Timers } from '#kernel'
import { eventId, type SessionEvent } from '#session'

export interface EventStreamParts<E = SessionEvent> {
  readonly events: AsyncIterator<E>
  /** One event on the wire. */
  frame(event: E): string
  readonly timers: Timers
  readonly pingMs: number
  /** Aborted when the server stops: the stream then ends with `server_stopping`. */
  readonly stopping: AbortSignal
  /** Called before each ping. Rejects when there is nothing more to come. */
  alive(): Promise<void>
  /** How the stream ends when its events do: with `session_erased`, or by itself. */
  ending(): Promise<'session_erased' | undefined>
  /** Called once, however it ended. */
  closed(): void
}

type Ending = 'server_stopping' | 'session_erased' | 'end'

const encoder = new TextEncoder()

/**
 * Server-sent events, made as they are read: one event is held at a time, so a slow reader costs nothing and slows nobody.
 * Begins with `retry: 1000`; ends with `server_stopping` or `session_erased`. Source: spec/foundation.md 6.
 */
export function eventStream<E>(parts: EventStreamParts<E>): ReadableStream<Uint8Array> {
  const { events, timers, pingMs, stopping } = parts
  let asked = false
  let ready: IteratorResult<E> | undefined
  let reading: { readonly controller: ReadableStreamDefaultController<Uint8Array>; readonly done: () => void } | undefined
  let pingDue = false
  let ending: Ending | undefined
  let over = false
  let cancelPing = (): void => undefined

  const finish = (): void => {
    if (over) return
    over = true
    cancelPing()
    stopping.removeEventListener('abort', stop)
    parts.closed()
    void Promise.resolve(events.return?.()).catch(() => undefined)
  }
  const stop = (): void => {
    ending ??= 'server_stopping'
    deliver()
  }
  const next = (): void => {
    asked = true
    events.next().then(
      result => {
        ready = result
        deliver()
      },
      () => void end(),
    )
  }
  const end = async (): Promise<void> => {
    const why = await parts.ending().catch(() => undefined)
    ending ??= why ?? 'end'
    deliver()
  }
  const ping = (): void => {
    cancelPing = timers.after(pingMs, () => {
      parts.alive().then(
        () => {
          pingDue = true
          deliver()
          if (!over) ping()
        },
        () => void end(),
      )
    })
  }
  /** Gives a reader that waits the one thing that comes first. */
  function deliver(): void {
    if (reading === undefined || over) return
    const { controller, done } = reading
    if (ready !== undefined && ready.done !== true && ending !== 'session_erased') {
      controller.enqueue(encoder.encode(parts.frame(ready.value)))
      ready = undefined
      asked = false
    } else if (ready?.done === true && ending === undefined) {
      ready = undefined
      void end()
      return
    } else if (ending !== undefined) {
      if (ending !== 'end') controller.enqueue(encoder.encode(`event: ${ending}\ndata: {}\n\n`))
      controller.close()
      finish()
    } else if (pingDue) {
      controller.enqueue(encoder.encode(': ping\n\n'))
      pingDue = false
    } else {
      if (!asked) next()
      return
    }
    reading = undefined
    done()
  }

  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode('retry: 1000\n\n'))
      if (stopping.aborted) stop()
      stopping.addEventListener('abort', stop, { once: true })
      ping()
    },
    pull(controller) {
      return new Promise<void>(resolve => {
        reading = { controller, done: resolve }
        deliver()
      })
    },
    cancel() {
      finish()
    },
  })
}

/** One event on the wire. Types that came with an import may hold anything, so line ends go. */
export function frame(event: SessionEvent): string {
  return `event: ${event.type.replaceAll(/[\r\n\0]/g, ' ')}\nid: ${eventId(event)}\ndata: ${JSON.stringify(event)}\n\n`
}
