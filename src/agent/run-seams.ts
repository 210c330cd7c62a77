import type { Json, RunId, TurnId } from '#kernel'
import type { ToolCallPart, ToolResultPart, ToolResultStatus } from '#journal'
import type { SessionCore } from '#session'
import type { Guardrails } from './guardrails.ts'
import type { Judge } from './judge.ts'
import type { TurnResult } from './turn-result.ts'

/** What policy, gates and hooks are told of the run that they belong to. */
export interface RunPlace {
  readonly core: SessionCore
  readonly run: RunId
  readonly turn: TurnId
  /** Aborts when the run is cancelled. */
  readonly signal: AbortSignal
}

/** Gives the result that a run ends with, where it would end `done`. Not asked when it failed or was cancelled. */
export type RunGates = (result: TurnResult, place: RunPlace) => TurnResult | Promise<TurnResult>

type Maybe<T> = T | undefined | Promise<T | undefined>

/** What a hook of `context_threshold` is told. */
export interface ContextMeasured {
  readonly step: number
  /** Tokens of the request that is about to go out, as its model counts, by the room that there is for them. */
  readonly ratio: number
  readonly tokens: number
  readonly usable: number
}

/** What other code may do at the places of a run. A throw is a notice. Source: spec/agent.md 13. */
export interface RunHooks {
  runStarted?(place: RunPlace): Maybe<void>
  beforeRequest?(step: number, place: RunPlace): Maybe<void>
  /** Before a request goes out, once it is known what it holds. */
  contextMeasured?(measured: ContextMeasured, place: RunPlace): Maybe<void>
  /** What stands in the result's place from here on. `written`: the files that the call is known to have written. */
  afterCall?(call: ToolCallPart, result: ToolResultPart, place: RunPlace, written: readonly string[]): Maybe<ToolResultPart>
  /** After each step. Where the run would end done, a text that it goes on with, 10 times at the most. */
  stepEnded?(step: number, place: RunPlace): Maybe<{ readonly continueWith?: string }>
  runEnded?(result: TurnResult, place: RunPlace): Maybe<void>
}

/** Where policy, gates and hooks are let into a run. */
export interface RunSeams {
  /** Made when the run begins. `trust`: how far what it was given may be trusted. */
  judge(place: RunPlace, options: { readonly trust?: string }): Judge
  readonly gates: RunGates
  readonly hooks: RunHooks
  readonly guardrails?: Guardrails
}

/** How often a hook may make a run go on. */
export const maxContinuations = 10

export const resultOf = (call: ToolCallPart, status: ToolResultStatus, output: Json): ToolResultPart => ({
  type: 'tool_result',
  callId: call.callId,
  tool: call.tool,
  status,
  output,
})
