import { type Clock, given, type NewId } from '#kernel'
import {
  type Anchor,
  type Coverage,
  type Quote,
  type Summary,
  type SummaryId,
  type SummaryLevel,
  trustOfSummary,
  trustsOf,
} from '#journal'
import { anchorsBudget, distinctAnchors, findAnchors, listAnchors, missingFrom, rankAnchors } from './anchors.ts'
import type { TokenCounter } from './count-tokens.ts'
import { deterministicText } from './deterministic.ts'
import { carriedOver, type ItemsLeft, itemsLeftBy, untoldTicks } from './open-items.ts'
import { fittingQuotes, quotesBudget, quotesOf } from './quotes.ts'
import { summaryTokens } from './render-summary.ts'
import { anchorText } from './sources.ts'
import type { Source } from './summarizer.ts'
import { touchedFiles, writing } from './touched-files.ts'

/** What is to be summarised, and by which rules it is counted and shown. */
export interface SummaryScope {
  readonly kind: Summary['kind']
  /** Of a leaf: its entries. Of a condensed node: the summaries that its text is made from. */
  readonly sources: readonly Source[]
  /** Of a condensed node: at least two, adjacent, in order. Of a leaf: none. */
  readonly children: readonly Summary[]
  readonly covers: Coverage
  /** What the range takes in the context now. */
  readonly sourceTokens: number
  readonly counter: TokenCounter
  readonly recall: boolean
  readonly replaces?: SummaryId
  readonly newId: NewId
  readonly clock: Clock
}

/** What the engine, not the model, keeps of a range: the same for every proposal. */
export interface Draft {
  readonly id: SummaryId
  readonly quotes: readonly Quote[]
  /** The most telling first. */
  readonly anchors: readonly Anchor[]
  /** Anchors that go first: what the user mentioned, files that were changed. */
  readonly first: ReadonlySet<string>
  readonly items: ItemsLeft
}

export type MadeBy = Pick<Summary['made'], 'by' | 'promptHash' | 'sourceHash' | 'inputCut' | 'usage'>

/** Reads a range once: its quotes, identifiers and open items, from the full texts. */
export function draftOf(scope: SummaryScope): Draft {
  const { sources, children, counter, recall, newId } = scope
  const id = newId('sum')
  if (children.length > 0) {
    const quotes = children.flatMap(child => child.quotes)
    const shown = children.flatMap(child => child.anchors.slice(0, child.listed?.shown ?? 0))
    const first = textsOf([...quotes.flatMap(quote => findAnchors(quote.text, quote.entry)), ...shown])
    const found = children.flatMap(child => [...child.anchors, ...findAnchors(child.text, child.covers.first)])
    const items = itemsLeftBy(children.map(child => [child.text, ...child.openItems, ...(child.closedItems ?? [])].join('\n')))
    return { id, quotes, anchors: mostTelling(found, first), first, items }
  }
  const found = sources.map(source => findAnchors(anchorText(source), source.ref as Anchor['entry']))
  const mentioned = found.filter((_, index) => sources[index]?.role === 'user').flat()
  const written = touchedFiles(sources).filter(file => file.operations.some(one => writing.has(one)))
  const first = textsOf([...mentioned, ...written.map(file => ({ text: file.path }))])
  return {
    id,
    quotes: quotesOf(sources, counter, recall),
    anchors: mostTelling(found.flat(), first),
    first,
    items: itemsLeftBy(sources.map(source => source.text)),
  }
}

/** What a range of usual size has many times over. Of what a condensed node must let go, its children keep theirs. Law C71. */
export const mostAnchors = 8_000

const mostTelling = (anchors: readonly Anchor[], first: ReadonlySet<string>): readonly Anchor[] =>
  rankAnchors(distinctAnchors(anchors), first).slice(0, mostAnchors)

const textsOf = (named: readonly { readonly text: string }[]): Set<string> => new Set(named.map(({ text }) => text))

interface Budgets {
  readonly quotes: number
  readonly anchors: number
  readonly items: number
}

/** What quotes and identifiers may take beside a text; open items stand whatever they take. Source: spec/context.md 6. */
export function usualBudgets({ kind, sourceTokens }: Pick<SummaryScope, 'kind' | 'sourceTokens'>): Budgets {
  return { quotes: quotesBudget(sourceTokens), anchors: anchorsBudget(sourceTokens, kind), items: Infinity }
}

/** The node of a text, with what must not be lost added to it. */
export function composeSummary(
  scope: SummaryScope,
  draft: Draft,
  text: string,
  made: MadeBy,
  { level, provisional = false, budgets }: { level: SummaryLevel; provisional?: boolean; budgets: Budgets },
): Summary {
  const { kind, covers, children, counter, recall, replaces, clock } = scope
  const missing = missingFrom(draft.anchors, text)
  const { shown, rest } = listAnchors(missing, { budget: budgets.anchors, counter })
  const lacking = new Set(missing)
  const openItems = newestWithin(carriedOver(draft.items.open, text), budgets.items, counter)
  const ticks = Math.min(ticksBudget(scope.sourceTokens), budgets.items - tokensOf(openItems, counter))
  const closedItems = newestWithin(untoldTicks(draft.items, text), ticks, counter)
  const summary: Summary = {
    id: draft.id,
    kind,
    depth: children.reduce((depth, child) => Math.max(depth, child.depth + 1), 0),
    covers,
    children: children.map(child => child.id),
    text,
    quotes: fittingQuotes(draft.quotes, budgets.quotes, counter, recall),
    anchors: [...shown, ...rest, ...draft.anchors.filter(anchor => !lacking.has(anchor))],
    ...(shown.length === 0 ? {} : { listed: { shown: shown.length, more: rest.length } }),
    openItems,
    ...(closedItems.length === 0 ? {} : { closedItems }),
    tokens: 0,
    level,
    provisional,
    trust: trustOf(scope),
    ...given({ replaces }),
    made: { ...made, at: clock.now() },
  }
  return { ...summary, tokens: summaryTokens(summary, counter) }
}

function trustOf({ sources, children }: Pick<SummaryScope, 'sources' | 'children'>): string {
  const said = trustsOf(sources.flatMap(({ message }) => message ?? []))
  return trustOfSummary([...said, ...children.map(({ trust }) => trust ?? 'generated-summary')])
}

/** What was ticked off stands beside the text so that nothing stands open again; it takes no more than this. */
const ticksBudget = (sourceTokens: number): number => Math.min(200, Math.floor(sourceTokens * 0.04))

const tokensOf = (items: readonly string[], counter: TokenCounter): number =>
  items.reduce((sum, item) => sum + counter.count(`${item}\n`), 0)

function newestWithin(items: readonly string[], budget: number, counter: TokenCounter): string[] {
  let room = budget
  const kept = items.toReversed().filter(item => (room -= counter.count(`${item}\n`)) >= 0)
  return kept.reverse()
}

/** Tokens of a node that says nothing: what no range can go below. */
export function bareTokens(scope: SummaryScope, draft: Draft, made: MadeBy): number {
  const nothing = { ...draft, quotes: [], anchors: [], items: { open: [], closed: [], ticked: [] } }
  return composeSummary(scope, nothing, '', made, { level: 3, budgets: { quotes: 0, anchors: 0, items: 0 } }).tokens
}

export interface FittedOptions {
  /** Text, quotes, open items and identifiers as rendered: never more, if the bare node itself is not. */
  readonly limit: number
  readonly bare: number
  readonly level: SummaryLevel
  readonly provisional: boolean
  /** Of the text; without it everything has its share of the limit. */
  readonly targetTokens?: number
}

/** Makes a node without a model, within `limit`. Should its parts not fit together, all of them shrink alike until they do. */
export function fittedSummary(scope: SummaryScope, draft: Draft, made: MadeBy, options: FittedOptions): Summary {
  const { limit, bare, level, provisional, targetTokens } = options
  const room = Math.max(0, limit - bare)
  const usual = usualBudgets(scope)
  for (let scale = 1; scale > 1 / 256; scale *= 0.75) {
    const share = (of: number): number => Math.floor(room * of * scale)
    const quotes = Math.min(usual.quotes, share(0.2))
    const anchors = Math.min(usual.anchors, share(0.14))
    const text = Math.min(Math.floor((targetTokens ?? Infinity) * scale), share(0.4))
    const material = { sources: scope.sources, openItems: draft.items.open, targetTokens: text }
    const said = deterministicText(material, scope.counter)
    const budgets = { quotes, anchors, items: share(0.2) }
    const summary = composeSummary(scope, draft, said, made, { level, provisional, budgets })
    if (summary.tokens <= limit) return summary
  }
  const nothing = { quotes: 0, anchors: 0, items: 0 }
  return composeSummary(scope, draft, '', made, { level, provisional, budgets: nothing })
}
