import type { EntryId } from '#kernel'
import { applyEdit, countShown, type Edit, entryOfRef, mergeEdits, noEdit, type PlanState, type Shown, sumTokens } from '#context'
import type { PartRef, Summary } from '#journal'
import { type CompactionCause, type CompactOptions, overflowFactor } from './compaction-cause.ts'
import type { ContextState } from './context-state.ts'

/** What a compaction would show instead of what is shown now: nothing of it is stored before all of it is. */
export class FrontierChange {
  readonly before: ContextState
  readonly target: number
  readonly factor: number
  /** Tokens of the request as it is now, as the model counts. */
  readonly projectedBefore: number
  readonly #extraTokens: number
  readonly #tokensBefore: number
  readonly #rules: Pick<PlanState, 'target' | 'keepTurns' | 'allLeaves'>
  #items: readonly Shown[]
  /** Of the items, and of what is made for them and not in them yet. */
  #tokens: number
  #edit: Edit = noEdit
  #pruned = false
  prepared: readonly Summary[] = []
  /** Where runs begin that are too small for a node. */
  readonly tooSmall: Set<EntryId> = new Set()
  /** Parts that get no smaller. */
  readonly #asSmall = new Set<PartRef>()

  constructor(state: ContextState, options: CompactOptions, cause: CompactionCause) {
    const { usable } = state.budget
    this.before = state
    this.#items = state.frontier.items
    this.#tokensBefore = this.#tokens = sumTokens(this.#items)
    this.#extraTokens = cause.extraTokens ?? 0
    this.target = options.targetTokens ?? Math.floor(state.settings.targetFraction * usable)
    this.#rules = {
      target: options.only === 'prune' ? -1 : this.target,
      ...(cause.trigger === 'manual' ? { keepTurns: 2, allLeaves: options.targetTokens === undefined } : {}),
    }
    // A provider that refused has counted more than was thought, whatever it says.
    const tooLong = cause.trigger === 'overflow'
    this.factor = tooLong ? overflowFactor(state, cause.reported ?? null) : state.factor
    this.projectedBefore = tooLong ? Math.max(usable, this.factor * state.tokens.total) : state.projected
  }

  get items(): readonly Shown[] {
    return this.#items
  }

  get edit(): Edit {
    return this.#edit
  }

  get isNone(): boolean {
    return isEmpty(this.#edit)
  }

  /** Of the next request, with what is made and not shown yet. */
  get projected(): number {
    return Math.ceil(this.projectedBefore - this.factor * (this.#tokensBefore - this.#tokens))
  }

  get fits(): boolean {
    return this.projected < this.before.budget.usable
  }

  /** What no compaction can make smaller. */
  get floor(): number {
    const { system, tools, prefill } = this.before.tokens
    return Math.ceil(this.factor * (system + tools + prefill + this.#extraTokens))
  }

  /** What the next step is decided by. */
  plan(summarizerInput: number): PlanState {
    const { budget, settings } = this.before
    return {
      items: this.#items,
      projected: this.projected,
      usable: budget.usable,
      factor: this.factor,
      settings,
      prepared: this.prepared,
      tooSmall: this.tooSmall,
      asSmall: this.#asSmall,
      summarizerInput,
      done: { prune: this.#pruned },
      ...this.#rules,
    }
  }

  apply(edit: Edit): void {
    this.#show(edit, applyEdit(this.#items, edit, this.before.show))
  }

  /** Leaves results out, once; as `shorten`. */
  prune(refs: readonly PartRef[]): void {
    this.#pruned = true
    this.shorten({ ...noEdit, prune: refs }, refs)
  }

  /** Shows less of parts; those of a change that makes nothing smaller are left as they are. */
  shorten(edit: Edit, refs: readonly PartRef[]): void {
    const shorter = applyEdit(this.#items, edit, this.before.show)
    if (sumTokens(shorter) < this.#tokens) this.#show(edit, shorter)
    else for (const ref of refs) this.#asSmall.add(ref)
  }

  /** Counts a node that will stand for so many tokens before it does. */
  expect(node: Summary, tokens: number): void {
    this.#tokens += node.tokens - tokens
  }

  /** Whether a node may take the place of what takes so much, and the request still fits. */
  hasRoomFor(node: Summary, tokens: number): boolean {
    return this.projected + this.factor * (node.tokens - tokens) < this.before.budget.usable
  }

  /** The summary that would stand at a place. */
  textAt(place: number): string | null {
    const item = this.#items[place]
    return item?.kind === 'summary' ? item.summary.text : null
  }

  /** How many parts a kind of change is about, and what it saves by itself. */
  saved(kind: 'prune' | 'cut'): { readonly parts: number; readonly tokens: number } {
    const { frontier, show } = this.before
    const list = this.#edit[kind]
    if (list.length === 0) return { parts: 0, tokens: 0 }
    const tokens = sumTokens(applyEdit(frontier.items, { ...noEdit, [kind]: list }, show))
    return { parts: list.length, tokens: this.#tokensBefore - tokens }
  }

  /** What takes the room, in words. */
  sizes(): string {
    const { system, tools, show, budget } = this.before
    const { total: _total, ...sizes } = countShown({ system, tools, items: this.#items }, show)
    const parts = Object.entries(sizes).flatMap(([kind, tokens]) => (tokens > 0 ? [`${kind} ${tokens}`] : []))
    return `Tokens: ${parts.join(', ')}; usable ${budget.usable}.`
  }

  #show(edit: Edit, items: readonly Shown[]): void {
    this.#edit = mergeEdits(this.#edit, edit)
    this.#items = items
    this.#tokens = sumTokens(items)
  }
}

const isEmpty = ({ swap, prune, cut, restore }: Edit): boolean => swap.length + prune.length + cut.length + restore.length === 0

/**
 * What of a change can be seen in what came of it. What stood for something on the way and is covered by now is found through
 * the graph; an entry need not list it.
 */
export function seenIn(items: readonly Shown[], { swap, prune, cut, restore }: Edit): Edit {
  const entries = new Set<EntryId>()
  const summaries = new Set<string>()
  for (const item of items) {
    if (item.kind === 'summary') summaries.add(item.summary.id)
    else entries.add(item.entry.id)
  }
  const isShown = (ref: PartRef): boolean => entries.has(entryOfRef(ref))
  return {
    swap: swap.filter(({ id }) => summaries.has(id)),
    prune: prune.filter(isShown),
    cut: cut.filter(({ ref }) => isShown(ref)),
    restore: restore.filter(isShown),
  }
}
