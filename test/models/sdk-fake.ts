import type { AiSdkModel } from '#models'

export interface FakeSdkModel extends AiSdkModel {
  readonly calls: Record<string, unknown>[]
  /** True once the reader has cancelled its stream. */
  readonly cancelled: () => boolean
}

/** An SDK model object whose stream gives these parts and then ends, throws what `thrown` holds, or hangs. For tests of this room. */
export function fakeSdkModel(
  parts: readonly unknown[],
  more: { version?: string; provider?: string; then?: 'end' | 'hang' | { thrown: unknown }; refuse?: Error } = {},
): FakeSdkModel {
  const { version = 'v4', provider = 'anthropic.messages', then = 'end', refuse } = more
  const calls: Record<string, unknown>[] = []
  let cancelled = false
  return {
    specificationVersion: version,
    provider,
    modelId: 'fake-1',
    calls,
    cancelled: () => cancelled,
    doStream(options: never) {
      calls.push(options)
      if (refuse !== undefined) return Promise.reject(refuse)
      const rest = [...parts]
      const stream = new ReadableStream<unknown>(
        {
          pull(controller) {
            const next = rest.shift()
            if (next !== undefined) controller.enqueue(next)
            else if (then === 'end') controller.close()
            else if (then === 'hang') return new Promise(() => {})
            else controller.error(then.thrown)
            return undefined
          },
          cancel: () => void (cancelled = true),
        },
        { highWaterMark: 0 },
      )
      return Promise.resolve({ stream })
    },
  }
}
