import type { TurnId } from '#kernel'
import { type Entry, isType, type ToolCallPart, type ToolResultPart } from '#journal'
import { beginsTurn } from './commit-cursor.ts'

export interface EndAsk {
  /** Where the caller wants the range to end, by its place in the journal. */
  readonly throughSeq?: number
  readonly keepTurns: number
  /** The turn whose run goes on. */
  readonly running: TurnId | null
  /** Calls at the very end whose results may still come are sealed, too. */
  readonly sealsOpenCalls: boolean
}

/**
 * The last entry of the live ones that can be sealed: never between a call and its result, never inside a turn whose run is
 * going, never in the turns that are kept. Undefined: no message is left to seal. Pure. Law M16.
 */
export function chooseEnd(live: readonly Entry[], ask: EndAsk): Entry | undefined {
  let count = live.length
  const before = (index: number): void => void (count = Math.min(count, Math.max(0, index)))
  if (ask.throughSeq !== undefined) before(live.findLastIndex(({ seq }) => seq <= (ask.throughSeq ?? 0)) + 1)
  if (ask.keepTurns > 0) before(keptFrom(live, ask.keepTurns))
  const going = ask.running === null ? -1 : live.findIndex(({ turn }) => turn === ask.running)
  if (going >= 0) before(going)
  for (const { from, to } of callSpans(live, ask.sealsOpenCalls)) if (from < count && to >= count) before(from)
  const sealed = live.slice(0, count)
  return sealed.some(isMessage) ? sealed.at(-1) : undefined
}

export const isMessage = (entry: Entry): boolean => isType(entry, 'message_added')

/** Where the newest `turns` asks begin. */
function keptFrom(live: readonly Entry[], turns: number): number {
  const begins = live.flatMap((entry, index) => (beginsTurn(entry) ? [index] : []))
  return begins.at(-turns) ?? 0
}

/**
 * From each message with calls to the last of their results, the newest first. A call without a result is open as long as
 * nothing but results stands behind it: its span then reaches beyond the end.
 */
function callSpans(live: readonly Entry[], sealsOpenCalls: boolean): { from: number; to: number }[] {
  const results = new Map<string, number[]>()
  for (const [index, entry] of live.entries())
    for (const callId of resultsIn(entry)) results.set(callId, [...(results.get(callId) ?? []), index])
  const lastOther = live.findLastIndex(entry => isType(entry, 'message_added') && entry.data.role !== 'tool')
  const spans = live.flatMap((entry, from) => {
    const calls = callsIn(entry)
    if (calls.length === 0) return []
    // An id may be used again: a call's results are those before the next call of the same id.
    const until = live.findIndex((later, at) => at > from && callsIn(later).some(id => calls.includes(id)))
    const ends = calls.map(id => results.get(id)?.findLast(at => at > from && (until < 0 || at < until)))
    const isOpen = !sealsOpenCalls && from === lastOther && ends.includes(undefined)
    return [{ from, to: isOpen ? live.length : Math.max(from, ...ends.map(at => at ?? from)) }]
  })
  return spans.reverse()
}

const callsIn = (entry: Entry): string[] =>
  isType(entry, 'message_added') && entry.data.role === 'assistant' && entry.data.finishReason !== 'error'
    ? entry.data.parts.filter((part): part is ToolCallPart => part.type === 'tool_call').map(({ callId }) => callId)
    : []

const resultsIn = (entry: Entry): string[] =>
  isType(entry, 'message_added')
    ? entry.data.parts.filter((part): part is ToolResultPart => part.type === 'tool_result').map(({ callId }) => callId)
    : []
