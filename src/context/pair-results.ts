import type { Part, ToolCallPart, ToolResultPart } from '#journal'
import type { Item } from './repair-item.ts'

/** A result with the parts that belong to it: the files behind it. Numbers are places in the item's parts. */
export interface Bundle {
  readonly home: number
  readonly item: Item
  readonly result: ToolResultPart
  readonly parts: readonly Part[]
  readonly indices: readonly number[]
}

export interface Call {
  readonly home: number
  readonly index: number
  readonly part: ToolCallPart
  bundle: Bundle | undefined
}

/** The results of a message, in order; and what of a tool message stands with no result at all. */
export function bundlesOf(item: Item, home: number): { readonly bundles: readonly Bundle[]; readonly stray: readonly number[] } {
  const isTool = item.message.role === 'tool'
  const open: { result: ToolResultPart; parts: Part[]; indices: number[] }[] = []
  const before: [Part, number][] = []
  for (const [index, part] of item.message.parts.entries()) {
    const last = open.at(-1)
    if (part.type === 'tool_result') open.push({ result: part, parts: [part], indices: [index] })
    else if (!isTool) continue
    else if (last === undefined) before.push([part, index])
    else {
      last.parts.push(part)
      last.indices.push(index)
    }
  }
  const [first] = open
  if (first === undefined) return { bundles: [], stray: before.map(([, index]) => index) }
  first.parts.splice(1, 0, ...before.map(([part]) => part))
  first.indices.splice(1, 0, ...before.map(([, index]) => index))
  return { bundles: open.map(bundle => ({ ...bundle, home, item })), stray: [] }
}

interface Known {
  /** Unanswered calls of the id, a list for each message, the newest last. */
  readonly open: { readonly calls: Call[]; next: number }[]
  readonly early: Bundle[]
  called: boolean
}

/**
 * Gives each call its result: the next one behind it that has its id and that no newer call could have, else one that stands
 * before any call of its id. Returns what is left over.
 */
export function matchResults(
  calls: ReadonlyMap<number, readonly Call[]>,
  bundles: ReadonlyMap<number, readonly Bundle[]>,
  count: number,
): { readonly duplicates: readonly Bundle[]; readonly orphans: readonly Bundle[] } {
  const byId = new Map<string, Known>()
  const known = (id: string): Known => {
    const found = byId.get(id) ?? { open: [], early: [], called: false }
    byId.set(id, found)
    return found
  }
  const duplicates: Bundle[] = []
  for (let at = 0; at < count; at++) {
    for (const call of calls.get(at) ?? []) {
      const { open } = known(call.part.callId)
      known(call.part.callId).called = true
      const group = open.at(-1)
      if (group?.calls[0]?.home === at) group.calls.push(call)
      else open.push({ calls: [call], next: 0 })
    }
    for (const bundle of bundles.get(at) ?? []) {
      const { open, early, called } = known(bundle.result.callId)
      const group = open.at(-1)
      const call = group?.calls[group.next]
      if (group === undefined || call === undefined) (called ? duplicates : early).push(bundle)
      else {
        call.bundle = bundle
        if (++group.next === group.calls.length) open.pop()
      }
    }
  }
  for (const { open, early } of byId.values()) {
    let next = 0
    for (const { calls: unanswered, next: from } of open)
      for (const call of unanswered.slice(from)) call.bundle = early[next] === undefined ? undefined : early[next++]
    early.splice(0, next)
  }
  return { duplicates, orphans: [...byId.values()].flatMap(({ early }) => early) }
}
