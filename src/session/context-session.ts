import type { CompactionResult, PartRef, Summary, TurnSnapshot } from '#journal'
import { audit, type Audit } from './audit.ts'
import { compactSession, settleCompaction } from './compact.ts'
import type { CompactOptions } from './compaction-cause.ts'
import { compactionInfo, type CompactionInfo } from './compaction-lock.ts'
import type { SessionCore } from './core.ts'
import { describe, type Described } from './describe.ts'
import { expand, type Expanded, type ExpandOptions } from './expand.ts'
import { explain } from './explain.ts'
import { type ContextOptions, sessionContext, type SessionContext, viewsArchives } from './read-context.ts'
import { readContextState } from './context-state.ts'
import { readTurns, type TurnsOptions } from './read-turns.ts'
import { readSummaries } from './read-summaries.ts'
import { recall, type Recalled, type RecallOptions } from './recall.ts'
import { CoreSession } from './session.ts'
import { sessionInfo, type SessionInfo } from './session-info.ts'
import type { Standing } from './standings.ts'
import { unprune } from './unprune.ts'
import { check } from './verb-options.ts'

/** A conversation that always fits the next request, and of which everything that it no longer shows can be read. */
export class ContextSession extends CoreSession {
  readonly #core: SessionCore

  constructor(core: SessionCore, opened: (id: CoreSession['id']) => Promise<CoreSession>) {
    super(core, opened)
    this.#core = core
  }

  override async info(): Promise<SessionInfo & { readonly compaction: CompactionInfo }> {
    const [row, compaction] = await Promise.all([this.#core.row(), compactionInfo(this.#core)])
    return { ...sessionInfo(this.#core.store.tenant, row), compaction }
  }

  /**
   * What a model has to see next: it fits, and is valid for its provider. Compacts when it has to, unless `compact` is false:
   * then nothing is written, and `fits` says how it stands. Throws `context.exhausted` when nothing is left to shorten.
   */
  async context(options: ContextOptions = {}): Promise<SessionContext> {
    check.context(options)
    this.#core.accessedAt = this.#core.runtime.clock.now()
    return await sessionContext(this.#core, options)
  }

  /** Makes summaries and shows them in place of what they cover; nothing is lost. The result says how it went. */
  async compact(options: CompactOptions = {}): Promise<CompactionResult> {
    check.compact(options)
    await this.#core.row()
    return await compactSession(this.#core, options)
  }

  /** Prepares summaries if the next request comes near the budget; nothing shown changes before that request. Law C56. */
  async prepareContext(signal: AbortSignal): Promise<CompactionResult | undefined> {
    const row = await this.#core.row()
    if (viewsArchives(row)) return undefined
    const { settings, budget, projected } = await readContextState(this.#core, row)
    if (row.state === 'ended' || !settings.auto || projected < settings.softFraction * budget.usable) return undefined
    return await compactSession(this.#core, { signal }, { trigger: 'soft', early: settings.swap === 'early' })
  }

  /** The snapshots of ended turns, oldest first: those after the turn with the index `after`. */
  async turns(options: TurnsOptions = {}): Promise<readonly TurnSnapshot[]> {
    check.turns(options)
    return await readTurns(this.#core, options)
  }

  /** Shows parts whole again that were left out or cut: `ent_…#0`. */
  async unprune(refs: readonly PartRef[]): Promise<{ readonly restored: readonly PartRef[]; readonly version: number }> {
    return await this.#core.verb(() => unprune(this.#core, refs))
  }

  /** Every node of the summary graph, oldest first; `shown`: those that stand in the context now. */
  async summaries(): Promise<readonly (Summary & { readonly shown: boolean })[]> {
    return await readSummaries(this.#core)
  }

  /**
   * A page of what a ref of this session names: a summary's entries, an entry, a part of it to the letter, a blob. Without a
   * limit at most 4,000 tokens; `next` is what to ask for then. Throws `NOUN.not_found` for unknown and foreign refs alike.
   */
  async expand(ref: string, page: ExpandOptions = {}): Promise<Expanded> {
    check.expand(page)
    return await expand(this.#core, ref, page)
  }

  /** What a ref names, without its content: kind, range, times, counts, and what it is made of. */
  async describe(ref: string): Promise<Described> {
    return await describe(this.#core, ref)
  }

  /** How an entry of the journal, or a part of one, is shown in the context now, and why. */
  async explain(ref: string): Promise<Standing> {
    return await explain(this.#core, ref)
  }

  /** Finds what was said on the branch by words or to the letter, wherever it stands now. */
  async recall(query: string, options: RecallOptions = {}): Promise<Recalled> {
    check.recall(options)
    return await recall(this.#core, query, options)
  }

  /** Proves that nothing of the branch is lost to its context; `findings` is empty when it is so. Reads all of it. */
  async audit(): Promise<Audit> {
    return await audit(this.#core)
  }

  /** A compaction that is going on has its time to end, then is aborted; its job stays. */
  protected async settleContext(waitMs?: number): Promise<void> {
    await settleCompaction(this.#core, waitMs ?? this.#core.keeping.context.closeTimeoutMs ?? 30_000)
  }

  override async close(options: { readonly graceMs?: number } = {}): Promise<unknown> {
    check.close(options)
    if (!this.#core.closed) await this.settleContext(options.graceMs)
    return await super.close(options)
  }
}
