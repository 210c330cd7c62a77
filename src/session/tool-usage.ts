import type { Entry } from '#journal'
import { isType } from '#journal'

/** Calls of a tool, how many of them did not end well, and how long they took. */
export interface ToolUsage {
  readonly tool: string
  readonly calls: number
  readonly errors: number
  readonly ms: number
}

/** The entries that tell of tool calls. */
export const toolTypes: readonly string[] = ['turn_ended', 'message_added', 'effect_begun', 'effect_settled']

/**
 * Tool calls by name: what a host told of a turn counts instead of that turn's own messages; how long the calls of a run took
 * is measured, from where its tool was entered to where its result was stored. Each call counts once. Law M78.
 */
export async function sumTools(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<ToolUsage[]> {
  const told = new Set<string>()
  const begun = new Map<string, number>()
  const took = new Map<string, number>()
  const sums = new Map<string, ToolUsage>()
  const results: { readonly tool: string; readonly place: string; readonly failed: boolean; readonly turn: string }[] = []
  const add = (tool: string, calls: number, errors: number, ms: number): void => {
    const before = sums.get(tool) ?? { tool, calls: 0, errors: 0, ms: 0 }
    sums.set(tool, { tool, calls: before.calls + calls, errors: before.errors + errors, ms: before.ms + ms })
  }
  for await (const entry of entries) {
    const turn = entry.turn ?? ''
    if (isType(entry, 'effect_begun')) begun.set(`${turn} ${entry.data.callId}`, entry.at)
    else if (isType(entry, 'effect_settled')) {
      const place = `${turn} ${entry.data.callId}`
      took.set(place, Math.max(0, entry.at - (begun.get(place) ?? entry.at)))
    } else if (isType(entry, 'turn_ended'))
      for (const { tool, calls, errors, ms } of entry.data.tools ?? []) {
        told.add(`${turn} ${tool}`)
        add(tool, calls, errors, ms)
      }
    else if (isType(entry, 'message_added'))
      for (const part of entry.data.parts)
        if (part.type === 'tool_result')
          results.push({ tool: part.tool, place: `${turn} ${part.callId}`, failed: part.status !== 'ok', turn })
  }
  for (const { tool, place, failed, turn } of results) {
    if (told.has(`${turn} ${tool}`)) continue
    add(tool, 1, failed ? 1 : 0, took.get(place) ?? 0)
    // Another result under the same name is another call, which took its own time.
    took.delete(place)
  }
  return [...sums.values()].sort((a, b) => (a.tool < b.tool ? -1 : 1))
}
