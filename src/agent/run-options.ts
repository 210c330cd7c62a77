import type { EntryId, RunId, TurnId } from '#kernel'
import type { FinishReason, ToolCallPart, ToolDescription } from '#journal'
import type { ConnectedModel, ThinkingLevel } from '#models'
import type { Steering, ToolOrder } from './agent-options.ts'
import type { AtEnd } from './alongside.ts'
import type { CallsBefore } from './effects.ts'
import type { Judge } from './judge.ts'
import type { Spending } from './allowance-spending.ts'
import type { RunSeams } from './run-seams.ts'
import type { StepOutcome } from './stream-step.ts'
import type { Telemetry } from './telemetry.ts'
import type { Tool, UserInterface } from './tool.ts'

export interface RunOptions {
  readonly run: RunId
  readonly turn: TurnId
  readonly index: number
  readonly model: ConnectedModel
  readonly tools: readonly Tool[]
  /** Told to the model beside those that the session was given. */
  readonly offered: readonly ToolDescription[]
  /** What the session was given and what this run brings, as it was when the run began. */
  readonly told: readonly ToolDescription[]
  /** The system prompt of all its requests: the session's own, else what the run's rules have to say. */
  readonly prompt: string | null
  /** Of what the prompt was made; `null` for one that somebody gave. */
  readonly promptInputs: string | null
  readonly thinking: ThinkingLevel
  /** Of one answer, at the most. */
  readonly maxTokens?: number
  readonly cache: { readonly ttl: '5m' | '1h' }
  /** No tool is told, whoever gave it. */
  readonly noTools: boolean
  readonly maxSteps: number
  /** Aborts when the run is cancelled. */
  readonly signal: AbortSignal
  /** Aborts when nothing is to be waited for any more. */
  readonly aborted: AbortSignal
  readonly steering: Steering
  readonly cancelGraceMs: number
  readonly toolOrder: ToolOrder
  readonly seams: RunSeams
  readonly judge: Judge
  /** What its requests count against. */
  readonly spending: Spending
  readonly atEnd?: AtEnd
  readonly traceId?: string
  readonly resumed?: Resumed
  readonly ui?: Partial<UserInterface>
  readonly telemetry?: Telemetry
}

/** What a run that a crash cut off had come to. */
export interface Resumed {
  readonly startedAt: number
  /** Steps that are over. */
  readonly steps: number
  /** Attempts that the step which comes next has had. */
  readonly attempts: number
  readonly retriesAfterOutput: number
  readonly entries: readonly EntryId[]
  readonly outcomes: readonly { readonly outcome: StepOutcome; readonly cost: number | null }[]
  /** Every call so far, for the guard against repetition. */
  readonly calls: readonly ToolCallPart[]
  /** Calls without results, which come first. */
  readonly open?: { readonly calls: readonly ToolCallPart[]; readonly before: CallsBefore }
  /** How the answer without calls finished, if it stands already. */
  readonly answered: FinishReason | null
  /** Nobody may say what became of calls, so the run ends blocked with this. */
  readonly refused?: string
}

/** How a model is named in the journal. */
export const refOf = ({ info }: Pick<ConnectedModel, 'info'>): string => `${info.provider}/${info.id}`
