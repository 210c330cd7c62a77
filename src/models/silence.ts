import { type Timers, unlessAborted, within } from '#kernel'
import type { ModelEvent, ModelPort, ModelRequest } from './port.ts'
import { retryLimits, silent } from './retry.ts'

/** Ports that hear their provider also where there is nothing to tell, and end its silence themselves. */
const listening = new WeakSet<ModelPort>()

/** Marks a port that ends its provider's silence itself. */
export function listens(port: ModelPort): ModelPort {
  listening.add(port)
  return port
}

/** What comes next from a provider; rejects with its silence after `retryLimits.silenceMs`. */
export async function unlessSilent<T>(
  next: PromiseLike<T>,
  place: { readonly provider: string; readonly model: string },
  timers: Timers,
): Promise<T> {
  return await within(timers, retryLimits.silenceMs, next, () => {
    throw silent(place)
  })
}

/**
 * A port's stream, which fails with `provider.unavailable` once nothing has come for `retryLimits.silenceMs`, and with an
 * aborted signal's reason at once, also of a port that is deaf to it. A port that goes on meanwhile is told to stop, and not
 * waited for. Only waiting counts: a slow reader is no silent provider.
 */
export async function* heard(
  port: ModelPort,
  request: ModelRequest,
  signal: AbortSignal,
  timers: Timers,
): AsyncGenerator<ModelEvent, void, undefined> {
  if (listening.has(port)) {
    yield* port.stream(request, signal)
    return
  }
  const left = new AbortController()
  const events = port.stream(request, AbortSignal.any([signal, left.signal]))[Symbol.asyncIterator]()
  const place = { provider: port.provider, model: port.modelId }
  try {
    for (;;) {
      const next = await unlessSilent(unlessAborted(events.next(), signal), place, timers)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    left.abort()
    events.return?.().catch(() => undefined)
  }
}
