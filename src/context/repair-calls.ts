import type { Message, Part } from '#journal'
import { CallIds, isCallId } from './call-ids.ts'
import { type Bundle, bundlesOf, type Call, matchResults } from './pair-results.ts'
import { type Asked, type Item, partRef, placeOf, tell } from './repair-item.ts'
import { saysSomething } from './repair-parts.ts'

/** What a call is answered with that never came to a result. */
export const noResult = '[no result: the call was interrupted]'

/** Every call of its own id with exactly one result, right after its message and in the order of the calls. Laws C34–C36. */
export function repairCalls(items: readonly Item[], asked: Asked): Item[] {
  const calls = new Map<number, Call[]>()
  const bundles = new Map<number, readonly Bundle[]>()
  for (const [home, item] of items.entries()) {
    const { message } = item
    const own = message.parts.flatMap((part, index): Call[] =>
      part.type === 'tool_call' ? [{ home, index, part, bundle: undefined }] : [],
    )
    if (own.length > 0) calls.set(home, own)
    const found = bundlesOf(item, home)
    if (found.bundles.length > 0) bundles.set(home, found.bundles)
    for (const index of found.stray) {
      const type = message.parts[index]?.type ?? 'part'
      tell(asked, 'result_orphan', partRef(item, index), `a ${type} part without a result before it`)
    }
  }
  const { duplicates, orphans } = matchResults(calls, bundles, items.length)
  for (const { item, result, indices } of duplicates)
    tell(asked, 'result_duplicate', partRef(item, indices[0] ?? 0), `another result of call ${result.callId}`)
  for (const { item, result, indices } of orphans)
    tell(asked, 'result_orphan', partRef(item, indices[0] ?? 0), `a result of call ${result.callId}, which is not there`)

  const ids = new CallIds()
  const out: Item[] = []
  for (const [home, item] of items.entries()) {
    if (item.message.role === 'tool') continue
    const own = calls.get(home) ?? []
    const names = own.map(call => nameOf(call, item, ids, asked))
    const said = withoutResults(renamed(item, own, names), asked)
    if (said !== undefined) out.push(said)
    if (own.length > 0) out.push(...resultsOf(own, names, items, asked))
  }
  return out
}

function nameOf({ part, index }: Call, item: Item, ids: CallIds, asked: Asked): string {
  const name = ids.name(part.callId)
  if (name !== part.callId) {
    const rule = isCallId(part.callId) ? 'call_id_reused' : 'call_id_invalid'
    tell(asked, rule, partRef(item, index), `${part.callId} is called ${name}`)
  }
  return name
}

function renamed(item: Item, calls: readonly Call[], names: readonly string[]): Item {
  if (calls.every(({ part }, at) => part.callId === names[at])) return item
  const byIndex = new Map(calls.map(({ index }, at) => [index, names[at]]))
  const parts = item.message.parts.map((part, index) => withName(part, byIndex.get(index)))
  return { ...item, message: { ...item.message, parts } }
}

function withName<P extends Part>(part: P, name: string | undefined): P {
  if (name === undefined || (part.type !== 'tool_call' && part.type !== 'tool_result') || part.callId === name) return part
  return { ...part, callId: name }
}

/** A message of another role without the results in it, which stand behind their calls; nothing if it said nothing else. */
function withoutResults(item: Item, asked: Asked): Item | undefined {
  const { parts } = item.message
  if (!parts.some(part => part.type === 'tool_result')) return item
  const kept = parts.flatMap((part, index) => (part.type === 'tool_result' ? [] : [{ part, place: placeOf(item, index) }]))
  const message = { ...item.message, parts: kept.map(({ part }) => part) }
  return saysSomething(message.parts, asked) ? { ...item, message, places: kept.map(({ place }) => place) } : undefined
}

/** The tool messages behind a message's calls: as they stood, where that is right. */
function resultsOf(calls: readonly Call[], names: readonly string[], items: readonly Item[], asked: Asked): Item[] {
  const home = calls[0]?.home ?? 0
  let end = home + 1
  while (items[end]?.message.role === 'tool') end++
  const out: { bundle: Bundle | undefined; parts: Part[]; indices: number[] }[] = []
  let newest = -1
  let newestIndex = -1
  for (const [at, call] of calls.entries()) {
    const { bundle, part } = call
    const caller = items[home] as Item
    if (bundle === undefined) {
      tell(asked, 'result_missing', partRef(caller, call.index), `no result of call ${part.callId}`)
      const result = {
        type: 'tool_result',
        callId: names[at] ?? '',
        tool: part.tool,
        status: 'interrupted',
        output: noResult,
      } as const
      out.push({ bundle, parts: [result], indices: [] })
      continue
    }
    const first = bundle.indices[0] ?? 0
    const isBehind = bundle.home > home && bundle.home < end
    const isNext = bundle.home > newest || (bundle.home === newest && first > newestIndex)
    const stray = bundle.indices.findIndex(index => index < first)
    if (!isBehind || !isNext)
      tell(asked, 'result_misplaced', partRef(bundle.item, first), `the result of call ${part.callId}, moved behind it`)
    if (stray !== -1)
      tell(
        asked,
        'result_misplaced',
        partRef(bundle.item, bundle.indices[stray] ?? 0),
        'stood before the result that it belongs to',
      )
    if (isBehind && isNext) [newest, newestIndex] = [bundle.home, first]
    const parts = bundle.parts.map((own): Part =>
      withTool(withName(own, own === bundle.result ? names[at] : undefined), part.tool, bundle, asked),
    )
    const last = out.at(-1)
    if (last?.bundle !== undefined && last.bundle.home === bundle.home) {
      last.parts.push(...parts)
      last.indices.push(...bundle.indices)
    } else out.push({ bundle, parts, indices: [...bundle.indices] })
  }
  return out.map(({ bundle, parts, indices }) => toolMessage(bundle?.item, parts, indices))
}

/** Google matches results by the name of their tool. */
function withTool(part: Part, tool: string, { item, result, indices }: Bundle, asked: Asked): Part {
  if (asked.family !== 'google' || part.type !== 'tool_result' || part.tool === tool) return part
  tell(asked, 'result_misplaced', partRef(item, indices[0] ?? 0), `named ${result.tool}; its call is to ${tool}`)
  return { ...part, tool }
}

function toolMessage(home: Item | undefined, parts: readonly Part[], indices: readonly number[]): Item {
  if (home === undefined) return { message: { role: 'tool', parts }, ref: '' }
  const { message } = home
  if (message.role !== 'tool')
    return { message: { role: 'tool', parts }, ref: home.ref, places: indices.map(at => placeOf(home, at)) }
  if (parts.length === message.parts.length && parts.every((part, at) => part === message.parts[at])) return home
  const moved: Message = { ...message, parts }
  return { message: moved, ref: home.ref, places: indices.map(at => placeOf(home, at)) }
}
