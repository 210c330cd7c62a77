import type { EntryId, TurnId } from '#kernel'
import type { FinishReason, TurnEnded, Usage } from '#journal'

export type RunStatus = TurnEnded['status']

export interface TurnResult {
  readonly status: RunStatus
  readonly reason: string
  /** The answer's text; of several steps the last one's. */
  readonly text: string
  readonly turn: TurnId
  readonly entries: readonly EntryId[]
  readonly finishReason: FinishReason | null
  readonly steps: number
  readonly usage: Usage
  /** Nano-dollars; `null` if a price is unknown. */
  readonly cost: number | null
  readonly demo?: true
  readonly error?: { readonly code: string; readonly message: string }
}

/** Where a run ends so, it goes on with what waits. */
export const goesOn = ({ status, reason }: Pick<TurnResult, 'status' | 'reason'>): boolean =>
  (status === 'done' || status === 'done_with_concerns') && reason !== 'terminated'
