import { SkeinError, unlessAborted } from '#kernel'
import type { CompactionResult } from '#journal'
import { Compaction } from './compaction.ts'
import type { CompactionCause, CompactOptions } from './compaction-cause.ts'
import { CompactionLock } from './compaction-lock.ts'
import type { SessionCore } from './core.ts'

interface Flight {
  readonly promise: Promise<CompactionResult>
  readonly stop: AbortController
  /** A preparation that somebody waits for swaps what it has made. */
  swap: boolean
}

const flights = new WeakMap<SessionCore, Flight>()

/**
 * Makes the context smaller: one at a time over all processes, and whoever asks meanwhile gets the same result. Nothing shown
 * changes before the one commit at the end, and turns go on meanwhile. Source: spec/context.md 5, laws C57, C60.
 */
export async function compactSession(
  core: SessionCore,
  options: CompactOptions = {},
  cause: CompactionCause = { trigger: 'manual' },
): Promise<CompactionResult> {
  const { signal } = options
  signal?.throwIfAborted()
  if (options.dryRun === true)
    return await Compaction.run({ core, options, cause, signal: signal ?? new AbortController().signal, swaps: () => true })
  for (;;) {
    const flying = flights.get(core)
    if (flying === undefined) return await begin(core, options, cause)
    if (swapsAtOnce(cause)) flying.swap = true
    const result = await (signal === undefined ? flying.promise : unlessAborted(flying.promise, signal))
    if (flying.stop.signal.aborted || isEnough(result, cause)) return result
  }
}

async function begin(core: SessionCore, options: CompactOptions, cause: CompactionCause): Promise<CompactionResult> {
  const { signal } = options
  const stop = new AbortController()
  const flight: Flight = { stop, swap: swapsAtOnce(cause), promise: Promise.resolve(undefined as never) }
  const abort = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal])
  const fly = async (): Promise<CompactionResult> => {
    try {
      return await core.verb(() => locked(core, options, cause, abort, () => flight.swap))
    } finally {
      flights.delete(core)
    }
  }
  flights.set(core, Object.assign(flight, { promise: fly() }))
  return await flight.promise
}

/** Whether what another's came to is what this one is for; else it begins anew, with the nodes that are stored. */
function isEnough({ status, trigger }: CompactionResult, cause: CompactionCause): boolean {
  if (cause.trigger === 'soft') return true
  // A refused request is longer than others think.
  if (cause.trigger === 'overflow' && trigger !== 'overflow' && status !== 'done' && status !== 'pruned') return false
  return status !== 'prepared' && status !== 'deferred' && status !== 'aborted'
}

/** Of a preparation that somebody joined, theirs. */
const swapTrigger = ({ trigger }: CompactionCause): CompactionCause['trigger'] => (trigger === 'soft' ? 'hard' : trigger)

const swapsAtOnce = ({ trigger, early }: CompactionCause): boolean => trigger !== 'soft' || early === true

/** Whether one is going on in this process. */
export const compacting = (core: SessionCore): boolean => flights.has(core)

async function locked(
  core: SessionCore,
  options: CompactOptions,
  cause: CompactionCause,
  signal: AbortSignal,
  swaps: () => boolean,
): Promise<CompactionResult> {
  for (;;) {
    const lock = await CompactionLock.take(core, cause.trigger, signal)
    if (!(lock instanceof CompactionLock)) {
      if (isEnough(lock, swaps() ? { ...cause, trigger: swapTrigger(cause) } : cause)) return lock
      continue
    }
    let result: CompactionResult | undefined
    try {
      result = await Compaction.run({ core, options, cause, signal, swaps, lock })
      return result
    } finally {
      await lock.release(result)
    }
  }
}

/** Gives a compaction that is going on here `waitMs` to end, then aborts it; what it has stored stays prepared. */
export async function settleCompaction(core: SessionCore, waitMs: number): Promise<void> {
  const flight = flights.get(core)
  if (flight === undefined) return
  const cancel = core.runtime.timers.after(waitMs, () =>
    flight.stop.abort(new SkeinError('session.closed', 'The session closes.')),
  )
  await flight.promise.catch(() => undefined)
  cancel()
}
