import { invalidInput } from '#kernel'
import type { Entry, KnownEntryType } from '#journal'
import type { SessionCore } from './core.ts'
import type { LiveEvent } from './live-events.ts'
import { fullEntries } from './summary-nodes.ts'

/**
 * A durable event: one entry, whole, under its type and with its `seq`. One whose type this release doesn't know, or that
 * was erased, comes as well, under the name that it has.
 */
export type EntryEvent = { readonly type: KnownEntryType; readonly seq: number; readonly entry: Entry }
export type SessionEvent = EntryEvent | LiveEvent

export interface EventsOptions {
  /** Only what comes after this `seq`, or after the live event `seq.n`. Default: from the beginning. */
  readonly after?: number | string
  readonly types?: readonly string[]
  readonly signal?: AbortSignal
}

export const isEntryEvent = (event: SessionEvent): event is EntryEvent => 'entry' in event

/** How an event is named on the wire: `seq`, or `seq.n` for a live one. */
export function eventId(event: SessionEvent): string {
  return isEntryEvent(event) ? String(event.seq) : `${event.after}.${event.n}`
}

/** Reads `5` or `5.3`. Throws `input.invalid`. Law H6. */
export function parseEventId(value: number | string, path: string = 'after'): { readonly seq: number; readonly n: number } {
  const match = /^(\d{1,15})(?:\.(\d{1,15}))?$/.exec(String(value))
  if (match === null) throw invalidInput(path, 'Expected seq or seq.n, as in the id of an event.')
  return { seq: Number(match[1]), n: Number(match[2] ?? 0) }
}

/**
 * Replays what came after the cursor, then joins what happens, without gap or repeat of durable events. Live events stand
 * after the entry that they followed; those of other processes don't show. Ends when the session closes or is erased.
 */
export async function* sessionEvents(
  core: SessionCore,
  options: EventsOptions = {},
): AsyncGenerator<SessionEvent, void, undefined> {
  const { seq, n } = parseEventId(options.after ?? 0)
  const row = await core.row()
  if (seq > row.seq) throw invalidInput('after', `Beyond the journal's end, ${row.seq}.`)
  const wanted = (type: string): boolean => options.types === undefined || options.types.includes(type)
  let position = options.after === undefined || seq === 0 ? 0 : core.live.positionAfter(seq, n)
  let cursor = seq
  const leave = core.read()
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const entries = core.store.watch(core.id, seq, { signal })[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<Entry>> | undefined
  try {
    while (!signal.aborted) {
      // Waits for the next entry, or for a live event that may be shown already.
      next ??= entries.next()
      const woken = nextWake(core, position, signal)
      const came = await Promise.race([next, woken.promise])
      woken.cancel()
      if (came !== undefined) {
        next = undefined
        if (came.done === true) return
        for (const event of take(came.value.seq - 1)) yield event
        cursor = came.value.seq
        if (wanted(came.value.type)) yield await entryEvent(core, came.value)
      } else {
        // An entry that is ready goes first, so that live events never overtake what they followed.
        const fresh = await core.store.session(core.id)
        if (fresh !== undefined && fresh.seq > cursor) {
          const ready = await next
          next = undefined
          if (ready.done === true) return
          for (const event of take(ready.value.seq - 1)) yield event
          cursor = ready.value.seq
          if (wanted(ready.value.type)) yield await entryEvent(core, ready.value)
        } else {
          for (const event of take(cursor)) yield event
          if (core.live.ended) return
        }
      }
    }
  } finally {
    leave()
    stop.abort()
    await entries.return?.()
  }

  /** Live events that followed an entry up to `upTo`, from the position on. */
  function take(upTo: number): LiveEvent[] {
    const { events } = core.live.from(position)
    const ready = events.filter(event => event.after <= upTo)
    position = core.live.end - (events.length - ready.length)
    return ready.filter(event => wanted(event.type))
  }
}

async function entryEvent(core: SessionCore, entry: Entry): Promise<EntryEvent> {
  const [full = entry] = await fullEntries(core, [entry])
  return { type: entry.type as KnownEntryType, seq: entry.seq, entry: full }
}

/** Resolves when there is a live event after `position`, the session's stream ended, or the signal aborted. */
function nextWake(core: SessionCore, position: number, signal: AbortSignal): { promise: Promise<undefined>; cancel: () => void } {
  if (core.live.end > position || core.live.ended || signal.aborted)
    return { promise: Promise.resolve(undefined), cancel: () => undefined }
  let cancel = (): void => undefined
  const promise = new Promise<undefined>(resolve => {
    const wake = (): void => resolve(undefined)
    const off = core.live.onWake(wake)
    signal.addEventListener('abort', wake, { once: true })
    cancel = () => {
      off()
      signal.removeEventListener('abort', wake)
    }
  })
  return { promise, cancel }
}
