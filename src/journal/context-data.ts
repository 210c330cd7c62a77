import type { EntryId, Id, TurnId } from '#kernel'
import type { Part } from './message.ts'
import type { Usage } from './usage.ts'

export type SummaryId = Id<'sum'>
export type CompactionId = Id<'cmp'>

/** An identifier worth keeping to the letter, and the entry that it was first seen in. */
export interface Anchor {
  readonly text: string
  readonly kind: AnchorKind
  readonly entry: EntryId
}
export type AnchorKind =
  'path' | 'url' | 'hash' | 'uuid' | 'issue' | 'error' | 'version' | 'identifier' | 'quantity' | 'date' | 'quoted'

/** What a user said, to the letter; a long one has its middle cut out and says where the whole is. */
export interface Quote {
  readonly entry: EntryId
  readonly text: string
}

/** A run of whole groups on one path. Times in epoch milliseconds, `tokens` the estimate of what is covered. */
export interface Coverage {
  readonly first: EntryId
  readonly last: EntryId
  readonly entries: number
  readonly tokens: number
  readonly fromAt: number
  readonly toAt: number
}

/**
 * A node of the summary graph. A leaf (depth 0) covers entries, a condensed one at least two adjacent children, its depth one
 * more than its deepest. `tokens`: as it is rendered. `openItems`: those carried over that the text does not repeat;
 * `closedItems`: what its range ticks off that was open before it, and that the text does not tell.
 * `provisional`: made without a model; remade once one answers. Source: spec/context.md 2.
 */
export interface Summary {
  readonly id: SummaryId
  readonly kind: 'leaf' | 'condensed'
  readonly depth: number
  readonly covers: Coverage
  readonly children: readonly SummaryId[]
  readonly text: string
  readonly quotes: readonly Quote[]
  readonly anchors: readonly Anchor[]
  /** Of `anchors`, from the first: how many are shown beside the text, and how many more the text lacks. Absent: none. */
  readonly listed?: { readonly shown: number; readonly more: number }
  /** In an entry, where there are many: the anchors after the first ones. Absent in what is read of one. */
  readonly parts?: readonly Part[]
  readonly openItems: readonly string[]
  /** Absent: none. */
  readonly closedItems?: readonly string[]
  readonly tokens: number
  readonly level: SummaryLevel
  readonly provisional: boolean
  /** The lowest of its sources. Absent in one that an earlier release made. */
  readonly trust?: string
  readonly replaces?: SummaryId
  readonly made: {
    readonly by: string
    readonly promptHash: string
    readonly sourceHash: string
    /** Tokens of the source that the summarizer was not shown. */
    readonly inputCut: number
    readonly usage: Usage | null
    readonly at: number
  }
}
/** 1: as asked; 2: terse; 3: deterministic. */
export type SummaryLevel = 1 | 2 | 3

/** An entry's part: `ent_…#2`, from 0. */
export type PartRef = `${EntryId}#${number}`

/** One place of the frontier: an entry as itself, or a summary that stands for its range. */
export type FrontierItem =
  | { readonly summary: SummaryId }
  | {
      readonly entry: EntryId
      /** Parts whose results are left out. */
      readonly pruned?: readonly number[]
      /** Parts that are shown by head and end, and in how many tokens. */
      readonly cut?: readonly { readonly part: number; readonly tokens: number }[]
    }

/**
 * A change of what the context shows. `frontier` is all of it, oldest first, up to this entry: so it is a function of the
 * branch, and reading it costs what it shows. Entries that follow are shown as they are. `version` counts from 1.
 */
export interface ContextEdited {
  readonly version: number
  readonly reason: 'compaction' | 'prune' | 'unprune'
  readonly compaction?: CompactionId
  readonly swapped: readonly SummaryId[]
  readonly pruned: readonly PartRef[]
  readonly cut: readonly { readonly ref: PartRef; readonly tokens: number }[]
  readonly restored: readonly PartRef[]
  readonly frontier: readonly FrontierItem[]
  /** Estimated tokens before the first place that changed: what a provider's cache still holds. */
  readonly sharedTokens: number
}

/** A hook's text as the model saw it. A later head note of the same name replaces it. */
export interface ContextNoted {
  readonly name: string
  readonly place: 'head' | 'turn'
  readonly text: string
  /** It came from memory, so nothing is learnt from it. */
  readonly origin?: 'recall'
}

export type CompactionTrigger = 'soft' | 'hard' | 'manual' | 'overflow'
export type CompactionStatus =
  'done' | 'pruned' | 'prepared' | 'nothing' | 'exhausted' | 'aborted' | 'deferred' | 'superseded' | 'failed'

/** Why a proposed summary was not taken. */
export type RejectReason = 'empty' | 'too_long' | 'no_gain' | 'invented_anchor'

export interface SummaryAttempt {
  readonly level: SummaryLevel
  readonly outcome: 'accepted' | RejectReason | 'error'
  readonly tokens: number
  readonly ms: number
}

/** What a compaction did; tokens as estimated, `cost` in nano-dollars, `null` if unknown. Source: spec/context.md 5. */
export interface CompactionResult {
  readonly id: CompactionId
  readonly trigger: CompactionTrigger
  readonly status: CompactionStatus
  readonly reason?: string
  /** The highest used; 0 without a summary. */
  readonly level: 0 | SummaryLevel
  readonly summaries: readonly SummaryId[]
  readonly coveredEntries: number
  readonly pruned: { readonly parts: number; readonly tokens: number }
  readonly cut: { readonly parts: number; readonly tokens: number }
  readonly tokensBefore: number
  readonly tokensAfter: number
  readonly summaryTokens: number
  readonly target: number
  readonly usable: number
  readonly attempts: readonly SummaryAttempt[]
  readonly usage: Usage | null
  readonly cost: number | null
  readonly elapsedMs: number
}

export interface CompactionStarted {
  readonly compaction: CompactionId
  readonly trigger: CompactionTrigger
}

/** Why a request shares less than all of the last one's messages, and how many tokens are paid for again. Law C31. */
export interface PrefixChange {
  readonly same: boolean
  readonly brokenBy: null | 'swap' | 'system' | 'tools' | 'model' | 'branch' | 'unprune'
  readonly rebilled: number
}

/** Estimated tokens of what a context shows, by kind. `toolResults` are part of `messages`. */
export interface ContextTokens {
  readonly system: number
  readonly tools: number
  readonly prefill: number
  readonly notes: number
  readonly summaries: number
  readonly messages: number
  readonly toolResults: number
  readonly total: number
}

/**
 * Tokens that a context may take. `usable = window − reservedOutput − buffer`, never negative; an unknown window is
 * 128,000 and says so. Source: spec/context.md 1, law C7.
 */
export interface ContextBudget {
  readonly window: number
  readonly reservedOutput: number
  readonly buffer: number
  readonly usable: number
  readonly assumed: boolean
}

/**
 * What an ended turn's context was made of: that of its last request, or, where the host asked the model, up to the user's
 * message. `reported`: what the provider counted. `compactions`: those since the turn before. Source: spec/context.md 8.
 */
export interface TurnSnapshot {
  readonly index: number
  readonly turn: TurnId
  readonly role: 'assistant'
  readonly model: string | null
  readonly startedAt: number
  readonly endedAt: number
  readonly context: ContextTokens
  readonly reported: number | null
  readonly budget: ContextBudget
  readonly items: {
    readonly summaries: number
    readonly entries: number
    readonly notes: number
    readonly pruned: number
    readonly cut: number
  }
  readonly prefix: PrefixChange
  readonly compactionQueued: boolean
  readonly compactions: readonly CompactionResult[]
  readonly repairs: number
  readonly steps: number
  readonly usage: Usage
  /** Nano-dollars; `null` if a price is unknown. */
  readonly cost: number | null
  readonly finishReason: string
  readonly doomLoop: boolean
}
