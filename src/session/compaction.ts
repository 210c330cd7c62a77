import { asSkeinError, type EntryId, given, invalidInput, SkeinError } from '#kernel'
import {
  applyEdit,
  countShown,
  type Edit,
  firstOf,
  isWanted,
  itemOf,
  mergeEdits,
  nextStep,
  noEdit,
  type PlanState,
  type Run,
  type Shown,
  type Step,
  sumTokens,
  type SummaryOutcome,
} from '#context'
import {
  addUsage,
  type CompactionId,
  type CompactionResult,
  type CompactionStatus,
  noUsage,
  type PartRef,
  type Summary,
  type SummaryAttempt,
  type Usage,
} from '#journal'
import { type ContextState, readContextState } from './context-state.ts'
import { startedDraft, summaryDraft } from './compaction-drafts.ts'
import { type Draft, draft } from './draft.ts'
import { isGrown, sharedTokens } from './frontier-growth.ts'
import { type CompactionParts, overflowFactor } from './compaction-cause.ts'
import { SummaryMaker } from './summary-maker.ts'

/** Thrown inside, when the branch was left or edited while summaries were made. */
class Superseded extends Error {}

/** One compaction, from its plan to its one commit. What it makes on the way is stored as it is made. */
export class Compaction {
  readonly #parts: CompactionParts
  readonly #id: CompactionId
  readonly #begunAt: number
  readonly #before: ContextState
  readonly #target: number
  readonly #factor: number
  readonly #projected: number
  readonly #maker: SummaryMaker
  #items: readonly Shown[]
  /** Of the items, and of what is made for them and not in them yet. */
  #tokens: number
  #edit: Edit = noEdit
  #prepared: readonly Summary[] = []
  #made: Summary[] = []
  #attempts: SummaryAttempt[] = []
  #usage: Usage | null = null
  #cost: number | null = 0
  #last: SummaryOutcome['status'] | undefined
  /** Where runs begin that are too small for a node. */
  readonly #tooSmall = new Set<EntryId>()
  /** Parts that get no smaller. */
  readonly #asSmall = new Set<PartRef>()
  #announced = false
  #pruned = false

  private constructor(parts: CompactionParts, state: ContextState, maker: SummaryMaker) {
    const { core, cause, options, lock } = parts
    this.#parts = parts
    this.#id = lock?.id ?? core.runtime.ids('cmp')
    this.#begunAt = core.runtime.clock.now()
    this.#before = state
    this.#items = state.frontier.items
    this.#tokens = sumTokens(this.#items)
    this.#maker = maker
    const { usable } = state.budget
    this.#target = options.targetTokens ?? Math.floor(state.settings.targetFraction * usable)
    // A provider that refused has counted more than was thought, whatever it says.
    const tooLong = cause.trigger === 'overflow'
    this.#factor = tooLong ? overflowFactor(state, cause.reported ?? null) : state.factor
    this.#projected = tooLong ? Math.max(usable, this.#factor * state.tokens.total) : state.projected
  }

  /** Runs it and says how it went. Throws only for a mistake of the caller. */
  static async run(parts: CompactionParts): Promise<CompactionResult> {
    const { core, options, cause } = parts
    if (options.targetTokens !== undefined && !(Number.isSafeInteger(options.targetTokens) && options.targetTokens >= 0))
      throw invalidInput('targetTokens', 'Expected a whole number of tokens.')
    const row = await core.row()
    if (row.state === 'ended' && parts.lock !== undefined && cause.run === undefined)
      throw new SkeinError('session.ended', `Session ${core.id} has ended. Reopen it first.`, { details: { session: core.id } })
    const state = await readContextState(core, row, cause.request, cause.extraTokens)
    const maker = await SummaryMaker.open(core, state, options.instructions)
    return await new Compaction(parts, state, maker).#go()
  }

  async #go(): Promise<CompactionResult> {
    const { signal } = this.#parts
    try {
      if (this.#floor() >= this.#before.budget.usable) return await this.#end('exhausted', this.#sizes())
      this.#prepared = await this.#maker.prepared(this.#items)
      const status = await this.#takeSteps()
      if (status === 'deferred') return await this.#end('deferred')
      if (!this.#isDry() && !this.#parts.swaps()) return await this.#end(this.#made.length > 0 ? 'prepared' : 'nothing')
      return await this.#swap()
    } catch (error) {
      if (signal.aborted) return await this.#end('aborted')
      if (error instanceof Superseded) return await this.#end('superseded')
      const { code, message } = asSkeinError(error)
      const { core } = this.#parts
      if (code === 'skein.bug')
        core.runtime.notice({
          level: 'error',
          code,
          message: `Compaction ${this.#id} broke off: ${message}`,
          session: core.id,
          tenant: core.store.tenant,
        })
      return await this.#end('failed', code)
    }
  }

  async #takeSteps(): Promise<'planned' | 'deferred'> {
    const { options, signal } = this.#parts
    for (;;) {
      signal.throwIfAborted()
      const step = nextStep(this.#plan(), this.#before.show)
      if (step === undefined || (options.only === 'prune' && step.do !== 'prune')) break
      if (!(await this.#take(step))) return 'deferred'
      if (options.only === 'prune') break
    }
    if (options.only !== 'prune') await this.#remake()
    return 'planned'
  }

  /** False when the summarizer can't be reached and may be later. */
  async #take(step: Step): Promise<boolean> {
    switch (step.do) {
      case 'prune':
        this.#pruned = true
        this.#shorten({ ...noEdit, prune: step.refs }, step.refs)
        return true
      case 'cut':
        this.#shorten(
          { ...noEdit, cut: step.cuts },
          step.cuts.map(({ ref }) => ref),
        )
        return true
      case 'swap':
        this.#apply({ ...noEdit, swap: step.summaries })
        return true
      case 'leaves':
        return await this.#makeLeaves(step.runs)
      case 'condense': {
        const items = this.#items.slice(step.from, step.to + 1)
        const summary = await this.#summarize(items, this.#textAt(step.from - 1))
        if (summary !== undefined) this.#apply({ ...noEdit, swap: [summary] })
        return !this.#isDeferred()
      }
      default:
        return (step satisfies never, true)
    }
  }

  /** One leaf after the other, as far as they are needed; they come into the frontier together. */
  async #makeLeaves(runs: readonly (Run & { readonly tokens: number })[]): Promise<boolean> {
    const leaves: Summary[] = []
    let before: { readonly to: number; readonly text: string } | undefined
    this.#last = undefined
    for (const { from, to, tokens } of runs) {
      this.#parts.signal.throwIfAborted()
      if (!isWanted(this.#plan(), tokens)) continue
      const items = this.#items.slice(from, to + 1)
      const leaf = await this.#summarize(items, before?.to === from - 1 ? before.text : this.#textAt(from - 1))
      if (this.#isDeferred()) break
      if (leaf === undefined) continue
      this.#tokens += leaf.tokens - tokens
      before = { to, text: leaf.text }
      leaves.push(leaf)
    }
    this.#apply({ ...noEdit, swap: leaves })
    return !this.#isDeferred()
  }

  #apply(edit: Edit): void {
    this.#edit = mergeEdits(this.#edit, edit)
    this.#items = applyEdit(this.#items, edit, this.#before.show)
    this.#tokens = sumTokens(this.#items)
  }

  /** Shows less of parts; those of a change that makes nothing smaller are left as they are. */
  #shorten(edit: Edit, refs: readonly PartRef[]): void {
    if (sumTokens(applyEdit(this.#items, edit, this.#before.show)) < this.#tokens) this.#apply(edit)
    else for (const ref of refs) this.#asSmall.add(ref)
  }

  /** The node of a run, stored; undefined when none was made, which the last outcome says. */
  async #summarize(items: readonly Shown[], previous: string | null, replaces?: Summary): Promise<Summary | undefined> {
    const { signal, cause, swaps } = this.#parts
    this.#last = undefined
    if (this.#isDry()) {
      const guess = this.#maker.guess(items)
      this.#made.push(guess)
      return guess
    }
    const background = cause.trigger === 'soft' && (cause.early === true || !swaps())
    const { made, bridges } = await this.#maker.make(items, {
      background: background || replaces !== undefined,
      signal,
      previous,
      begin: () => this.#announce(),
      ...(replaces === undefined ? {} : { replaces }),
    })
    this.#attempts.push(...made.attempts)
    if (made.usage !== null) this.#usage = addUsage(this.#usage ?? noUsage, made.usage)
    this.#cost = this.#cost === null || made.cost === null ? null : this.#cost + made.cost
    const summary = made.status === 'accepted' ? made.summary : undefined
    this.#last = made.status
    if (made.status === 'too_small') this.#tooSmall.add(firstOf(items[0] as Shown))
    const nodes = summary === undefined ? [] : [...bridges, summary]
    const drafts = [...nodes.map(summaryDraft), ...this.#maker.usageDraft(made.status)]
    if (drafts.length > 0) {
      await this.#announce()
      await this.#store('summarizing', drafts)
    }
    if (summary !== undefined) this.#made.push(summary)
    return summary
  }

  /** Nodes that were made without a model are made again from the originals, once one answers. Law C55. */
  async #remake(): Promise<void> {
    if (this.#isDry() || !this.#maker.asksModel || this.#attempts.some(({ outcome }) => outcome === 'error')) return
    const provisional = this.#items.flatMap((item, at) =>
      item.kind === 'summary' && item.summary.provisional ? [{ item, at }] : [],
    )
    const remade: Summary[] = []
    for (const { item, at } of provisional.slice(0, remadeAtOnce)) {
      const ready = this.#prepared.find(node => node.replaces === item.summary.id)
      const summary = ready ?? (await this.#summarize([item], this.#textAt(at - 1), item.summary))
      if (summary === undefined) break
      // What a model says takes more than the last resort: it is shown where there is room for it.
      const more = summary.tokens - item.tokens
      if (this.#projectedNow() + this.#factor * more >= this.#before.budget.usable) continue
      this.#tokens += more
      remade.push(summary)
    }
    this.#apply({ ...noEdit, swap: remade })
  }

  #textAt(place: number): string | null {
    const before = this.#items[place]
    return before?.kind === 'summary' ? before.summary.text : null
  }

  #plan(): PlanState {
    const { budget, settings } = this.#before
    const { options, cause } = this.#parts
    return {
      items: this.#items,
      projected: this.#projectedNow(),
      target: options.only === 'prune' ? -1 : this.#target,
      usable: budget.usable,
      factor: this.#factor,
      settings,
      prepared: this.#prepared,
      tooSmall: this.#tooSmall,
      asSmall: this.#asSmall,
      summarizerInput: this.#maker.maxInputTokens,
      done: { prune: this.#pruned },
      ...(cause.trigger === 'manual' ? { keepTurns: 2, allLeaves: options.targetTokens === undefined } : {}),
    }
  }

  #projectedNow(): number {
    return Math.ceil(this.#projected - this.#factor * (sumTokens(this.#before.frontier.items) - this.#tokens))
  }

  /** What no compaction can make smaller. */
  #floor(): number {
    const { system, tools, prefill } = this.#before.tokens
    return Math.ceil(this.#factor * (system + tools + prefill + (this.#parts.cause.extraTokens ?? 0)))
  }

  /** Everything at once, or nothing: the branch must still be the one that was planned for. Laws C58, C59, C66. */
  async #swap(): Promise<CompactionResult> {
    const { core, cause, lock } = this.#parts
    const fits = this.#projectedNow() < this.#before.budget.usable
    if (isEmpty(this.#edit)) return await this.#end(fits ? 'nothing' : 'exhausted', fits ? undefined : this.#sizes())
    const status: CompactionStatus = !fits ? 'exhausted' : this.#edit.swap.length > 0 ? 'done' : 'pruned'
    if (lock === undefined) return this.#result(status)
    const result = this.#result(status, fits ? undefined : this.#sizes())
    await lock.commit(
      'idle',
      async change => {
        await core.path(
          async row => {
            const now = await readContextState(core, row, cause.request, cause.extraTokens)
            if (!isGrown(this.#before.frontier, now.frontier)) throw new Superseded()
            const shown = applyEdit(now.frontier.items, this.#edit, now.show)
            const started = this.#announced ? [] : [startedDraft(this.#id, cause.trigger)]
            const edited = draft(
              'context_edited',
              {
                version: now.frontier.version + 1,
                reason: this.#edit.swap.length > 0 ? 'compaction' : 'prune',
                compaction: this.#id,
                swapped: this.#edit.swap.map(({ id }) => id),
                pruned: this.#edit.prune,
                cut: this.#edit.cut,
                restored: this.#edit.restore,
                frontier: shown.map(itemOf),
                sharedTokens: sharedTokens(now.frontier.items, shown),
              },
              { by: 'compaction' },
            )
            return { drafts: [...started, edited, draft('compaction_ended', result)], alongside: [change] }
          },
          // The run that goes on by now; it sees the change before its next request.
          given({ run: core.activeRun ?? cause.run }),
        )
      },
      result,
    )
    return result
  }

  async #announce(): Promise<void> {
    if (this.#announced) return
    await this.#store('summarizing', [startedDraft(this.#id, this.#parts.cause.trigger)])
    this.#announced = true
  }

  async #store(state: 'summarizing' | 'idle', drafts: readonly Draft[], last?: CompactionResult): Promise<void> {
    const { core, lock } = this.#parts
    await lock?.commit(state, async change => void (await core.side(() => ({ drafts, alongside: [change] }))), last)
  }

  /** Ends without a change of what is shown. Told in the journal, unless nothing was there to do. */
  async #end(status: CompactionStatus, reason?: string): Promise<CompactionResult> {
    const result = this.#result(status, reason)
    if (this.#isDry() || (status === 'nothing' && !this.#announced)) return result
    const started = this.#announced ? [] : [startedDraft(this.#id, this.#parts.cause.trigger)]
    const drafts = [...started, ...this.#maker.usageDraft(status), draft('compaction_ended', result)]
    // What can't be stored now is told to the caller all the same.
    await this.#store('idle', drafts, result).catch(() => undefined)
    return result
  }

  #isDeferred(): boolean {
    return this.#last === 'deferred'
  }

  #isDry(): boolean {
    return this.#parts.lock === undefined
  }

  #result(status: CompactionStatus, reason?: string): CompactionResult {
    const { frontier, budget, show } = this.#before
    const isShown = ['done', 'pruned', 'exhausted'].includes(status) && !isEmpty(this.#edit)
    const edit = isShown ? this.#edit : noEdit
    const summaries = isShown ? edit.swap : this.#made
    const saved = (change: Partial<Edit>): number =>
      sumTokens(frontier.items) - sumTokens(applyEdit(frontier.items, { ...noEdit, ...change }, show))
    return {
      id: this.#id,
      trigger: this.#parts.cause.trigger,
      status,
      ...(reason === undefined ? {} : { reason }),
      level: summaries.reduce<0 | 1 | 2 | 3>((highest, { level }) => (level > highest ? level : highest), 0),
      summaries: summaries.map(({ id }) => id),
      coveredEntries: summaries.reduce((sum, { covers, kind }) => sum + (kind === 'leaf' ? covers.entries : 0), 0),
      pruned: { parts: edit.prune.length, tokens: saved({ prune: edit.prune }) },
      cut: { parts: edit.cut.length, tokens: saved({ cut: edit.cut }) },
      tokensBefore: Math.ceil(this.#projected),
      tokensAfter: isShown ? this.#projectedNow() : Math.ceil(this.#projected),
      summaryTokens: summaries.reduce((sum, { tokens }) => sum + tokens, 0),
      target: this.#target,
      usable: budget.usable,
      attempts: this.#attempts,
      usage: this.#usage,
      cost: this.#usage === null ? null : this.#cost,
      elapsedMs: Math.max(0, this.#parts.core.runtime.clock.now() - this.#begunAt),
    }
  }

  /** What takes the room, in words. */
  #sizes(): string {
    const { system, tools, show } = this.#before
    const { total: _total, ...sizes } = countShown({ system, tools, items: this.#items }, show)
    const parts = Object.entries(sizes).flatMap(([kind, tokens]) => (tokens > 0 ? [`${kind} ${tokens}`] : []))
    return `Tokens: ${parts.join(', ')}; usable ${this.#before.budget.usable}.`
  }
}

const remadeAtOnce = 8

const isEmpty = ({ swap, prune, cut, restore }: Edit): boolean => swap.length + prune.length + cut.length + restore.length === 0
