import type { ModelEvent, ModelPort } from '#models'
import type { RequestSpan } from './telemetry.ts'

/** The same port, whose work lies below the span of the request. */
export function portBelow(port: ModelPort, span: RequestSpan): ModelPort {
  return {
    provider: port.provider,
    modelId: port.modelId,
    stream(request, signal) {
      const events = span.inside(() => port.stream(request, signal)[Symbol.asyncIterator]())
      const next = async (): Promise<IteratorResult<ModelEvent>> => {
        const item = await span.inside(() => events.next())
        if (item.done !== true && item.value.type === 'request_started') span.started(item.value.responseId)
        return item
      }
      const iterator: AsyncIterator<ModelEvent> = {
        next,
        return: async value => (await events.return?.(value as never)) ?? { done: true, value: undefined },
      }
      return { [Symbol.asyncIterator]: () => iterator }
    },
  }
}
