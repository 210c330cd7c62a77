import type { EntryId } from '#kernel'
import {
  bridgeSummary,
  type ContextEntry,
  deterministicId,
  firstOf,
  lastOf,
  makeSummary,
  readAnswer,
  type SummaryOutcome,
  type Shown,
  type Source,
  sourcesOf,
  type Summarizer,
  summarySources,
  type SummaryRequest,
  summaryTarget,
  sumTokens,
} from '#context'
import { addUsage, type Coverage, isType, noUsage, type Summary, type Usage } from '#journal'
import type { ContextState } from './context-state.ts'
import type { SessionCore } from './core.ts'
import { type Draft, draft } from './draft.ts'
import { contextEntries, wholeEntries } from './frontier.ts'
import { readRange } from './read-range.ts'
import { readSummary, summaryIdOf, wholeSummaries } from './summary-nodes.ts'

export interface MakeOptions {
  /** Nothing is made without a model: that is left for later. */
  readonly background: boolean
  readonly signal: AbortSignal
  /** The summary right before, for reading on. */
  readonly previous: string | null
  /** Awaited before a model is asked. */
  readonly begin: () => Promise<void>
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
  #begin = async (): Promise<void> => undefined
  /** Of requests that were answered since it was told last. */
  #spent: { usage: Usage; cost: number | null } | undefined

  private constructor(core: SessionCore, state: ContextState, summarizer: Summarizer, instructions: string | undefined) {
    this.#core = core
    this.#state = state
    const { id, maxInputTokens } = summarizer
    this.#summarizer = { id, maxInputTokens, summarize: request => this.#ask(summarizer, request) }
    this.#instructions = instructions
  }

  static async open(core: SessionCore, state: ContextState, instructions?: string): Promise<SummaryMaker> {
    const { summarizer: name } = state.settings
    const summarizer = await core.runtime.summarizer(name).catch((error: unknown) => unusable(name, error))
    return new SummaryMaker(core, state, summarizer, instructions)
  }

  get maxInputTokens(): number {
    return this.#summarizer.maxInputTokens
  }

  /** Whether a model is behind it, and answers as far as is known. */
  get asksModel(): boolean {
    return this.#summarizer.id !== deterministicId && !this.#refused
  }

  async #ask(summarizer: Summarizer, request: SummaryRequest): ReturnType<Summarizer['summarize']> {
    await this.#begin()
    const answer = readAnswer(await summarizer.summarize(request))
    if (answer.usage !== undefined) {
      const { usage, cost } = this.#spent ?? { usage: noUsage, cost: 0 }
      this.#spent = {
        usage: addUsage(usage, answer.usage),
        cost: cost === null || answer.cost == null ? null : cost + answer.cost,
      }
    }
    return answer
  }

  /**
   * One node for a run of the frontier: raw entries become a leaf, summaries a condensed node, one alone is made anew. What is
   * raw between summaries becomes a child, too: those `bridges` come first.
   */
  async make(items: readonly Shown[], options: MakeOptions): Promise<{ made: SummaryOutcome; bridges: readonly Summary[] }> {
    const { counter, recall } = this.#state.show
    const { clock, timers, ids } = this.#core.runtime
    const { replaces } = options
    this.#begin = options.begin
    const bridges = replaces === undefined ? this.#bridges(items) : new Map<Shown, Summary>()
    const children = replaces === undefined ? childrenOf(items, bridges) : await this.#childrenOf(replaces)
    const isLeaf = children.length === 0
    const shown = !isLeaf ? [] : replaces === undefined ? entriesOf(items) : await this.#entriesIn(replaces.covers)
    const entries = await wholeEntries(this.#core, shown)
    const made = await makeSummary({
      kind: isLeaf ? 'leaf' : 'condensed',
      covers: replaces?.covers ?? (isLeaf ? coverageOf(entries) : unionOf(children)),
      children: await wholeSummaries(this.#core, children),
      sources: isLeaf ? sourcesOf(entries.filter(isSaid)) : await this.#sourcesBeneath(children, replaces),
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
    return { made, bridges: [...bridges.values()] }
  }

  /** A node for each raw run between summaries, by its first place. */
  #bridges(items: readonly Shown[]): ReadonlyMap<Shown, Summary> {
    const { counter, recall } = this.#state.show
    const { clock, ids: newId } = this.#core.runtime
    const found = new Map<Shown, Summary>()
    if (!items.some(({ kind }) => kind === 'summary')) return found
    for (let from = 0; from < items.length; from++) {
      let to = from
      while (items[to]?.kind === 'entry') to++
      if (to === from) continue
      const run = items.slice(from, to)
      const entries = entriesOf(run)
      const scope = { kind: 'leaf', children: [], covers: coverageOf(entries), sourceTokens: sumTokens(run) } as const
      const sources = sourcesOf(entries.filter(isSaid))
      found.set(run[0] as Shown, bridgeSummary({ ...scope, sources, counter, recall, clock, newId }))
      from = to
    }
    return found
  }

  /** What a node would be, for a plan that makes none. */
  guess(items: readonly Shown[]): Summary {
    const children = childrenOf(items, this.#bridges(items))
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

  /** What its requests used since this was asked last, to be counted with the session's. Law C69. */
  usageDraft(outcome: string): Draft[] {
    if (this.#spent === undefined) return []
    const used = {
      requestId: this.#core.runtime.ids('req'),
      purpose: 'compaction',
      model: this.#summarizer.id,
      entry: null,
      ...this.#spent,
      outcome,
    }
    this.#spent = undefined
    return [draft('usage_recorded', used, { by: 'compaction' })]
  }

  /** Nodes that are stored, fit this frontier and are not shown in it: made before, or on a branch that was left. */
  async prepared(items: readonly Shown[]): Promise<Summary[]> {
    const shown = new Set(items.flatMap(item => (item.kind === 'summary' ? [item.summary.id] : [])))
    const raw = items.flatMap(item => (item.kind === 'entry' ? [item.entry.seq] : []))
    const mayReplace = items.some(item => item.kind === 'summary' && item.summary.provisional)
    // A node is newer than what it covers.
    const oldest = mayReplace ? 0 : raw.reduce((least, seq) => Math.min(least, seq), Infinity)
    const begins = new Set(items.map(firstOf))
    const ends = new Set(items.map(lastOf))
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
        if (begins.has(entry.data.covers.first) && ends.has(entry.data.covers.last)) found.push(entry.data)
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

  /** What a condensed node is made from. One that is made anew is made from the originals, if the summarizer takes them. */
  async #sourcesBeneath(children: readonly Summary[], replaces: Summary | undefined): Promise<readonly Source[]> {
    if (replaces !== undefined && replaces.covers.tokens <= 0.75 * this.#summarizer.maxInputTokens) {
      const sources = sourcesOf((await this.#entriesIn(replaces.covers)).filter(isSaid))
      if (sources.length > 0) return sources
    }
    return (await this.#leafSources(children)).filter(source => source.text !== '')
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

/** Asked without a usable model, it fails each time with the reason, so that what needs none goes on. */
const unusable = (id: string, error: unknown): Summarizer => ({
  id,
  maxInputTokens: 100_000,
  summarize: async () => {
    throw error
  },
})

/** The nodes of a run with summaries in it, what is raw between them by its bridge. */
function childrenOf(items: readonly Shown[], bridges: ReadonlyMap<Shown, Summary>): Summary[] {
  return items.flatMap(item => (item.kind === 'summary' ? [item.summary] : (bridges.get(item) ?? [])))
}
const entriesOf = (items: readonly Shown[]): ContextEntry[] => items.flatMap(item => (item.kind === 'entry' ? [item.entry] : []))

function coverageOf(entries: readonly ContextEntry[]): Coverage {
  const ids = entries.map(({ id }) => id)
  return {
    first: ids[0] as EntryId,
    last: ids.at(-1) as EntryId,
    entries: entries.length,
    tokens: entries.reduce((sum, { tokens }) => sum + tokens, 0),
    fromAt: entries.reduce((least, { at }) => Math.min(least, at), Infinity),
    toAt: entries.reduce((most, { at }) => Math.max(most, at), 0),
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
