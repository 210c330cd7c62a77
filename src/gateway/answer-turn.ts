import type { SessionId } from '#kernel'
import type { Message } from '#journal'
import type { MemorySession } from '#memory'
import type { Fresh } from './route.ts'
import type { Source } from './source.ts'

/** A turn that a host answers itself. */
export interface AnswerTurn {
  /** The route's; `null` where no route asks. */
  readonly key: string | null
  /** Which schedule asks, if one does. */
  readonly schedule: string | null
  readonly sessionId: SessionId
  readonly turnId: string
  /** What is to be answered: all that was said in this turn since the last answer, and where it came from. */
  readonly text: string
  readonly messages: readonly Message[]
  readonly source: Partial<Source> | null
  /** Why the session is a new one, in its first turn. */
  readonly fresh: Fresh | null
  readonly session: MemorySession
  /** Aborted when the turn is cancelled. */
  readonly signal: AbortSignal
}

/** `null`, or nothing: there is no answer. */
export type AnswerReply = string | { readonly text: string } | null | undefined
export type Answer = (turn: AnswerTurn) => AnswerReply | Promise<AnswerReply>
