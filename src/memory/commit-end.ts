import { type Entry, isType, type ToolCallPart, type ToolResultPart } from '#journal'

/**
 * How many of the first `count` live entries can be sealed: never between a call and its result. With `sealsOpenCalls` calls at
 * the very end whose results may still come are sealed, too. `live` is what is live, or what stands around that place. Pure.
 * Law M16.
 */
export function clearCount(live: readonly Entry[], count: number, sealsOpenCalls: boolean): number {
  let end = count
  for (const { from, to } of callSpans(live, sealsOpenCalls)) if (from < end && to >= end) end = from
  return end
}

export const isMessage = (entry: Entry): boolean => isType(entry, 'message_added')

/** A message that nobody's result can be: what stands before it needs nothing of what stands behind. */
export const isSaid = (entry: Entry): boolean => isType(entry, 'message_added') && entry.data.role !== 'tool'

/**
 * From each message with calls to the last of their results, the newest first. A call without a result is open as long as
 * nothing but results stands behind it: its span then reaches beyond the end.
 */
function callSpans(live: readonly Entry[], sealsOpenCalls: boolean): { from: number; to: number }[] {
  const results = new Map<string, number[]>()
  for (const [index, entry] of live.entries())
    for (const callId of resultsIn(entry)) results.set(callId, [...(results.get(callId) ?? []), index])
  const lastOther = live.findLastIndex(isSaid)
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

/** Ids of calls that none of these entries is a result of. Pure. */
export function openCalls(entries: readonly Entry[]): Set<string> {
  const open = new Set<string>()
  for (const entry of entries) {
    for (const id of callsIn(entry)) open.add(id)
    for (const id of resultsIn(entry)) open.delete(id)
  }
  return open
}

export const callsIn = (entry: Entry): string[] =>
  isType(entry, 'message_added') && entry.data.role === 'assistant' && entry.data.finishReason !== 'error'
    ? entry.data.parts.filter((part): part is ToolCallPart => part.type === 'tool_call').map(({ callId }) => callId)
    : []

export const resultsIn = (entry: Entry): string[] =>
  isType(entry, 'message_added')
    ? entry.data.parts.filter((part): part is ToolResultPart => part.type === 'tool_result').map(({ callId }) => callId)
    : []
