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
  /** Whether it begins with a person's words. */
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

/** The groups of the raw entries of a frontier, in order; summaries stand between them and belong to none. Linear. */
export function groupsOf(items: readonly Shown[]): Group[] {
  const found: Open[] = []
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
      if (part.type === 'tool_call') calls.set(part.callId, found.length - 1)
      if (part.type !== 'tool_result') continue
      const asked = calls.get(part.callId)
      calls.delete(part.callId)
      // Merged groups end where their last result stands; places beyond the list mean the last group.
      const group = asked === undefined ? undefined : found[Math.min(asked, found.length - 1)]
      if (asked === undefined || group === undefined || asked >= found.length - 1) continue
      group.to = at
      found.length = asked + 1
    }
  }
  return found.map(({ from, to, turn: of, user }) => ({ from, to, turn: of, user, tokens: sumTokens(items, from, to) }))
}

export function sumTokens(items: readonly Shown[], from = 0, to: number = items.length - 1): number {
  let sum = 0
  for (let i = from; i <= to; i++) sum += items[i]?.tokens ?? 0
  return sum
}
