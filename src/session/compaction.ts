import { asSkeinError, given, invalidInput, SkeinError } from '#kernel'
import { applyEdit, itemOf, nextStep, noEdit, type Step } from '#context'
import type { CompactionResult, CompactionStatus, NewBlob } from '#journal'
import { sampleChange } from './calibrate.ts'
import { CompactionAccount } from './compaction-account.ts'
import type { CompactionParts } from './compaction-cause.ts'
import { startedDraft } from './compaction-drafts.ts'
import { CompactionNodes } from './compaction-nodes.ts'
import { readContextState } from './context-state.ts'
import { type Draft, draft } from './draft.ts'
import { FrontierChange, seenIn } from './frontier-change.ts'
import { isGrown, sharedTokens } from './frontier-growth.ts'
import { SummaryMaker } from './summary-maker.ts'

/** Thrown inside, when the branch was left or edited while summaries were made. */
class Superseded extends Error {}

/** One compaction, from its plan to its one commit. What it makes on the way is stored as it is made. */
export class Compaction {
  readonly #parts: CompactionParts
  readonly #change: FrontierChange
  readonly #maker: SummaryMaker
  readonly #account: CompactionAccount
  readonly #nodes: CompactionNodes
  #announced = false

  private constructor(parts: CompactionParts, change: FrontierChange, maker: SummaryMaker) {
    const { core, cause, lock } = parts
    this.#parts = parts
    this.#change = change
    this.#maker = maker
    this.#account = new CompactionAccount(lock?.id ?? core.runtime.ids('cmp'), cause.trigger, core.runtime.clock.now())
    this.#nodes = new CompactionNodes(parts, change, maker, this.#account, {
      announce: () => this.#announce(),
      store: (drafts, blobs, cheap) => this.#store('summarizing', drafts, { blobs, cheap }),
    })
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
    // What a provider counted when it refused tells as much as what it counts when it answers.
    const sample = await sampleChange(core, state.model, cause.reported, state.tokens.total)
    if (sample !== undefined && parts.lock !== undefined) await core.store.commit([sample], { durability: 'relaxed' })
    const maker = await SummaryMaker.open(core, state, options.instructions)
    return await new Compaction(parts, new FrontierChange(state, options, cause), maker).#go()
  }

  async #go(): Promise<CompactionResult> {
    const { signal, core } = this.#parts
    const change = this.#change
    try {
      if (change.floor >= change.before.budget.usable) return await this.#end('exhausted', change.sizes())
      change.prepared = await this.#maker.prepared(change.items)
      if (!(await this.#takeSteps())) return await this.#end('deferred')
      if (!this.#isDry && !this.#parts.swaps()) return await this.#end(this.#account.made > 0 ? 'prepared' : 'nothing')
      return await this.#swap()
    } catch (error) {
      if (signal.aborted) return await this.#end('aborted')
      if (error instanceof Superseded) return await this.#end('superseded')
      const { code, message } = asSkeinError(error)
      if (code === 'skein.bug')
        core.runtime.notice({
          level: 'error',
          code,
          message: `Compaction ${this.#account.id} broke off: ${message}`,
          session: core.id,
          tenant: core.store.tenant,
        })
      return await this.#end('failed', code)
    }
  }

  /** False when the summarizer can't be reached and may be later. */
  async #takeSteps(): Promise<boolean> {
    const { options, signal } = this.#parts
    for (;;) {
      signal.throwIfAborted()
      const step = nextStep(this.#change.plan(this.#maker.maxInputTokens), this.#change.before.show)
      if (step === undefined || (options.only === 'prune' && step.do !== 'prune')) break
      await this.#take(step)
      if (this.#nodes.isDeferred) return false
      if (options.only === 'prune') break
    }
    if (options.only !== 'prune') await this.#nodes.remake()
    return true
  }

  async #take(step: Step): Promise<void> {
    const change = this.#change
    switch (step.do) {
      case 'prune':
        return change.prune(step.refs)
      case 'cut': {
        const refs = step.cuts.map(({ ref }) => ref)
        return change.shorten({ ...noEdit, cut: step.cuts }, refs)
      }
      case 'swap':
        return change.apply({ ...noEdit, swap: step.summaries })
      case 'leaves':
        return await this.#nodes.makeLeaves(step.runs)
      case 'condense':
        return await this.#nodes.condense(step)
      default:
        return step satisfies never
    }
  }

  /** Everything at once, or nothing: the branch must still be the one that was planned for. Laws C58, C59, C66. */
  async #swap(): Promise<CompactionResult> {
    const { core, cause, lock } = this.#parts
    const change = this.#change
    const reason = change.fits ? undefined : change.sizes()
    if (change.isNone) return await this.#end(change.fits ? 'nothing' : 'exhausted', reason)
    const status: CompactionStatus = !change.fits ? 'exhausted' : change.edit.swap.length > 0 ? 'done' : 'pruned'
    const result = this.#result(status, lock === undefined ? undefined : reason)
    if (lock === undefined) return result
    await lock.commit(
      'idle',
      async record => {
        await core.path(
          async row => {
            const now = await readContextState(core, row, cause.request, cause.extraTokens)
            if (!isGrown(change.before.frontier, now.frontier)) throw new Superseded()
            const shown = applyEdit(now.frontier.items, change.edit, now.show)
            const { swap, prune, cut, restore } = seenIn(shown, change.edit)
            const edited = draft(
              'context_edited',
              {
                version: now.frontier.version + 1,
                reason: change.edit.swap.length > 0 ? 'compaction' : 'prune',
                compaction: this.#account.id,
                swapped: swap.map(({ id }) => id),
                pruned: prune,
                cut,
                restored: restore,
                frontier: shown.map(itemOf),
                sharedTokens: sharedTokens(now.frontier.items, shown),
              },
              { by: 'compaction' },
            )
            return { drafts: [...this.#beginning(), edited, draft('compaction_ended', result)], alongside: [record] }
          },
          // The run that goes on by now; it sees the change before its next request.
          given({ run: core.activeRun ?? cause.run }),
        )
      },
      result,
    )
    return result
  }

  #beginning(): Draft[] {
    return this.#announced ? [] : [startedDraft(this.#account.id, this.#account.trigger)]
  }

  async #announce(): Promise<void> {
    const drafts = this.#beginning()
    if (drafts.length === 0) return
    await this.#store('summarizing', drafts)
    this.#announced = true
  }

  async #store(
    state: 'summarizing' | 'idle',
    drafts: readonly Draft[],
    { blobs = [], cheap = false, last }: { blobs?: readonly NewBlob[]; cheap?: boolean; last?: CompactionResult } = {},
  ): Promise<void> {
    const { core, lock } = this.#parts
    await lock?.commit(
      state,
      async record =>
        void (await core.side(() => ({ drafts, blobs, alongside: [record] }), cheap ? { durability: 'relaxed' } : {})),
      last,
    )
  }

  /** Ends without a change of what is shown. Told in the journal, unless nothing was there to do. */
  async #end(status: CompactionStatus, reason?: string): Promise<CompactionResult> {
    const result = this.#result(status, reason)
    if (this.#isDry || (status === 'nothing' && !this.#announced)) return result
    const drafts = [...this.#beginning(), ...this.#maker.usageDraft(status), draft('compaction_ended', result)]
    // What can't be stored now is told to the caller all the same.
    await this.#store('idle', drafts, { last: result }).catch(() => undefined)
    return result
  }

  #result(status: CompactionStatus, reason?: string): CompactionResult {
    return this.#account.result(status, this.#change, this.#parts.core.runtime.clock.now(), reason)
  }

  get #isDry(): boolean {
    return this.#parts.lock === undefined
  }
}
