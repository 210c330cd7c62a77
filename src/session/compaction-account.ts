import type { SummaryOutcome } from '#context'
import {
  addUsage,
  type CompactionId,
  type CompactionResult,
  type CompactionStatus,
  type CompactionTrigger,
  noUsage,
  type Summary,
  type SummaryAttempt,
  type Usage,
} from '#journal'
import type { FrontierChange } from './frontier-change.ts'

/** Ends that change what is shown. */
const shows: readonly CompactionStatus[] = ['done', 'pruned', 'exhausted']

/** What a compaction has made, tried and used: what its result says of it. */
export class CompactionAccount {
  readonly id: CompactionId
  readonly trigger: CompactionTrigger
  readonly #begunAt: number
  readonly #made: Summary[] = []
  readonly #attempts: SummaryAttempt[] = []
  #usage: Usage | null = null
  #cost: number | null = 0

  constructor(id: CompactionId, trigger: CompactionTrigger, begunAt: number) {
    this.id = id
    this.trigger = trigger
    this.#begunAt = begunAt
  }

  /** Nodes that were made, shown or not. */
  get made(): number {
    return this.#made.length
  }

  /** Whether a call to a model went wrong. */
  get hasFailed(): boolean {
    return this.#attempts.some(({ outcome }) => outcome === 'error')
  }

  add(node: Summary): void {
    this.#made.push(node)
  }

  spend({ attempts, usage, cost }: SummaryOutcome): void {
    this.#attempts.push(...attempts)
    if (usage !== null) this.#usage = addUsage(this.#usage ?? noUsage, usage)
    this.#cost = this.#cost === null || cost === null ? null : this.#cost + cost
  }

  result(status: CompactionStatus, change: FrontierChange, now: number, reason?: string): CompactionResult {
    const isShown = shows.includes(status) && !change.isNone
    const none = { parts: 0, tokens: 0 }
    const before = Math.ceil(change.projectedBefore)
    const summaries = isShown ? change.edit.swap : this.#made
    return {
      id: this.id,
      trigger: this.trigger,
      status,
      ...(reason === undefined ? {} : { reason }),
      level: summaries.reduce<0 | 1 | 2 | 3>((highest, { level }) => (level > highest ? level : highest), 0),
      summaries: summaries.map(({ id }) => id),
      coveredEntries: summaries.reduce((sum, { covers, kind }) => sum + (kind === 'leaf' ? covers.entries : 0), 0),
      pruned: isShown ? change.saved('prune') : none,
      cut: isShown ? change.saved('cut') : none,
      tokensBefore: before,
      tokensAfter: isShown ? change.projected : before,
      summaryTokens: summaries.reduce((sum, { tokens }) => sum + tokens, 0),
      target: change.target,
      usable: change.before.budget.usable,
      attempts: [...this.#attempts],
      usage: this.#usage,
      cost: this.#usage === null ? null : this.#cost,
      elapsedMs: Math.max(0, now - this.#begunAt),
    }
  }
}
