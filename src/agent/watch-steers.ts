import { isType } from '#journal'
import type { RunRecord } from './run-record.ts'

/** A signal that aborts when the run is cancelled, or a steer comes that takes back what has not begun; from any process. */
export function watchSteers(record: RunRecord): { readonly signal: AbortSignal; stop(): void } {
  const { core, options } = record
  const steered = new AbortController()
  const over = new AbortController()
  const look = async (): Promise<void> => {
    const from = (await core.store.session(core.id))?.seq ?? 0
    for await (const entry of core.store.watch(core.id, from, { signal: over.signal }))
      if (isType(entry, 'input_admitted') && entry.run === options.run && entry.data.delivery === 'steer') steered.abort()
  }
  // A store that is away shows in the next write.
  if (options.steering === 'now') look().catch(() => undefined)
  return { signal: AbortSignal.any([options.signal, steered.signal]), stop: () => over.abort() }
}
