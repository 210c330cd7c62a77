import type { Clock, ErrorCode, JobId, NewId, Random, SessionId, Timers } from '#kernel'
import type { ContextHook, ContextSettingsInput, Summarizer, TokenCounter } from '#context'
import type { Store, TenantStore } from '#journal'

/** One degradation, told once: to `onNotice`, the log and the session's live events. Never message text. */
export interface Notice {
  readonly level: 'info' | 'warn' | 'error'
  readonly code: ErrorCode | string
  readonly message: string
  readonly session?: SessionId
  /** Whose session or job that is. */
  readonly tenant?: string
  readonly job?: JobId
  readonly traceId?: string
}

export interface ModelFacts {
  readonly contextWindow?: number
  readonly maxOutput?: number
  readonly provider?: string
  /** What it takes beside text; what isn't said is unknown. */
  readonly capabilities?: { readonly images?: boolean | undefined }
  /** As answers name the model: `provider/id`. */
  readonly ref?: string
}

/** What sessions stand on; made once by `openSkein`. */
export interface Runtime {
  readonly store: Store
  readonly clock: Clock
  readonly ids: NewId
  readonly random: Random
  readonly timers: Timers
  readonly counter: TokenCounter
  /** Who holds leases: this process, and this opening of the store. */
  readonly owner: string
  readonly leaseMs: number
  /** A lease is given up this long after the last path verb. */
  readonly lingerMs: number
  /** What is known of a model, for budgets and shapes; wired to the models room. */
  modelFacts(ref: string | null): ModelFacts
  /** How contexts are kept, where a session doesn't say otherwise. */
  readonly context: ContextSettingsInput
  /** What refs of rooms above stand for, as a text; undefined for one that this session has nothing of. */
  readonly refReaders: {
    readonly [noun in 'archive' | 'map']?: (
      store: TenantStore,
      session: SessionId,
      ref: string,
      view: { readonly forModel?: boolean },
    ) => Promise<string | undefined>
  }
  /** Whose texts stand in every context, in this order. */
  readonly hooks: readonly ContextHook[]
  /** Who makes summaries: the deterministic one, or a model by its reference. */
  summarizer(name: string): Promise<Summarizer>
  notice(notice: Notice): void
}
