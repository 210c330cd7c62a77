import type { EntryId } from '#kernel'
import type { PartRef, Summary } from '#journal'
import { type Group, groupsOf } from './groups.ts'
import { planPrune, type PruneSettings, resultsOf } from './prune.ts'
import { firstOf, lastOf, type Shown, type ShownEntry, type ShowOptions, shownPartTokens } from './shown.ts'
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
  /** Nodes that are stored and not shown. */
  readonly prepared: readonly Summary[]
  /** Where runs begin that are too small for a node. */
  readonly tooSmall?: ReadonlySet<EntryId>
  /** Parts that get no smaller by what can be shown in their place. */
  readonly asSmall?: ReadonlySet<PartRef>
  /** Tokens that the summarizer takes. */
  readonly summarizerInput: number
  /** Of the newest turns only so many stay as they are. */
  readonly keepTurns?: number
  /** Goes on to the last leaf, whatever the target. */
  readonly allLeaves?: boolean
  /** Steps that are behind. */
  readonly done: { readonly prune: boolean }
}

/** A run of the frontier: places, inclusive. */
export interface Run {
  readonly from: number
  readonly to: number
}

/**
 * The next thing to do. Leaves are made one after the other, as long as `isWanted` says so of them. A condensation takes what
 * is raw between its nodes along: too small for a node of its own, it would keep them apart for ever.
 */
export type Step =
  | { readonly do: 'prune'; readonly refs: readonly PartRef[] }
  | { readonly do: 'swap'; readonly summaries: readonly Summary[] }
  | { readonly do: 'leaves'; readonly runs: readonly (Run & { readonly tokens: number })[] }
  | ({ readonly do: 'condense' } & Run)
  | { readonly do: 'cut'; readonly cuts: readonly { readonly ref: PartRef; readonly tokens: number }[] }

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
  const { projected, usable } = state
  if (isReached(state) && state.allLeaves !== true) return undefined
  const groups = groupsOf(state.items)
  const tail = tailOf(groups, keptTokens(state), state.keepTurns)
  if (!state.done.prune) {
    const { refs } = planPrune(state.items, groups, tail, state.settings.prune, options)
    if (refs.length > 0) return { do: 'prune', refs }
  }
  const summaries = nextPrepared(state, groups)
  if (summaries.length > 0) return { do: 'swap', summaries }
  const runs = nextLeaves(state, groups, tail)
  if (runs.length > 0) return { do: 'leaves', runs }
  if (isReached(state)) return undefined
  const run = nextCondensation(state, groups, tail)
  if (run !== undefined) return { do: 'condense', ...run }
  return projected < usable ? undefined : nextCut(state, groups, tail, options)
}

const isReached = ({ projected, target }: PlanState): boolean => projected <= target

/** Whether a leaf of so many tokens is still to be made; asked again as the leaves before it lower what is projected. */
export function isWanted(state: Omit<PlanState, 'items'>, tokens: number): boolean {
  const { projected, target, usable, allLeaves } = state
  if (projected <= target && allLeaves !== true) return false
  return tokens >= (projected >= usable ? leafFloor : leafMinimum)
}

/** In estimated tokens; a request that doesn't fit keeps no more than a share of it, whatever is set. */
function keptTokens({ settings, factor, projected, usable }: PlanState): number {
  const kept = Math.floor(settings.keepTokens / Math.max(1, factor))
  return projected < usable ? kept : Math.min(kept, Math.floor(usable / (8 * factor)))
}

/** The nodes to swap in, oldest place first; the wider of two that begin alike, then the newer. As many as are needed. */
function nextPrepared(state: PlanState, groups: readonly Group[]): Summary[] {
  const { items, prepared, factor, target, allLeaves, usable } = state
  if (prepared.length === 0) return []
  const begins = placesOf(items, groups, 'from', firstOf)
  const ends = placesOf(items, groups, 'to', lastOf)
  const tokensBefore = [0]
  for (const { tokens } of items) tokensBefore.push((tokensBefore.at(-1) ?? 0) + tokens)
  const fitting = prepared.flatMap(node => {
    const from = begins.get(node.covers.first)
    const to = ends.get(node.covers.last)
    return from === undefined || to === undefined || from > to ? [] : [{ node, from, to }]
  })
  fitting.sort((a, b) => a.from - b.from || b.to - a.to || b.node.made.at - a.node.made.at || (a.node.id < b.node.id ? 1 : -1))
  let { projected } = state
  let next = 0
  const chosen: Summary[] = []
  for (const { node, from, to } of fitting) {
    if (projected <= target && allLeaves !== true) break
    if (from < next) continue
    const saved = (tokensBefore[to + 1] ?? 0) - (tokensBefore[from] ?? 0) - node.tokens
    const only = from === to ? items[from] : undefined
    const isBetter =
      only?.kind === 'summary' ? node.replaces === only.summary.id && projected - factor * saved < usable : saved > 0
    if (!isBetter) continue
    chosen.push(node)
    projected -= factor * saved
    next = to + 1
  }
  return chosen
}

/** Where a node may begin or end: at a summary, or where a group does. */
function placesOf(
  items: readonly Shown[],
  groups: readonly Group[],
  end: 'from' | 'to',
  idOf: (item: Shown) => EntryId,
): ReadonlyMap<EntryId, number> {
  const places = new Map<EntryId, number>()
  for (const group of groups) places.set(idOf(items[group[end]] as Shown), group[end])
  for (const [at, item] of items.entries()) if (item.kind === 'summary') places.set(idOf(item), at)
  return places
}

/** The runs of raw groups outside the tail, oldest first, each as long as a leaf may be. */
function nextLeaves(state: PlanState, groups: readonly Group[], tail: Tail): (Run & { tokens: number })[] {
  const most = Math.min(state.settings.leafTokens, Math.floor(0.75 * state.summarizerInput))
  const runs: { from: number; to: number; tokens: number }[] = []
  let open: (typeof runs)[number] | undefined
  for (const [at, { from, to, tokens }] of groups.entries()) {
    if (inTail(tail, at)) open = undefined
    else if (open?.to === from - 1 && open.tokens + tokens <= most) {
      open.to = to
      open.tokens += tokens
    } else runs.push((open = { from, to, tokens }))
  }
  return runs.filter(run => isWanted(state, run.tokens) && !isTooSmall(state, run.from))
}

/** Nodes side by side that become one: `fanout` of one depth while summaries take too much, any two while nothing fits. */
function nextCondensation(state: PlanState, groups: readonly Group[], tail: Tail): Run | undefined {
  const { items, settings, usable, projected, factor } = state
  const kept = new Set(groups.flatMap((group, at) => (inTail(tail, at) ? [group.from] : [])))
  /** Nodes with nothing between them that has to stay. */
  const rows: { depth: number; at: number }[][] = [[]]
  let share = 0
  for (const [at, item] of items.entries()) {
    if (item.kind === 'summary') {
      rows.at(-1)?.push({ depth: item.summary.depth, at })
      share += item.tokens
    } else if (kept.has(at)) rows.push([])
  }
  if (factor * share > settings.summaryShare * usable) {
    const [lowest] = rows
      .flatMap(row => runsOf(levelled(row), settings.fanout))
      .filter(run => !isTooSmall(state, run.from))
      .sort((a, b) => a.depth - b.depth || a.from - b.from)
    if (lowest !== undefined) return { from: lowest.from, to: lowest.to }
  }
  if (projected < usable) return undefined
  for (const row of rows)
    for (const [place, { at }] of row.entries()) {
      const next = row[place + 1]
      if (next !== undefined && !isTooSmall(state, at)) return { from: at, to: next.at }
    }
  return undefined
}

/**
 * Depths as they would be without pressure, the deeper the older. A node with a deeper one after it finds no others of its own
 * depth any more, so it goes with those.
 */
function levelled(row: readonly { readonly depth: number; readonly at: number }[]): { depth: number; at: number }[] {
  let least = 0
  return row
    .toReversed()
    .map(({ depth, at }) => ({ at, depth: (least = Math.max(least, depth)) }))
    .reverse()
}

/** The first so many of each stretch of one depth that has as many. */
function runsOf(row: readonly { readonly depth: number; readonly at: number }[], count: number): (Run & { depth: number })[] {
  const runs: (Run & { depth: number })[] = []
  for (let first = 0, place = 0; place < row.length; place++) {
    const [begin, node] = [row[first], row[place]]
    if (begin === undefined || node === undefined) break
    if (node.depth !== begin.depth) first = place
    else if (place - first + 1 === count) runs.push({ depth: node.depth, from: begin.at, to: node.at })
  }
  return runs
}

function isTooSmall({ items, tooSmall }: PlanState, at: number): boolean {
  const item = items[at]
  return item !== undefined && tooSmall?.has(firstOf(item)) === true
}

/** The last means: large parts of the tail, then its results, then the newest user message. */
function nextCut(state: PlanState, groups: readonly Group[], tail: Tail, options: ShowOptions): Step | undefined {
  const { items, projected, usable, factor, asSmall } = state
  const kept = groups.filter((_, at) => inTail(tail, at))
  const user = groups[tail.user]
  const others = kept.filter(group => group !== user)
  const over = Math.ceil((projected - usable + 1) / factor)
  const large = others
    .flatMap(group => partsOf(items, group, options))
    .filter(part => part.tokens > cutAbove && !part.isCut && asSmall?.has(part.ref) !== true)
    .sort((a, b) => b.tokens - a.tokens)
  const cuts = asMany(large, over, part => part.tokens - cutTo).map(({ ref }) => ({ ref, tokens: cutTo }))
  if (cuts.length > 0) return { do: 'cut', cuts }
  const results = others
    .flatMap(group => resultsOf(items, group, options).reverse())
    .filter(result => result.tokens > cutFloor && asSmall?.has(result.ref) !== true)
  const refs = asMany(results, over, result => result.tokens - cutFloor).map(({ ref }) => ref)
  if (refs.length > 0) return { do: 'prune', refs }
  const [ask] = (user === undefined ? [] : partsOf(items, user, options))
    .filter(part => part.tokens > cutFloor && asSmall?.has(part.ref) !== true)
    .sort((a, b) => b.tokens - a.tokens)
  if (ask === undefined) return undefined
  return { do: 'cut', cuts: [{ ref: ask.ref, tokens: Math.max(cutFloor, ask.tokens - over) }] }
}

/** The first ones that together save so much. */
function asMany<T>(list: readonly T[], needed: number, saves: (item: T) => number): T[] {
  let left = needed
  return list.filter(item => {
    if (left <= 0) return false
    left -= saves(item)
    return true
  })
}

function partsOf(items: readonly Shown[], group: Group, options: ShowOptions): CutPart[] {
  return items.slice(group.from, group.to + 1).flatMap(item => (item.kind === 'entry' ? cuttable(item, options) : []))
}

interface CutPart {
  readonly ref: PartRef
  readonly tokens: number
  readonly isCut: boolean
}

function cuttable(item: ShownEntry, options: ShowOptions): CutPart[] {
  if (item.hidden !== undefined) return []
  return item.entry.message.parts.flatMap((part, index) =>
    (part.type === 'text' || part.type === 'tool_result' || part.type === 'tool_call') && !item.pruned.includes(index)
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
