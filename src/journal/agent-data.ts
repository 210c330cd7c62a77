import type { EntryId, Id, Json, JsonObject, RunId, SessionId, TurnId } from '#kernel'
import type { FinishReason, Message, ToolResultStatus } from './message.ts'
import type { Usage } from './usage.ts'

/** How an input reaches a session whose run is going on; `start` begins a run. */
export type Delivery = 'start' | 'steer' | 'followUp' | 'next'

/**
 * An input that is kept from here on. One that waits is a user message: its `parts` and what stands beside them. Of `start`
 * the message is an entry of the same commit.
 */
export interface InputAdmitted extends Partial<Message> {
  readonly input: Id<'inp'>
  readonly delivery: Delivery
  /** How far what it says may be trusted; the user's own word where nothing is said. */
  readonly trust?: string
  /** Of `next`: by which plain options its run goes, and what code it was given. */
  readonly options?: JsonObject
  readonly code?: RunCode
}

/** It stands in the conversation now, as `entry`. */
export interface InputDelivered {
  readonly input: Id<'inp'>
  readonly entry: EntryId
}

/** It never will: its run ended before. `reason` is the run's. */
export interface InputDropped {
  readonly input: Id<'inp'>
  readonly reason: string
}

export interface RunStarted {
  /** As answers name it: `provider/id`. */
  readonly model: string
  readonly input: Id<'inp'>
  readonly maxSteps: number
  readonly demo?: boolean
  /** The plain options that it was given for itself, such as its policy: whoever carries it on goes by them. */
  readonly options?: JsonObject
  readonly held?: RunHeld
}

/** What held when a run began, which it goes by to its end, whoever carries it on. */
export interface RunHeld {
  readonly thinking: string
  /** SHA-256 of its system prompt; `null` without one. */
  readonly prompt: string | null
  /** The entries with the session's system text and tools; absent where none was set. */
  readonly system?: EntryId
  readonly tools?: EntryId
  /** Absent where it goes by no code of its own. */
  readonly code?: RunCode
}

/** What no journal can hold of a run, by its names. */
export interface RunCode {
  /** That it alone was given. */
  readonly tools?: readonly string[]
  /** What it has to pass, whole but for functions. */
  readonly gates?: readonly JsonObject[]
  /** What hooks match that refuse a call when they fail. */
  readonly hooks?: readonly string[]
}

export interface RunEnded {
  readonly status: string
  readonly reason: string
  readonly steps: number
  readonly error?: { readonly code: string; readonly message: string }
}

/** A request is about to go out; `usage_recorded` of the same request id says what came of it. */
export interface StepStarted {
  readonly step: number
  readonly attempt: number
  readonly requestId: Id<'req'>
  readonly model: string
  readonly route: { readonly provider: string; readonly id: string; readonly reason: string }
  /** SHA-256 of the system prompt, and of the tools' descriptions; `null` without any. */
  readonly prompt: string | null
  readonly tools: string | null
  /** What the prompt was estimated at, and what that costs; counts where nobody ever tells. */
  readonly estimate?: UsageEstimate
}

/** Stands beside usage that a provider did not report. `nano` is `null` without a price. */
export interface UsageEstimate {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly nano: number | null
}

/** No request is made any more. `spent` is `null` where a request had no price. */
export interface AllowanceReached {
  readonly of: 'run' | 'session'
  readonly session: SessionId
  readonly kind: 'nano' | 'tokens' | 'wallMs'
  readonly limit: number
  readonly spent: number | null
}

/** A sub-session was begun, by a call or by its host. */
export interface ChildStarted {
  readonly child: SessionId
  readonly callId: string | null
  readonly role: string | null
}

/** A run of a child has ended, `run` being the child's. `cost` is what that run cost. */
export interface ChildEnded {
  readonly child: SessionId
  readonly run: RunId
  readonly status: string
  readonly reason: string
  readonly steps: number
  readonly usage: Usage
  readonly cost: number | null
}

export interface StepRetried {
  readonly step: number
  readonly attempt: number
  readonly code: string
  readonly waitMs: number
}

export interface StepEnded {
  readonly step: number
  readonly finishReason: FinishReason
}

/** What may be done with a call that a crash left pending: anything, the same again under its key, or nothing unasked. */
export type EffectReplay = 'safe' | 'idempotent' | 'never'

/** A call that an answer asks for, not begun. */
export interface EffectPlanned {
  readonly callId: string
  readonly tool: string
  readonly step: number
  /** From 1; more than one only after a crash. */
  readonly attempt: number
  readonly replay: EffectReplay
}

/** Its tool may be entered from now on. */
export interface EffectBegun {
  readonly callId: string
  readonly attempt: number
}

/**
 * `ready`: its tool was entered and this is the result; `skipped`: it never was; `unknown`: it was, and nobody knows what it
 * did. `parts` are the result, unless the message with it stands in the same commit, and what was too long for it as a file.
 */
export interface EffectSettled {
  readonly callId: string
  readonly attempt: number
  readonly state: 'ready' | 'skipped' | 'unknown'
  readonly status?: ToolResultStatus
  readonly trust?: string
  readonly parts?: Message['parts']
}

/** An input that waits for its run, as the session's row lists it under `inputs`, by its id. */
export interface WaitingInput {
  readonly delivery: Exclude<Delivery, 'start'>
  readonly run: RunId
  readonly turn: TurnId
  readonly entry: EntryId
  readonly [more: string]: Json
}
