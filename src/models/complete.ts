import { noUsage, type Usage } from '#journal'
import { SkeinError } from '#kernel'
import type { EndReason, ModelPort, ModelRequest } from './port.ts'

/** What a single request gave where only the text matters. */
export interface Completion {
  readonly text: string
  readonly reason: EndReason
  readonly usage: Usage
}

/**
 * Asks once and waits for the whole text; calls and reasoning are ignored. Throws the stream's failure, `provider.truncated`
 * for a stream that just stops, and an aborted signal's reason. `onUsage` hears of usage in every case, also before a throw.
 */
export async function complete(
  port: ModelPort,
  request: ModelRequest,
  signal: AbortSignal,
  onUsage: (usage: Usage) => void = () => {},
): Promise<Completion> {
  let text = ''
  let usage = noUsage
  for await (const event of port.stream(request, signal)) {
    if (event.type === 'text_delta') text += event.text
    else if (event.type === 'usage') onUsage((usage = event.usage))
    else if (event.type === 'failed') throw event.error
    else if (event.type === 'ended') return { text, reason: event.reason, usage }
  }
  throw new SkeinError('provider.truncated', `Answer cut short by ${port.provider}: it stopped without an end.`, {
    details: { provider: port.provider, model: port.modelId },
  })
}
