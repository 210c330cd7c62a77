import type { Id, JobId, Json, RunId, SessionId } from '#kernel'
import type { ToolResultStatus } from '#journal'

/** `after`: the newest durable `seq` before it; `n` counts from 1. */
interface Place {
  readonly after: number
  readonly n: number
  readonly [more: string]: unknown
}
interface OfStep {
  readonly run: RunId
  readonly step: number
}
interface OfTool {
  readonly run: RunId
  readonly callId: string
  readonly tool: string
}
type Live<T extends string, More> = Place & { readonly type: T } & Readonly<More>

/** Something that happens and is not stored: a delta, a tool that begins, a notice. What it comes to is an entry. */
export type LiveEvent =
  | Live<'step_requested', OfStep & { attempt: number; model: string }>
  | Live<'text_started' | 'text_ended' | 'reasoning_started' | 'reasoning_ended', OfStep & { id: string }>
  | Live<'text_delta' | 'reasoning_delta', OfStep & { id: string; text: string }>
  /** The input of a call, as the model writes it: a piece of JSON text. */
  | Live<'call_delta', OfStep & { callId: string; tool: string; text: string }>
  | Live<'call_ended', OfStep & { callId: string; tool: string; input: Json }>
  | Live<'tool_started', OfTool & { input: Json }>
  | Live<'tool_delta', OfTool & { text: string }>
  | Live<'tool_ended', OfTool & { status: ToolResultStatus }>
  | Live<'map_item_ended', { map: Id<'map'>; index: number; success: boolean; errorKind: string | null; attempts: number }>
  /** How long a part of a run took, in milliseconds; `first_…` from the request on. */
  | Live<'timing_measured', { run: RunId; what: string; ms: number; step?: number; attempt?: number; callId?: string }>
  /** This object of the session was closed; its events end here. */
  | Live<'session_closed', { session: SessionId }>
  /** A hint: background work of this session began, ended or was given up until somebody looks. */
  | Live<'job_started' | 'job_ended' | 'job_parked', { session: SessionId; job: JobId; kind: string }>
  /** Hints that rows of archives changed. */
  | Live<'archive_sealed', { session: SessionId; archive: Id<'arc'>; fromSeq: number; toSeq: number; cause: string }>
  | Live<'archive_ready', { session: SessionId; archive: Id<'arc'>; by: string }>
  | Live<'archives_merged', { session: SessionId; archive: Id<'arc'>; sources: readonly string[] }>
  /** Hints that a range was learnt from, and that memories changed. */
  | Live<'extraction_ended', { session: SessionId; range: string; outcome: string; failure?: string }>
  | Live<'memory_changed', { session: SessionId; changes: readonly { action: string; uri: string }[] }>
  | Live<'notice', { level: string; code: string; message: string }>

/** How many live events a late reader can still get; what is older is told as one delta with the text so far. */
export const ringSize = 10_000

/**
 * The live events of one session in this process. Readers hold a position; no reader slows the writer.
 * Events that fell out of the ring are joined by type and id, so that texts stay whole.
 */
export class LiveEvents {
  readonly #ring: LiveEvent[] = []
  readonly #joined = new Map<string, LiveEvent>()
  readonly #wakers = new Set<() => void>()
  #dropped = 0
  #seq = 0
  #n = 0
  #ended = false

  /** Position after the newest event. */
  get end(): number {
    return this.#dropped + this.#ring.length
  }

  /** The newest event so far: after which entry it stands, and as the how manieth. */
  get now(): { readonly seq: number; readonly n: number } {
    return { seq: this.#seq, n: this.#n }
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Durable entries up to `seq` are there; live events from now on come after them. */
  advance(seq: number): void {
    if (seq <= this.#seq) return
    this.#seq = seq
    this.#n = 0
  }

  emit(event: { readonly type: string; readonly [more: string]: unknown }): LiveEvent {
    const live = { ...event, after: this.#seq, n: ++this.#n } as unknown as LiveEvent
    this.#ring.push(live)
    if (this.#ring.length > ringSize) this.#drop()
    this.wake()
    return live
  }

  /** Events from `position` on; what had been dropped by then comes first, joined. */
  from(position: number): { readonly events: readonly LiveEvent[]; readonly end: number } {
    const events =
      position < this.#dropped ? [...this.#joined.values(), ...this.#ring] : this.#ring.slice(position - this.#dropped)
    return { events, end: this.end }
  }

  /** A run begins: what was joined of earlier ones is of no more use, their messages are stored. */
  beginRun(): void {
    this.#joined.clear()
  }

  /** The position of the first event after `seq.n`. What was dropped counts for a reader that has seen no live event. */
  positionAfter(seq: number, n: number): number {
    const index = this.#ring.findIndex(event => event.after > seq || (event.after === seq && event.n > n))
    if (index === 0 && n === 0) return 0
    return index < 0 ? this.end : this.#dropped + index
  }

  onWake(wake: () => void): () => void {
    this.#wakers.add(wake)
    return () => void this.#wakers.delete(wake)
  }

  wake(): void {
    for (const wake of this.#wakers) wake()
  }

  finish(): void {
    this.#ended = true
    this.wake()
  }

  #drop(): void {
    const old = this.#ring.shift()
    if (old === undefined) return
    this.#dropped++
    if (typeof old['text'] !== 'string') return
    const key = JSON.stringify([old.type, old['run'], old['step'], old['id'] ?? old['callId']])
    const before = this.#joined.get(key)
    this.#joined.set(key, before === undefined ? old : ({ ...old, text: `${String(before['text'])}${old['text']}` } as LiveEvent))
  }
}
