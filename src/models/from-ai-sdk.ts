import { type Clock, SkeinError, systemClock, systemTimers, type Timers, unlessAborted } from '#kernel'
import type { AiSdkModel, ModelInfo, ModelPort, ModelRequest } from './port.ts'
import { isAiSdkModel, sdkOptions } from './sdk-options.ts'
import type { SdkVersion } from './sdk-prompt.ts'
import { sdkReading } from './sdk-reading.ts'
import { listens, unlessSilent } from './silence.ts'

/**
 * A port over a model object of the AI SDK (`specificationVersion` v2, v3 or v4 with `doStream`), by its shape alone: the
 * SDK itself is not loaded. Anything else throws `model.unsupported`. `info` says what the model can; what it leaves out
 * counts as unknown. Nothing is retried here; a provider that
 * says nothing at all for 300 s has failed, keep-alives that the SDK passes on count as saying something.
 */
export function fromAiSdk(
  model: AiSdkModel,
  info: Partial<ModelInfo> = {},
  { clock = systemClock, timers = systemTimers }: { clock?: Clock; timers?: Timers } = {},
): ModelPort {
  const version = versionOf(model)
  const provider = info.provider ?? model.provider.split('.')[0] ?? model.provider
  const modelId = info.id ?? model.modelId
  const place = { provider, model: modelId }
  return listens({
    provider,
    modelId,
    info,
    async *stream(request, signal) {
      signal.throwIfAborted()
      const left = new AbortController()
      const reading = sdkReading({
        place: { ...place, now: clock.now() },
        sdkProvider: model.provider,
        ttl: request.cache?.ttl ?? '5m',
        takenCallIds: callIdsOf(request),
      })
      let parts: ReadableStreamDefaultReader<unknown> | undefined
      try {
        const target = { provider: model.provider, modelId: model.modelId, version, info }
        const options = { ...sdkOptions(request, target), abortSignal: AbortSignal.any([signal, left.signal]) }
        const answer = await unlessSilent(unlessAborted(model.doStream(options as never), signal), place, timers)
        parts = answer.stream.getReader()
        while (!reading.finished) {
          const next = await unlessSilent(unlessAborted(parts.read(), signal), place, timers)
          if (next.done) break
          yield* reading.read(next.value)
        }
        yield* reading.end()
      } catch (thrown) {
        signal.throwIfAborted()
        yield* reading.end(thrown)
      } finally {
        // Also when the caller stops reading: the provider must not go on writing for nobody.
        left.abort()
        parts?.cancel().catch(() => {})
      }
    },
  })
}

function versionOf(model: AiSdkModel): SdkVersion {
  const version = isAiSdkModel(model) ? model.specificationVersion : undefined
  if (version === 'v2' || version === 'v3' || version === 'v4') return version
  throw new SkeinError('model.unsupported', 'Expected a model object of the AI SDK, specification v2, v3 or v4, with doStream.', {
    details: { specificationVersion: version ?? null },
  })
}

function* callIdsOf({ messages }: ModelRequest): Generator<string> {
  for (const { parts } of messages) for (const part of parts) if (part.type === 'tool_call') yield part.callId
}
