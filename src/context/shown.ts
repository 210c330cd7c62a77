import { type EntryId, given } from '#kernel'
import type { ContextNoted, FrontierItem, Message, Part, Summary, ToolResultPart } from '#journal'
import type { ContextEntry } from './context-entry.ts'
import { messageOverhead, messageTokens, partTokens, type TokenCounter } from './count-tokens.ts'
import { markPart } from './markers.ts'

/** An entry in the frontier, whole or with parts that are left out or cut. */
export interface ShownEntry {
  readonly kind: 'entry'
  readonly entry: ContextEntry
  readonly pruned: readonly number[]
  readonly cut: readonly { readonly part: number; readonly tokens: number }[]
  /** Why it is not shown at all, though nothing stands for it. */
  readonly hidden?: HiddenReason
  /** As it is shown. */
  readonly tokens: number
}

export interface HeadNote extends ShownEntry {
  readonly entry: ContextEntry & { readonly note: ContextNoted }
}

export type HiddenReason = 'failed_attempt' | 'note_replaced'

export interface ShownSummary {
  readonly kind: 'summary'
  readonly summary: Summary
  readonly tokens: number
}

/** One place of the frontier, with what it stands for. */
export type Shown = ShownEntry | ShownSummary

/** How things are counted and how markers speak. */
export interface ShowOptions {
  readonly counter: TokenCounter
  /** Whether the model has the recall tools, so that a marker may name them. */
  readonly recall: boolean
}

export function showEntry(
  entry: ContextEntry,
  options: ShowOptions,
  { pruned = [], cut = [] }: Partial<Pick<ShownEntry, 'pruned' | 'cut'>> = {},
): ShownEntry {
  const shown: ShownEntry = { kind: 'entry', entry, pruned, cut, tokens: 0 }
  if (entry.message.role === 'assistant' && entry.message.finishReason === 'error') return { ...shown, hidden: 'failed_attempt' }
  return { ...shown, tokens: tokensOf(shown, options) }
}

/** Of the head notes of one name only the newest is shown. */
export function hideReplaced(items: readonly Shown[]): readonly Shown[] {
  const newest = new Map<string, EntryId>()
  for (const item of items) if (isHeadNote(item)) newest.set(item.entry.note.name, item.entry.id)
  if (newest.size === 0) return items
  return items.map(item =>
    isHeadNote(item) && newest.get(item.entry.note.name) !== item.entry.id
      ? { ...item, hidden: 'note_replaced', tokens: 0 }
      : item,
  )
}

export function isHeadNote(item: Shown): item is HeadNote {
  return item.kind === 'entry' && item.entry.note?.place === 'head'
}

export function showSummary(summary: Summary): ShownSummary {
  return { kind: 'summary', summary, tokens: summary.tokens }
}

/** How the frontier is written down. */
export function itemOf(shown: Shown): FrontierItem {
  if (shown.kind === 'summary') return { summary: shown.summary.id }
  const { entry, pruned, cut } = shown
  return { entry: entry.id, ...(pruned.length === 0 ? {} : { pruned }), ...(cut.length === 0 ? {} : { cut }) }
}

export const firstOf = (shown: Shown): EntryId => (shown.kind === 'entry' ? shown.entry.id : shown.summary.covers.first)
export const lastOf = (shown: Shown): EntryId => (shown.kind === 'entry' ? shown.entry.id : shown.summary.covers.last)

/** A part as it is shown: itself, or what stands in its place. */
export function shownPart(shown: ShownEntry, index: number, options: ShowOptions): Part | undefined {
  const part = shown.entry.message.parts[index]
  if (part === undefined) return undefined
  const ref = `${shown.entry.id}#${index}` as const
  if (shown.pruned.includes(index))
    return markPart(part, ref, { kind: 'pruned', ...given({ tokens: onlyTokens(shown) }) }, options)
  const cut = shown.cut.find(one => one.part === index)
  if (cut !== undefined) return markPart(part, ref, { kind: 'cut', tokens: cut.tokens }, options)
  return outlineOf(part) === undefined ? part : markPart(part, ref, { kind: 'outline' }, options)
}

/** The message of an entry as it is shown; the same object when nothing of it is changed. */
export function shownMessage(shown: ShownEntry, options: ShowOptions): Message {
  const { message } = shown.entry
  if (isWhole(shown)) return message
  return { ...message, parts: message.parts.flatMap((_, index) => shownPart(shown, index, options) ?? []) }
}

const outlineOf = (part: Part): string | undefined => ('outline' in part ? part.outline : undefined)

function isWhole({ entry, pruned, cut }: ShownEntry): boolean {
  return pruned.length === 0 && cut.length === 0 && entry.message.parts.every(part => outlineOf(part) === undefined)
}

function tokensOf(shown: ShownEntry, options: ShowOptions): number {
  if (isWhole(shown)) return shown.entry.tokens
  // What is shown as it is has been counted with the rest; what it weighs alone is what the others leave.
  return messageTokens(shownMessage(shown, options), options.counter)
}

/** Whether a part is a tool's result whose content can be left out. */
export function isResult(part: Part | undefined): part is ToolResultPart {
  return part?.type === 'tool_result'
}

/** What a part weighs as it is shown. */
export function shownPartTokens(shown: ShownEntry, index: number, options: ShowOptions): number {
  const part = shownPart(shown, index, options)
  if (part === undefined) return 0
  // A part that stands alone weighs what its entry was counted at, also a file, the content of which is not at hand.
  return (part === shown.entry.message.parts[index] ? onlyTokens(shown) : undefined) ?? partTokens(part, options.counter)
}

/** Of the one part of an entry, what is left of the entry's count; undefined where there are more. */
function onlyTokens({ entry }: ShownEntry): number | undefined {
  return entry.message.parts.length === 1 ? Math.max(0, entry.tokens - messageOverhead) : undefined
}
