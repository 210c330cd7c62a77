import type { Shown } from './shown.ts'

/**
 * What is never split: a user message with its notes, or an assistant message with all its tool results, also results that
 * stand further on. `from` and `to` are places in the frontier, both inclusive. Law C15.
 */
export interface Group {
  readonly from: number
  readonly to: number
  readonly tokens: number
  /** Groups of one turn have the same key. */
  readonly turn: string
  /** Whether a person speaks in it. */
  readonly user: boolean
}

interface Open {
  from: number
  to: number
  turn: string
  user: boolean
  /** Holds nothing but notes so far: what comes next is what they belong to. */
  notes: boolean
}

/** The groups of the raw entries of a frontier, in order; summaries stand between them and belong to none. */
export function groupsOf(items: readonly Shown[]): Group[] {
  const found: Open[] = []
  /** Where each open call stands. */
  const calls = new Map<string, number>()
  let turn = ''
  for (const [at, item] of items.entries()) {
    if (item.kind === 'summary') continue
    const { entry } = item
    const { role, parts } = entry.message
    const last = found.at(-1)
    const isNote = entry.note !== undefined
    const isUser = role === 'user' && !isNote
    turn = entry.turn ?? (isUser || turn === '' ? entry.id : turn)
    if (last?.to === at - 1 && (last.notes || isNote || role === 'tool')) {
      last.to = at
      if (last.notes && !isNote) Object.assign(last, { notes: false, user: isUser, turn })
    } else found.push({ from: at, to: at, turn, user: isUser, notes: isNote })
    for (const part of parts) {
      if (part.type === 'tool_call') calls.set(part.callId, at)
      if (part.type !== 'tool_result') continue
      const asked = calls.get(part.callId)
      calls.delete(part.callId)
      if (asked !== undefined) joinFrom(found, placeOf(found, asked), at)
    }
  }
  return found.map(({ from, to, turn: of, user }) => ({ from, to, turn: of, user, tokens: sumTokens(items, from, to) }))
}

/** The group of an item. */
function placeOf(groups: readonly Open[], item: number): number {
  let low = 0
  let high = groups.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if ((groups[middle] as Open).from <= item) low = middle
    else high = middle - 1
  }
  return low
}

/** All groups from one on become one that ends with an item. */
function joinFrom(groups: Open[], place: number, to: number): void {
  const group = groups[place]
  if (group === undefined || place === groups.length - 1) return
  group.user ||= groups.slice(place + 1).some(({ user }) => user)
  group.to = to
  groups.length = place + 1
}

export function sumTokens(items: readonly Shown[], from = 0, to: number = items.length - 1): number {
  let sum = 0
  for (let i = from; i <= to; i++) sum += items[i]?.tokens ?? 0
  return sum
}
