import type { EntryId, TurnId } from '#kernel'
import {
  type ContextEntry,
  fenced,
  messageTokens,
  type Shown,
  showEntry,
  type ShownEntry,
  type ShowOptions,
  sumTokens,
  tagsOf,
} from '#context'
import type { Message } from '#journal'

/** What stands in a context beside what is live, and what it weighs. */
export interface Injected {
  readonly id: string
  readonly tokens: number
  readonly item: ShownEntry
}

const tags = tagsOf('skein-memory')

/** Text of memory as data: in an envelope that it can neither close nor open anew. Source: spec/memory.md 6. */
export function injected(kind: string, id: string, text: string, at: number, show: ShowOptions): Injected {
  const part = { type: 'text' as const, text: fenced('skein-memory', { kind, id }, text, tags), origin: 'recall' as const }
  const message: Message = { role: 'user', parts: [part] }
  const entry: ContextEntry = { id: id as EntryId, seq: 0, at, message, tokens: messageTokens(message, show.counter) }
  const item = showEntry(entry, show)
  return { id, tokens: item.tokens, item }
}

/** An ask and all that came of it. */
export interface Turn {
  readonly id: string
  readonly items: readonly ShownEntry[]
  readonly tokens: number
}

export const turnOf = (items: readonly ShownEntry[]): Turn => ({
  id: items.find(({ entry }) => entry.note === undefined)?.entry.id ?? items[0]?.entry.id ?? '',
  items,
  tokens: sumTokens(items as readonly Shown[]),
})

/** Entries by asks, in order: a turn's own, or a user message outside of any and what follows it. Notes go with what they precede. */
export function turnsOf(items: readonly ShownEntry[]): Turn[] {
  const groups: ShownEntry[][] = []
  let turn: TurnId | undefined
  let notes: ShownEntry[] = []
  for (const item of items) {
    const { entry } = item
    if (entry.note !== undefined) {
      notes.push(item)
      continue
    }
    const isNew =
      groups.length === 0 ||
      (entry.turn === undefined ? entry.message.role === 'user' || turn !== undefined : entry.turn !== turn)
    if (isNew) groups.push([])
    groups.at(-1)?.push(...notes, item)
    notes = []
    turn = entry.turn
  }
  if (notes.length > 0) groups.push(notes)
  return groups.map(turnOf)
}
