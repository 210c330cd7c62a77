import type { EntryId, Id, Json, JsonObject, SessionId } from '#kernel'
import type {
  AllowanceReached,
  ChildEnded,
  ChildStarted,
  EffectBegun,
  EffectPlanned,
  EffectSettled,
  InputAdmitted,
  InputDelivered,
  InputDropped,
  RunEnded,
  RunStarted,
  StepEnded,
  StepRetried,
  StepStarted,
  UsageEstimate,
} from './agent-data.ts'
import type {
  CompactionResult,
  CompactionStarted,
  ContextEdited,
  ContextNoted,
  PrefixChange,
  Summary,
  TurnSnapshot,
} from './context-data.ts'
import type { CheckpointSaved, CheckpointSettled, FilesRewound } from './checkpoint-data.ts'
import type { Entry } from './entry.ts'
import type { FinishReason, Message, ToolDescription } from './message.ts'
import type { Usage } from './usage.ts'

/**
 * Every entry type, where it stands and its newest version. `path`: has a parent and becomes the leaf.
 * `side`: has none and never does. `either`: says so itself by having a parent.
 * docs/format.md describes each; a test compares the two.
 */
export const entryTypes = {
  session_created: { place: 'path', v: 1 },
  session_forked: { place: 'side', v: 1 },
  session_titled: { place: 'side', v: 1 },
  session_annotated: { place: 'side', v: 1 },
  session_ended: { place: 'side', v: 1 },
  session_reopened: { place: 'side', v: 1 },
  session_deleted: { place: 'side', v: 1 },
  session_restored: { place: 'side', v: 1 },
  leaf_moved: { place: 'side', v: 1 },
  entry_labelled: { place: 'side', v: 1 },
  hold_added: { place: 'side', v: 1 },
  hold_removed: { place: 'side', v: 1 },
  route_bound: { place: 'side', v: 1 },
  route_unbound: { place: 'side', v: 1 },

  model_changed: { place: 'path', v: 1 },
  thinking_changed: { place: 'path', v: 1 },
  system_changed: { place: 'path', v: 1 },
  tools_changed: { place: 'path', v: 1 },

  turn_started: { place: 'path', v: 1 },
  message_added: { place: 'path', v: 1 },
  turn_ended: { place: 'path', v: 1 },
  usage_recorded: { place: 'side', v: 1 },

  context_edited: { place: 'path', v: 1 },
  context_noted: { place: 'path', v: 1 },
  summary_added: { place: 'side', v: 1 },
  compaction_started: { place: 'side', v: 1 },
  compaction_ended: { place: 'side', v: 1 },
  snapshot_taken: { place: 'side', v: 1 },
  doom_loop_detected: { place: 'side', v: 1 },
  map_started: { place: 'side', v: 1 },
  map_ended: { place: 'side', v: 1 },

  input_admitted: { place: 'side', v: 1 },
  input_delivered: { place: 'side', v: 1 },
  input_dropped: { place: 'side', v: 1 },
  run_started: { place: 'side', v: 1 },
  run_ended: { place: 'side', v: 1 },
  step_started: { place: 'side', v: 1 },
  step_retried: { place: 'side', v: 1 },
  step_ended: { place: 'side', v: 1 },
  effect_planned: { place: 'side', v: 1 },
  effect_begun: { place: 'side', v: 1 },
  effect_settled: { place: 'side', v: 1 },
  allowance_reached: { place: 'side', v: 1 },
  child_started: { place: 'side', v: 1 },
  child_ended: { place: 'side', v: 1 },

  policy_decided: { place: 'side', v: 1 },
  approval_requested: { place: 'side', v: 1 },
  approval_answered: { place: 'side', v: 1 },
  question_asked: { place: 'side', v: 1 },
  question_answered: { place: 'side', v: 1 },
  gate_started: { place: 'side', v: 1 },
  gate_ended: { place: 'side', v: 1 },
  checkpoint_saved: { place: 'side', v: 1 },
  checkpoint_settled: { place: 'side', v: 1 },
  files_rewound: { place: 'side', v: 1 },

  state_changed: { place: 'side', v: 1 },
  commitment_added: { place: 'side', v: 1 },
  commitment_resolved: { place: 'side', v: 1 },

  custom: { place: 'either', v: 1 },
} as const

export type Place = 'path' | 'side' | 'either'
type Known<T extends Readonly<Record<string, { place: Place; v: number }>>> = keyof T
export type KnownEntryType = Known<typeof entryTypes>

/** Settings that a session is created with; later changes are entries of their own. */
export interface SessionCreated {
  readonly title: string | null
  readonly user: string | null
  readonly agent: string
  readonly cwd: string | null
  readonly parent: SessionId | null
  readonly platform: string | null
  readonly tags: readonly string[]
  readonly metadata: JsonObject
  readonly model: string | null
  readonly thinking: string | null
  readonly system: string | null
  readonly [more: string]: Json
}

export interface TurnStarted {
  /** From 0, in order over the whole session, branches included. */
  readonly index: number
}

export interface TurnEnded {
  readonly index: number
  readonly status: 'done' | 'done_with_concerns' | 'blocked' | 'needs_user_input' | 'cancelled' | 'failed'
  readonly reason?: string
  readonly finishReason?: FinishReason
  readonly tools?: readonly { readonly tool: string; readonly calls: number; readonly errors: number; readonly ms: number }[]
}

/** Kinds of tokens that have a price of their own. */
export type TokenKind = 'input' | 'output' | 'cacheRead' | 'cacheWrite5m' | 'cacheWrite1h'

/** One provider attempt. `cost` in nano-dollars, `null` if the price is unknown. Counted once by `requestId`. */
export interface UsageRecorded {
  readonly requestId: string
  readonly purpose: string
  readonly model: string | null
  readonly entry: EntryId | null
  readonly usage: Usage
  readonly cost: number | null
  /** What it is taken to have used, where its provider did not say. */
  readonly estimate?: UsageEstimate
  /** What each kind of token cost, and the rates that it was priced by: a price table that changes changes nothing of it. */
  readonly costParts?: { readonly [kind in TokenKind]: number | null }
  /** Integer nano-dollars per million tokens. */
  readonly rates?: { readonly [kind in TokenKind]?: number } | null
  /** Paid by subscription: `cost` is 0, and `listNano` what it would have been. */
  readonly billing?: 'subscription'
  readonly listNano?: number | null
  readonly step?: number
  readonly attempt?: number
  readonly outcome?: string
  /** What the request shared with the one before, and what was paid for again. */
  readonly prefix?: PrefixChange
  readonly demo?: boolean
}

/** An operator begins to work on many inputs. `total` is `null` while inputs are still to come. */
export interface MapStarted {
  readonly map: Id<'map'>
  readonly kind: 'llm' | 'agentic'
  readonly model: string
  readonly total: number | null
}

/** Every item has ended. */
export interface MapEnded {
  readonly map: Id<'map'>
  readonly total: number
  readonly succeeded: number
  readonly failed: number
}

/** A source speaks to the session from now on. `previous`: to which it spoke before, if that is why. */
export interface RouteBound {
  readonly key: string
  readonly generation: number
  /** Whose route it is, `platform:scope:id`, where its key or its DM names somebody. */
  readonly person?: string
  readonly previous?: SessionId
  readonly reason?: string
}

/** It speaks to another one, `next`, or to none. */
export interface RouteUnbound {
  readonly key: string
  readonly generation: number
  readonly reason: string
  readonly next?: SessionId
}

interface Defined {
  session_created: SessionCreated
  session_forked: { readonly from: SessionId; readonly at: EntryId; readonly seq: number }
  session_titled: { readonly title: string | null }
  session_annotated: { readonly tags?: readonly string[]; readonly metadata?: JsonObject }
  session_ended: { readonly reason: string }
  session_reopened: JsonObject
  session_deleted: { readonly until: number }
  session_restored: JsonObject
  leaf_moved: { readonly to: EntryId; readonly reason: string }
  entry_labelled: { readonly entry: EntryId; readonly label: string | null }
  hold_added: { readonly reason: string }
  hold_removed: { readonly reason: string }
  route_bound: RouteBound
  route_unbound: RouteUnbound
  model_changed: { readonly model: string | null }
  thinking_changed: { readonly level: string | null }
  system_changed: { readonly system: string | null }
  tools_changed: { readonly tools: readonly ToolDescription[] }
  turn_started: TurnStarted
  message_added: Message
  turn_ended: TurnEnded
  usage_recorded: UsageRecorded
  context_edited: ContextEdited
  context_noted: ContextNoted
  summary_added: Summary
  compaction_started: CompactionStarted
  compaction_ended: CompactionResult
  map_started: MapStarted
  map_ended: MapEnded
  checkpoint_saved: CheckpointSaved
  checkpoint_settled: CheckpointSettled
  files_rewound: FilesRewound
  snapshot_taken: TurnSnapshot
  input_admitted: InputAdmitted
  input_delivered: InputDelivered
  input_dropped: InputDropped
  run_started: RunStarted
  run_ended: RunEnded
  step_started: StepStarted
  step_retried: StepRetried
  step_ended: StepEnded
  effect_planned: EffectPlanned
  effect_begun: EffectBegun
  effect_settled: EffectSettled
  allowance_reached: AllowanceReached
  child_started: ChildStarted
  child_ended: ChildEnded
  doom_loop_detected: { readonly tool: string; readonly callId: string; readonly count: number }
  custom: { readonly name: string; readonly data: Json; readonly text?: string }
}

/** The data of each type. A room that widens a type adds its shape here. */
export type EntryDataOf = { [T in KnownEntryType]: T extends keyof Defined ? Defined[T] : JsonObject }

export type KnownEntry = { [T in KnownEntryType]: Entry<T, EntryDataOf[T]> }[KnownEntryType]
export type EntryOf<T extends KnownEntryType> = Entry<T, EntryDataOf[T]>

/** True for a type and version that this release reads; narrows `data`. */
export function isKnown(entry: Entry): entry is KnownEntry {
  const type = Object.hasOwn(entryTypes, entry.type) ? entryTypes[entry.type as KnownEntryType] : undefined
  return type !== undefined && entry.v <= type.v
}

/** Narrows to one type, in a version that this release reads. */
export function isType<T extends KnownEntryType>(entry: Entry, type: T): entry is Entry<T, EntryDataOf[T]> {
  return entry.type === type && entry.v <= entryTypes[type].v
}

/** Where an entry stands: what it is, not what its type says, since a foreign type may be either. */
export function isPath(entry: Pick<Entry, 'parentId' | 'type'>): boolean {
  return entry.parentId !== null || entry.type === 'session_created'
}
