import type { EntryId } from '#kernel'
import type { PartRef, Summary } from '#journal'
import { swapIn } from './edit.ts'
import { type Group, groupsOf, sumTokens } from './groups.ts'
import { planPrune, type PruneSettings, resultsOf } from './prune.ts'
import { firstOf, type Shown, type ShownEntry, type ShowOptions, shownPartTokens } from './shown.ts'
import { inTail, type Tail, tailOf } from './tail.ts'

export interface PlanSettings {
  readonly keepTokens: number
  readonly leafTokens: number
  readonly fanout: number
  readonly summaryShare: number
  readonly prune: PruneSettings
}

/** What a plan looks at. `projected`, `target` and `usable` are tokens of the next request, as the model counts. */
export interface PlanState {
  readonly items: readonly Shown[]
  readonly projected: number
  readonly target: number
  readonly usable: number
  /** Model tokens per estimated token. */
  readonly factor: number
  readonly settings: PlanSettings
  /** Nodes that are stored and not shown, oldest range first. */
  readonly prepared: readonly Summary[]
  /** Where runs begin that are too small for a node. */
  readonly tooSmall?: ReadonlySet<EntryId>
  /** Tokens that the summarizer takes. */
  readonly summarizerInput: number
  /** Of the newest turns only so many stay as they are. */
  readonly keepTurns?: number
  /** Goes on to the last leaf, whatever the target. */
  readonly allLeaves?: boolean
  /** Steps that are behind. */
  readonly done: { readonly prune: boolean }
}

/** The next thing to do. `from` and `to`: places in the frontier, inclusive. */
export type Step =
  | { readonly do: 'prune'; readonly refs: readonly PartRef[] }
  | { readonly do: 'swap'; readonly summary: Summary }
  | { readonly do: 'leaf'; readonly from: number; readonly to: number }
  | { readonly do: 'condense'; readonly from: number; readonly to: number }
  | { readonly do: 'cut'; readonly ref: PartRef; readonly tokens: number }

/** A leaf is not worth it below this; only a request that doesn't fit takes smaller ones, and none below the second. */
const leafMinimum = 500
const leafFloor = 120
const cutAbove = 2_000
const cutTo = 1_000
/** A cut below this shows nothing any more. */
const cutFloor = 50

/**
 * What comes next on the way to the target; undefined when it is reached, or nothing is left to do. Pure: the same state
 * gives the same step. Source: spec/context.md 5.
 */
export function nextStep(state: PlanState, options: ShowOptions): Step | undefined {
  const { projected, target, usable } = state
  const reached = projected <= target
  if (reached && state.allLeaves !== true) return undefined
  const groups = groupsOf(state.items)
  const tail = tailOf(groups, state.settings.keepTokens, state.keepTurns)
  if (!state.done.prune) {
    const { refs } = planPrune(state.items, groups, tail, state.settings.prune, options)
    if (refs.length > 0) return { do: 'prune', refs }
  }
  const ready = nextPrepared(state)
  if (ready !== undefined) return { do: 'swap', summary: ready }
  const leaf = nextLeaf(state, groups, tail)
  if (leaf !== undefined) return leaf
  if (reached) return undefined
  const pair = nextCondensation(state)
  if (pair !== undefined) return pair
  return projected < usable ? undefined : nextCut(state, groups, tail, options)
}

/** Of the nodes that fit where they would stand the oldest; the wider of two that begin alike, then the newer. */
function nextPrepared({ items, prepared }: PlanState): Summary | undefined {
  const shown = new Set(items.flatMap(item => (item.kind === 'summary' ? [item.summary.id] : [])))
  const fitting = prepared.filter(node => !shown.has(node.id) && improves(items, node))
  const place = (node: Summary): number => node.covers.fromAt
  return fitting.sort(
    (a, b) => place(a) - place(b) || b.covers.entries - a.covers.entries || b.made.at - a.made.at || (a.id < b.id ? 1 : -1),
  )[0]
}

/** Whether a node covers what is raw, or stands for one that was made without a model, and the frontier gets smaller or better. */
function improves(items: readonly Shown[], node: Summary): boolean {
  const after = swapIn(items, node)
  if (after === undefined) return false
  const from = after.findIndex(item => item.kind === 'summary' && item.summary.id === node.id)
  const replaced = items.slice(from, from + items.length - after.length + 1)
  const [only] = replaced
  if (replaced.length === 1 && only?.kind === 'summary') return node.replaces === only.summary.id
  return sumTokens(replaced) > node.tokens || (node.provisional === false && replaced.some(item => item.kind === 'summary'))
}

/** The oldest run of raw groups outside the tail, as much of it as a leaf takes. */
function nextLeaf(state: PlanState, groups: readonly Group[], tail: Tail): Step | undefined {
  const { settings, projected, usable } = state
  const most = Math.min(settings.leafTokens, Math.floor(0.75 * state.summarizerInput))
  const least = projected >= usable ? leafFloor : leafMinimum
  for (let at = 0; at < groups.length;) {
    const first = groups[at]
    if (first === undefined || inTail(tail, at)) {
      at++
      continue
    }
    let end = at
    let tokens = first.tokens
    for (let next = groups[end + 1]; next !== undefined; next = groups[end + 1]) {
      if (inTail(tail, end + 1) || next.from !== (groups[end]?.to ?? 0) + 1 || tokens + next.tokens > most) break
      tokens += next.tokens
      end++
    }
    const to = groups[end]?.to ?? first.to
    if (tokens >= least && !isTooSmall(state, first.from)) return { do: 'leaf', from: first.from, to }
    at = end + 1
  }
  return undefined
}

/** Nodes side by side that become one: `fanout` of one depth while summaries take too much, any two while nothing fits. */
function nextCondensation(state: PlanState): Step | undefined {
  const { items, settings, usable, projected, factor } = state
  const runs: { from: number; to: number; depth: number }[] = []
  for (const [at, item] of items.entries()) {
    if (item.kind !== 'summary') continue
    const last = runs.at(-1)
    if (last?.to === at - 1 && last.depth === item.summary.depth) last.to = at
    else runs.push({ from: at, to: at, depth: item.summary.depth })
  }
  const share = factor * items.reduce((sum, item) => sum + (item.kind === 'summary' ? item.tokens : 0), 0)
  if (share > settings.summaryShare * usable) {
    const long = runs.filter(run => run.to - run.from + 1 >= settings.fanout && !isTooSmall(state, run.from))
    const [lowest] = long.sort((a, b) => a.depth - b.depth || a.from - b.from)
    if (lowest !== undefined) return { do: 'condense', from: lowest.from, to: lowest.from + settings.fanout - 1 }
  }
  if (projected < usable) return undefined
  const at = items.findIndex(
    (item, index) => item.kind === 'summary' && items[index + 1]?.kind === 'summary' && !isTooSmall(state, index),
  )
  return at < 0 ? undefined : { do: 'condense', from: at, to: at + 1 }
}

function isTooSmall({ items, tooSmall }: PlanState, at: number): boolean {
  const item = items[at]
  return item !== undefined && tooSmall?.has(firstOf(item)) === true
}

/** The last means: large parts of the tail, then its results, then the newest user message. */
function nextCut(state: PlanState, groups: readonly Group[], tail: Tail, options: ShowOptions): Step | undefined {
  const kept = groups.filter((_, at) => inTail(tail, at))
  const user = groups[tail.user]
  const entries = kept.flatMap(group => state.items.slice(group.from, group.to + 1).map(item => ({ item, group })))
  const parts = entries.flatMap(({ item, group }) =>
    item.kind === 'entry' && item.hidden === undefined ? cuttable(item, options).map(part => ({ ...part, group })) : [],
  )
  const [largest] = parts
    .filter(part => part.group !== user && part.tokens > cutAbove && !part.isCut)
    .sort((a, b) => b.tokens - a.tokens)
  if (largest !== undefined) return { do: 'cut', ref: largest.ref, tokens: cutTo }
  const result = kept
    .filter(group => group !== user)
    .flatMap(group => resultsOf(state.items, group, options).reverse())
    .find(one => one.tokens > cutFloor)
  if (result !== undefined) return { do: 'prune', refs: [result.ref] }
  const [ask] = parts.filter(part => part.group === user && !part.isCut).sort((a, b) => b.tokens - a.tokens)
  if (ask === undefined || ask.tokens <= cutFloor) return undefined
  const over = Math.ceil((state.projected - state.usable + 1) / state.factor) + cutFloor
  return { do: 'cut', ref: ask.ref, tokens: Math.max(cutFloor, ask.tokens - over) }
}

function cuttable(item: ShownEntry, options: ShowOptions): { ref: PartRef; tokens: number; isCut: boolean }[] {
  return item.entry.message.parts.flatMap((part, index) =>
    (part.type === 'text' || part.type === 'tool_result') && !item.pruned.includes(index)
      ? [
          {
            ref: `${item.entry.id}#${index}` as const,
            tokens: shownPartTokens(item, index, options),
            isCut: item.cut.some(one => one.part === index),
          },
        ]
      : [],
  )
}
