import type { EntryId } from '#kernel'
import {
  type ContextEntry,
  deterministicId,
  type SummaryOutcome,
  makeSummary,
  type Shown,
  type Source,
  sourcesOf,
  type Summarizer,
  summarySources,
  summaryTarget,
  sumTokens,
  swapIn,
} from '#context'
import { type Coverage, isType, type Summary } from '#journal'
import type { ContextState } from './context-state.ts'
import type { SessionCore } from './core.ts'
import { type Draft, draft } from './draft.ts'
import { contextEntries, readSummary, summaryIdOf } from './frontier.ts'
import { readRange } from './read-range.ts'

export interface MakeOptions {
  /** Nothing is made without a model: that is left for later. */
  readonly background: boolean
  readonly signal: AbortSignal
  /** The summary right before, for reading on. */
  readonly previous: string | null
  /** The node that is made anew. */
  readonly replaces?: Summary
}

const pageSize = 200

/** Makes and finds the nodes of one compaction. After an authentication error it asks the model no more. Law C54. */
export class SummaryMaker {
  readonly #core: SessionCore
  readonly #state: ContextState
  readonly #summarizer: Summarizer
  readonly #instructions: string | undefined
  #refused = false

  private constructor(core: SessionCore, state: ContextState, summarizer: Summarizer, instructions: string | undefined) {
    this.#core = core
    this.#state = state
    this.#summarizer = summarizer
    this.#instructions = instructions
  }

  static async open(core: SessionCore, state: ContextState, instructions?: string): Promise<SummaryMaker> {
    const summarizer = await core.runtime.summarizer(state.settings.summarizer)
    return new SummaryMaker(core, state, summarizer, instructions)
  }

  get maxInputTokens(): number {
    return this.#summarizer.maxInputTokens
  }

  /** Whether a model is behind it, and answers as far as is known. */
  get asksModel(): boolean {
    return this.#summarizer.id !== deterministicId && !this.#refused
  }

  /** One node for a run of the frontier: raw entries become a leaf, summaries a condensed node, one alone is made anew. */
  async make(items: readonly Shown[], options: MakeOptions): Promise<SummaryOutcome> {
    const { counter, recall } = this.#state.show
    const { clock, timers, ids } = this.#core.runtime
    const { replaces } = options
    const children = replaces === undefined ? summariesOf(items) : await this.#childrenOf(replaces)
    const isLeaf = children.length === 0
    const entries = !isLeaf ? [] : replaces === undefined ? entriesOf(items) : await this.#entriesIn(replaces.covers)
    const made = await makeSummary({
      kind: isLeaf ? 'leaf' : 'condensed',
      covers: replaces?.covers ?? (isLeaf ? coverageOf(entries) : unionOf(children)),
      children,
      sources: isLeaf ? sourcesOf(entries.filter(isSaid)) : await this.#leafSources(children),
      sourceTokens: replaces?.covers.tokens ?? sumTokens(items),
      summarizer: this.#summarizer,
      authFailed: this.#refused,
      counter,
      recall,
      clock,
      timers,
      newId: ids,
      timeoutMs: this.#state.settings.summaryTimeoutMs,
      background: options.background,
      previous: options.previous,
      signal: options.signal,
      ...(replaces === undefined ? {} : { replaces: replaces.id }),
      ...(this.#instructions === undefined ? {} : { instructions: this.#instructions }),
    })
    this.#refused ||= made.authFailed
    return made
  }

  /** What a node would be, for a plan that makes none. */
  guess(items: readonly Shown[]): Summary {
    const children = summariesOf(items)
    const covers = children.length > 0 ? unionOf(children) : coverageOf(entriesOf(items))
    const tokens = summaryTarget(children.length > 0 ? 'condensed' : 'leaf', sumTokens(items))
    return {
      id: summaryIdOf(this.#core.runtime.ids('ent')),
      kind: children.length > 0 ? 'condensed' : 'leaf',
      depth: children.length > 0 ? 1 + Math.max(...children.map(({ depth }) => depth)) : 0,
      covers,
      children: children.map(({ id }) => id),
      text: '',
      quotes: [],
      anchors: [],
      openItems: [],
      tokens,
      level: 1,
      provisional: false,
      made: {
        by: this.#summarizer.id,
        promptHash: '',
        sourceHash: '',
        inputCut: 0,
        usage: null,
        at: this.#core.runtime.clock.now(),
      },
    }
  }

  /** What its requests used, to be counted with the session's. Law C69. */
  usageDraft(made: SummaryOutcome): Draft[] {
    if (made.usage === null) return []
    const used = {
      requestId: this.#core.runtime.ids('req'),
      purpose: 'compaction',
      model: this.#summarizer.id,
      entry: null,
      usage: made.usage,
      cost: made.cost,
      outcome: made.status,
    }
    return [draft('usage_recorded', used, { by: 'compaction' })]
  }

  /** Nodes that are stored, fit this frontier and are not shown in it: made before, or on a branch that was left. */
  async prepared(items: readonly Shown[]): Promise<Summary[]> {
    const shown = new Set(items.flatMap(item => (item.kind === 'summary' ? [item.summary.id] : [])))
    const raw = items.flatMap(item => (item.kind === 'entry' ? [item.entry.seq] : []))
    const mayReplace = items.some(item => item.kind === 'summary' && item.summary.provisional)
    // A node is newer than what it covers.
    const oldest = mayReplace ? 0 : Math.min(...raw, Infinity)
    const found: Summary[] = []
    for (let before: number | undefined; ;) {
      const page = await this.#core.store.entries(this.#core.id, {
        types: ['summary_added'],
        order: 'desc',
        limit: pageSize,
        ...(before === undefined ? {} : { before }),
      })
      for (const entry of page) {
        if (!isType(entry, 'summary_added') || shown.has(entry.data.id)) continue
        if (swapIn(items, entry.data) !== undefined) found.push(entry.data)
      }
      before = page.at(-1)?.seq
      if (page.length < pageSize || before === undefined || before <= oldest) return found
    }
  }

  async #entriesIn(covers: Coverage): Promise<ContextEntry[]> {
    return await contextEntries(this.#core, await readRange(this.#core, covers))
  }

  async #childrenOf(summary: Summary): Promise<Summary[]> {
    const found = await Promise.all(summary.children.map(id => readSummary(this.#core, id)))
    return found.flatMap(child => child ?? [])
  }

  /** The texts of the leaves beneath, if the summarizer takes them; else those of the nodes themselves. */
  async #leafSources(nodes: readonly Summary[]): Promise<readonly Source[]> {
    const leaves: Summary[] = []
    let room = this.#summarizer.maxInputTokens
    const walk = async (node: Summary): Promise<boolean> => {
      if (node.kind === 'leaf') {
        leaves.push(node)
        return (room -= node.tokens) >= 0
      }
      for (const child of await this.#childrenOf(node)) if (!(await walk(child))) return false
      return true
    }
    for (const node of nodes) if (!(await walk(node))) return summarySources(nodes)
    return summarySources(leaves)
  }
}

/** Failed text is never shown to a model again. Law C84. */
const isSaid = ({ message }: ContextEntry): boolean => !(message.role === 'assistant' && message.finishReason === 'error')

const summariesOf = (items: readonly Shown[]): Summary[] => items.flatMap(item => (item.kind === 'summary' ? [item.summary] : []))
const entriesOf = (items: readonly Shown[]): ContextEntry[] => items.flatMap(item => (item.kind === 'entry' ? [item.entry] : []))

function coverageOf(entries: readonly ContextEntry[]): Coverage {
  const ids = entries.map(({ id }) => id)
  return {
    first: ids[0] as EntryId,
    last: ids.at(-1) as EntryId,
    entries: entries.length,
    tokens: entries.reduce((sum, { tokens }) => sum + tokens, 0),
    fromAt: Math.min(...entries.map(({ at }) => at)),
    toAt: Math.max(...entries.map(({ at }) => at)),
  }
}

function unionOf(nodes: readonly Summary[]): Coverage {
  const covers = nodes.map(node => node.covers)
  return {
    first: covers[0]?.first as EntryId,
    last: covers.at(-1)?.last as EntryId,
    entries: covers.reduce((sum, { entries }) => sum + entries, 0),
    tokens: covers.reduce((sum, { tokens }) => sum + tokens, 0),
    fromAt: Math.min(...covers.map(({ fromAt }) => fromAt)),
    toAt: Math.max(...covers.map(({ toAt }) => toAt)),
  }
}
