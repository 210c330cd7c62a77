import type { SessionId } from '#kernel'
import type { SessionRow } from '#journal'

/** What a hook is shown. */
export interface HookState {
  readonly tenant: string
  readonly session: SessionId
  readonly row: SessionRow
  /** What is said now, where it isn't stored yet: the message that a `turn` text stands beside. */
  readonly said?: string
  /** Aborted when its time is over. */
  readonly signal: AbortSignal
}

/**
 * Text of another room in the context: `head` at its beginning, rendered when the prefix breaks anyway; `turn` once for each
 * user message, beside it. At most 2 s and 4,000 tokens. What the model saw is kept in the journal. Source: spec/context.md 3.
 */
export interface ContextHook {
  readonly name: string
  readonly place: 'head' | 'turn'
  /** What it says comes from memory. */
  readonly origin?: 'recall'
  /** Whether it may have something to say in this session; without it in all. What it once said, it may take back. */
  concerns?(row: SessionRow): boolean
  /** Nothing to say: null or an empty text. */
  render(state: HookState): Promise<string | null> | string | null
}

export const hookMs = 2_000
export const hookTokens = 4_000
