import type { ShownEntry, ShowOptions } from '#context'
import type { ArchiveId, StoredArchive } from './archive-row.ts'
import { injected, type Injected, type Turn } from './archives-context-items.ts'

/** Of the budget, at most. Source: spec/memory.md 6. */
export const shares = { profile: 0.04, state: 0.08, archives: 0.31, recall: 0.16 } as const

export interface LeftOut {
  readonly what: 'archive' | 'turn' | 'profile' | 'state' | 'recall'
  readonly id: string
  readonly tokens: number
  readonly reason: 'budget'
}

export interface ShownArchive {
  readonly id: ArchiveId
  readonly abstract: string
  readonly as: 'overview' | 'abstract' | 'raw'
}

/** An archive of the branch with what it may be shown as. */
export interface ArchiveChoice {
  readonly archive: StoredArchive
  /** Of one that isn't ready: made on the spot. */
  readonly abstract: string
  /** Its messages, of one that isn't ready. */
  readonly raw: readonly Turn[]
}

export type Piece = { readonly kind: 'archive'; readonly choice: ArchiveChoice } | { readonly kind: 'turn'; readonly turn: Turn }

export interface PlanInput {
  readonly budget: number
  /** What is taken first: system, tools, prefill, the newest turn and what stands at the head. */
  readonly taken: number
  /** Behind the head and before the newest turn, oldest first. */
  readonly pieces: readonly Piece[]
  readonly profile: readonly Injected[]
  readonly state: readonly Injected[]
  readonly recall: readonly Injected[]
  readonly show: ShowOptions
}

export interface ArchivesPlan {
  readonly before: readonly ShownEntry[]
  /** State and recall, before the newest turn. */
  readonly beside: readonly ShownEntry[]
  readonly parts: {
    readonly profile: number
    readonly state: number
    readonly archives: number
    readonly recall: number
    readonly live: number
  }
  readonly archives: readonly ShownArchive[]
  readonly left: readonly LeftOut[]
  /** Turns that did not fit, oldest first. */
  readonly turnsLeft: readonly Turn[]
}

type Shown = { readonly as: 'overview' | 'abstract'; readonly text: Injected } | { readonly as: 'raw' }

/**
 * Takes each kind in its turn, each within its share of the budget and what is left: profile, state, the latest overview and
 * older abstracts newest first, recall by rank, other turns newest first. Pure. Laws M34, M35, M79.
 */
export function planArchives(input: PlanInput): ArchivesPlan {
  const { budget, pieces, show } = input
  let room = budget - input.taken
  const left: LeftOut[] = []
  const take = (what: LeftOut['what'], list: readonly Injected[], share: number): Injected[] => {
    let own = Math.min(room, Math.floor(budget * share))
    return list.filter(({ id, tokens }) => {
      if (tokens > own) return (left.push({ what, id, tokens, reason: 'budget' }), false)
      own -= tokens
      room -= tokens
      return true
    })
  }
  const profile = take('profile', input.profile, shares.profile)
  const state = take('state', input.state, shares.state)
  const choices = pieces.flatMap(piece => (piece.kind === 'archive' ? [piece.choice] : [])).reverse()
  const shown = takeArchives(choices, Math.min(room, Math.floor(budget * shares.archives)), show)
  let archiveTokens = 0
  for (const { text } of [...shown.values()].filter(one => one.as !== 'raw')) archiveTokens += text.tokens
  room -= archiveTokens
  const recall = take('recall', input.recall, shares.recall)
  const fitting = new Set<Turn>()
  const turnsLeft: Turn[] = []
  let live = 0
  for (const piece of pieces.toReversed()) {
    if (piece.kind !== 'turn') continue
    const { turn } = piece
    // Whole turns, newest first, without a gap.
    if (turnsLeft.length === 0 && turn.tokens <= room) {
      fitting.add(turn)
      room -= turn.tokens
      live += turn.tokens
    } else turnsLeft.unshift(turn)
  }
  // What isn't ready is shown as it was said where that fits, too.
  for (const { archive, raw } of choices) {
    const before = shown.get(archive.id)
    const tokens = raw.reduce((sum, turn) => sum + turn.tokens, 0)
    const freed = before === undefined || before.as === 'raw' ? 0 : before.text.tokens
    if (archive.data.state !== 'sealed' || tokens > room + freed) continue
    shown.set(archive.id, { as: 'raw' })
    room += freed - tokens
    archiveTokens += tokens - freed
  }
  for (const turn of turnsLeft) left.push({ what: 'turn', id: turn.id, tokens: turn.tokens, reason: 'budget' })
  for (const choice of choices)
    if (!shown.has(choice.archive.id))
      left.push({ what: 'archive', id: choice.archive.id, tokens: abstractItem(choice, show).tokens, reason: 'budget' })
  const before = [
    ...profile.map(({ item }) => item),
    ...pieces.flatMap(piece => {
      if (piece.kind === 'turn') return fitting.has(piece.turn) ? piece.turn.items : []
      const as = shown.get(piece.choice.archive.id)
      if (as === undefined) return []
      return as.as === 'raw' ? piece.choice.raw.flatMap(turn => turn.items) : [as.text.item]
    }),
  ]
  const sum = (list: readonly Injected[]): number => list.reduce((total, { tokens }) => total + tokens, 0)
  return {
    before,
    beside: [...state, ...recall].map(({ item }) => item),
    parts: { profile: sum(profile), state: sum(state), archives: archiveTokens, recall: sum(recall), live },
    archives: choices.toReversed().flatMap(({ archive, abstract }) => {
      const as = shown.get(archive.id)
      return as === undefined ? [] : [{ id: archive.id, abstract, as: as.as }]
    }),
    left,
    turnsLeft,
  }
}

/** The latest overview, then abstracts, newest first, until one doesn't fit: older ones drop out first. */
function takeArchives(choices: readonly ArchiveChoice[], share: number, show: ShowOptions): Map<ArchiveId, Shown> {
  const shown = new Map<ArchiveId, Shown>()
  let room = share
  const latest = choices.find(({ archive }) => archive.data.state !== 'sealed')
  for (const choice of choices) {
    const { archive } = choice
    const overview = choice === latest && archive.data.overview.trim() !== '' ? overviewItem(archive, show) : undefined
    if (overview !== undefined && overview.tokens <= room) {
      shown.set(archive.id, { as: 'overview', text: overview })
      room -= overview.tokens
      continue
    }
    const text = abstractItem(choice, show)
    if (text.tokens > room) break
    shown.set(archive.id, { as: 'abstract', text })
    room -= text.tokens
  }
  return shown
}

const overviewItem = (archive: StoredArchive, show: ShowOptions): Injected =>
  injected('overview', archive.id, archive.data.overview, archive.data.endedAt, show)

const abstractItem = ({ archive, abstract }: ArchiveChoice, show: ShowOptions): Injected =>
  injected('abstract', archive.id, abstract, archive.data.endedAt, show)
