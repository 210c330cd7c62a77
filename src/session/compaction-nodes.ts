import { firstOf, isWanted, noEdit, type Run, type Shown, type SummaryOutcome } from '#context'
import type { NewBlob, Summary } from '#journal'
import type { CompactionAccount } from './compaction-account.ts'
import type { CompactionParts } from './compaction-cause.ts'
import { summaryDraft } from './compaction-drafts.ts'
import type { Draft } from './draft.ts'
import type { FrontierChange } from './frontier-change.ts'
import type { SummaryMaker } from './summary-maker.ts'
import { stowSummary } from './summary-nodes.ts'

/** Where nodes are kept as soon as they are made. */
export interface NodeStore {
  /** Tells that work begins, once. */
  announce(): Promise<void>
  store(drafts: readonly Draft[], blobs: readonly NewBlob[], cheap: boolean): Promise<void>
}

/** So many nodes that were made without a model are made again at once. */
const remadeAtOnce = 8

/** The nodes of one compaction: made for runs of its frontier, stored one by one, shown together with the rest. */
export class CompactionNodes {
  readonly #parts: CompactionParts
  readonly #change: FrontierChange
  readonly #maker: SummaryMaker
  readonly #account: CompactionAccount
  readonly #store: NodeStore
  #last: SummaryOutcome['status'] | undefined

  constructor(parts: CompactionParts, change: FrontierChange, maker: SummaryMaker, account: CompactionAccount, store: NodeStore) {
    this.#parts = parts
    this.#change = change
    this.#maker = maker
    this.#account = account
    this.#store = store
  }

  /** Whether the last node was not made because the summarizer can't be reached, and may be later. */
  get isDeferred(): boolean {
    return this.#last === 'deferred'
  }

  /** One leaf after the other, as far as they are needed; they come into the frontier together. */
  async makeLeaves(runs: readonly (Run & { readonly tokens: number })[]): Promise<void> {
    const leaves: Summary[] = []
    let before: { readonly to: number; readonly text: string } | undefined
    this.#last = undefined
    for (const { from, to, tokens } of runs) {
      this.#parts.signal.throwIfAborted()
      if (!isWanted(this.#change.plan(this.#maker.maxInputTokens), tokens)) continue
      const items = this.#change.items.slice(from, to + 1)
      const leaf = await this.#make(items, before?.to === from - 1 ? before.text : this.#change.textAt(from - 1))
      if (this.isDeferred) break
      if (leaf === undefined) continue
      this.#change.expect(leaf, tokens)
      before = { to, text: leaf.text }
      leaves.push(leaf)
    }
    this.#change.apply({ ...noEdit, swap: leaves })
  }

  async condense({ from, to }: Run): Promise<void> {
    const summary = await this.#make(this.#change.items.slice(from, to + 1), this.#change.textAt(from - 1))
    if (summary !== undefined) this.#change.apply({ ...noEdit, swap: [summary] })
  }

  /** Nodes that were made without a model are made again from the originals, once one answers. Law C55. */
  async remake(): Promise<void> {
    const change = this.#change
    if (this.#isDry || !this.#maker.asksModel || this.#account.hasFailed) return
    const provisional = change.items.flatMap((item, at) =>
      item.kind === 'summary' && item.summary.provisional ? [{ item, at }] : [],
    )
    const remade: Summary[] = []
    for (const { item, at } of provisional.slice(0, remadeAtOnce)) {
      const ready = change.prepared.find(node => node.replaces === item.summary.id)
      const summary = ready ?? (await this.#make([item], change.textAt(at - 1), item.summary))
      if (summary === undefined) break
      // What a model says takes more than the last resort: it is shown where there is room for it.
      if (!change.hasRoomFor(summary, item.tokens)) continue
      change.expect(summary, item.tokens)
      remade.push(summary)
    }
    change.apply({ ...noEdit, swap: remade })
  }

  /** The node of a run, stored; undefined when none was made, which the last outcome says. */
  async #make(items: readonly Shown[], previous: string | null, replaces?: Summary): Promise<Summary | undefined> {
    const { signal, cause, swaps } = this.#parts
    this.#last = undefined
    if (this.#isDry) {
      const guess = this.#maker.guess(items)
      this.#account.add(guess)
      return guess
    }
    const background = cause.trigger === 'soft' && (cause.early === true || !swaps())
    const { made, bridges } = await this.#maker.make(items, {
      background: background || replaces !== undefined,
      signal,
      previous,
      begin: () => this.#store.announce(),
      ...(replaces === undefined ? {} : { replaces }),
    })
    this.#account.spend(made)
    this.#last = made.status
    if (made.status === 'too_small') this.#change.tooSmall.add(firstOf(items[0] as Shown))
    const nodes = made.status === 'accepted' ? [...bridges, made.summary].map(stowSummary) : []
    const drafts = [...nodes.map(({ summary }) => summaryDraft(summary)), ...this.#maker.usageDraft(made.status)]
    if (drafts.length > 0) {
      await this.#store.announce()
      // What took no model is made again as well as read again: it need not outlast a power cut before it is shown.
      const cheap = !this.#maker.asksModel
      await this.#store.store(
        drafts,
        nodes.flatMap(({ blobs }) => blobs),
        cheap,
      )
    }
    const node = nodes.at(-1)?.summary
    if (node !== undefined) this.#account.add(node)
    return node
  }

  get #isDry(): boolean {
    return this.#parts.lock === undefined
  }
}
