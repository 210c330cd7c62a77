import type { EntryId, Json } from '#kernel'
import type { Usage } from '#journal'

export const categories = ['profile', 'preference', 'entity', 'event', 'case', 'pattern', 'skill', 'tool'] as const
export type Category = (typeof categories)[number]
export type Space = 'user' | 'agent'

interface CategoryRule {
  readonly owner: Space
  readonly keyed: boolean
  readonly uses: boolean
  readonly alike: boolean
}

/** What each kind of memory is known by, and whose it is. Source: spec/memory.md 9. */
export const categoryRules: Readonly<Record<Category, CategoryRule>> = {
  profile: { owner: 'user', keyed: true, uses: false, alike: false },
  preference: { owner: 'user', keyed: true, uses: false, alike: true },
  entity: { owner: 'user', keyed: true, uses: false, alike: true },
  event: { owner: 'user', keyed: false, uses: false, alike: true },
  case: { owner: 'agent', keyed: false, uses: false, alike: true },
  pattern: { owner: 'agent', keyed: true, uses: false, alike: true },
  skill: { owner: 'agent', keyed: true, uses: true, alike: true },
  tool: { owner: 'agent', keyed: true, uses: true, alike: true },
}

export interface ExtractorEntry {
  readonly id: EntryId
  readonly role: 'user' | 'assistant' | 'tool'
  readonly text: string
  /** Epoch milliseconds. */
  readonly at: number
}

export interface ExtractionInput {
  /** What was said in the range, oldest first, without what came from memory. */
  readonly entries: readonly ExtractorEntry[]
  /** What earlier ranges of the session taught, a line each. */
  readonly summary: string
  /** At most 10 memories that may be meant; a candidate's `relation.n` is one of these numbers. */
  readonly known: readonly { readonly n: number; readonly text: string; readonly category: Category }[]
  /** Epoch milliseconds. */
  readonly now: number
  /** ISO 8601 with zone: what relative dates are relative to. */
  readonly sessionTime?: string
}

export type Relation = 'SAME' | 'SUPERSEDE' | 'CONTRADICT'

/** Something that may be learnt. What an extractor gives is checked, each candidate on its own. */
export interface Candidate {
  readonly category: Category
  readonly owner: Space
  readonly key?: string
  readonly abstract?: string
  readonly overview?: string
  readonly content: string
  /** 0–1; from 0.5 on it is learnt. */
  readonly confidence: number
  /** Words of one entry of the range that say so. */
  readonly quote?: { readonly entry: EntryId; readonly text: string }
  /** ISO 8601: since when it holds. Default: the time of the evidence. */
  readonly when?: string
  readonly relation?: { readonly n: number; readonly is: Relation }
}

/** Learns from a range of a session. A throw is a failed attempt, never an empty answer. */
export interface Extractor {
  readonly name: string
  readonly version: string
  /** Estimated tokens that it takes at once; default 24,000. */
  readonly maxInputTokens?: number
  extract(
    input: ExtractionInput,
    signal: AbortSignal,
  ): Promise<{ readonly candidates: readonly unknown[]; readonly usage?: Partial<Usage> }>
}

export const defaultInputTokens = 24_000

/** What one call gave, before anything of it was judged. It is stored as it is. */
export interface ExtractorAnswer {
  readonly candidates: Json
  readonly usage?: Partial<Usage>
  /** Nano-dollars, `null` where the price is unknown. */
  readonly cost?: number | null
  readonly model?: string
  readonly promptHash?: string
}
