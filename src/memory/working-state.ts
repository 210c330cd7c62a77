import type { Id } from '#kernel'

export type CommitmentId = Id<'cmt'>

export const commitmentKinds = ['loop', 'decision', 'constraint'] as const
export type CommitmentKind = (typeof commitmentKinds)[number]
export const commitmentStatuses = ['open', 'fulfilled', 'expired'] as const
export type CommitmentStatus = (typeof commitmentStatuses)[number]

/** An open loop, or a decision or constraint, which is settled as it is recorded and in force until it is expired. */
export interface Commitment {
  readonly id: CommitmentId
  readonly text: string
  readonly kind: CommitmentKind
  readonly status: CommitmentStatus
  /** Epoch milliseconds, and the entry that says so. */
  readonly addedAt: number
  readonly seq: number
  /** When it became what it is now, if that was later. */
  readonly resolvedAt?: number
  readonly reason?: string
}

/** `heuristic`: by the words of a user's message; `model`: by a refresh; `import`: as it came; `user`: by the verbs. */
export type ChangedBy = 'heuristic' | 'model' | 'import' | 'user'

export const stateFields = ['objective', 'stage', 'nextStep', 'blockers'] as const
export type StateField = (typeof stateFields)[number]

export interface StateChange {
  readonly field: StateField
  readonly from: string | null | readonly string[]
  readonly to: string | null | readonly string[]
  /** The entry that changed it. */
  readonly seq: number
  readonly by: ChangedBy
}

/** What a session is about: the fold of what was told of it and of its branch's user messages. */
export interface WorkingState {
  readonly objective: string | null
  readonly stage: string | null
  readonly nextStep: string | null
  readonly blockers: readonly string[]
  readonly commitments: readonly Commitment[]
  /** What the newest message that asks for something asks for, where an objective was set that is not replaced by it. */
  readonly suggested: string | null
  /** The newest 100, oldest first. */
  readonly changes: readonly StateChange[]
  /** Counts what changed; hand it to `update` to be refused if somebody was faster. */
  readonly version: number
}

/** Only what is given changes; `null` clears. */
export interface StatePatch {
  readonly objective?: string | null
  readonly stage?: string | null
  readonly nextStep?: string | null
  readonly blockers?: readonly string[] | null
}

export const emptyState: WorkingState = {
  objective: null,
  stage: null,
  nextStep: null,
  blockers: [],
  commitments: [],
  suggested: null,
  changes: [],
  version: 0,
}
