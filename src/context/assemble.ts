import type { Message, Part } from '#journal'
import type { TokenCounter } from './count-tokens.ts'
import { messageTokens, weightsCounter } from './count-tokens.ts'

/**
 * Tokens that a context may take. `usable = window − reservedOutput − buffer`, never negative; an unknown window is
 * 128,000 and says so. Source: spec/context.md 1, law C7.
 */
export interface ContextBudget {
  readonly window: number
  readonly reservedOutput: number
  readonly buffer: number
  readonly usable: number
  readonly assumed: boolean
}

export const assumedWindow = 128_000

export function contextBudget(
  model: { readonly contextWindow?: number; readonly maxOutput?: number },
  maxTokens?: number,
): ContextBudget {
  const window = model.contextWindow ?? assumedWindow
  const reservedOutput = maxTokens ?? Math.min(model.maxOutput ?? 4_096, 20_000, Math.floor(window / 4))
  const buffer = Math.min(20_000, Math.floor(window / 10))
  return {
    window,
    reservedOutput,
    buffer,
    usable: Math.max(0, window - reservedOutput - buffer),
    assumed: model.contextWindow === undefined,
  }
}

/** A message of the branch with its stored estimate, in branch order. */
export interface ContextItem {
  readonly message: Message
  readonly tokens: number
}

export interface ContextTokens {
  readonly system: number
  readonly tools: number
  readonly messages: number
  readonly toolResults: number
  readonly total: number
}

export interface AssembledContext {
  readonly messages: readonly Message[]
  readonly tokens: ContextTokens
  /** How many older messages the budget left out. */
  readonly left: number
  readonly fits: boolean
  readonly repairs: readonly Repair[]
}

/** What was changed so that a provider takes the request, and at which call. */
export interface Repair {
  readonly rule: 'result_missing' | 'result_orphan' | 'result_duplicate' | 'first_not_user'
  readonly ref: string
}

/**
 * The newest user message with all that follows it (`fits` says whether the budget holds that), and before it as many older
 * messages as fit; oldest first, never a tool call without its result nor a result without its call. Pure.
 */
export function assemble(
  items: readonly ContextItem[],
  system: string | null,
  toolTokens: number,
  usable: number,
  counter: TokenCounter = weightsCounter,
): AssembledContext {
  const systemTokens = system === null ? 0 : counter.count(system)
  let room = usable - systemTokens - toolTokens
  const groups = groupsOf(items)
  let first = groups.length
  let userShown = false
  while (first > 0) {
    const group = groups[first - 1]
    if (group === undefined) break
    const size = group.items.reduce((sum, item) => sum + item.tokens, 0)
    if (userShown && size > room) break
    room -= size
    userShown ||= group.items[0]?.message.role === 'user'
    first--
  }
  const shown = groups.slice(first).flatMap(group => group.items)
  const { messages, repairs } = pairCalls(shown.map(item => item.message))
  // Stored estimates count for what is shown as it is; only what pairing made is counted here.
  const known = new Map(shown.map(item => [item.message, item.tokens]))
  const sizes = messages.map(message => known.get(message) ?? messageTokens(message, counter))
  const messageSum = sizes.reduce((sum, size) => sum + size, 0)
  const toolResults = sizes.reduce((sum, size, index) => sum + (messages[index]?.role === 'tool' ? size : 0), 0)
  const total = systemTokens + toolTokens + messageSum
  return {
    messages,
    tokens: { system: systemTokens, tools: toolTokens, messages: messageSum, toolResults, total },
    left: items.length - shown.length,
    fits: total <= usable,
    repairs,
  }
}

interface Group {
  readonly at: number
  readonly items: ContextItem[]
}

/** A user message alone, or an assistant message with all its tool results: what is never split. */
function groupsOf(items: readonly ContextItem[]): Group[] {
  const groups: Group[] = []
  for (const [at, item] of items.entries()) {
    const last = groups.at(-1)
    if (item.message.role === 'tool' && last !== undefined) last.items.push(item)
    else groups.push({ at, items: [item] })
  }
  return groups
}

/**
 * Gives every call one result, right after it, and drops results without a call; reports what it did.
 * A conversation that does not begin with a user gets one line that says it goes on.
 */
export function pairCalls(messages: readonly Message[]): { messages: Message[]; repairs: Repair[] } {
  const repairs: Repair[] = []
  const results = new Map<string, Part[][]>()
  for (const message of messages) {
    let open: Part[] = []
    for (const part of message.role === 'tool' ? message.parts : []) {
      if (part.type === 'tool_result') results.set(part.callId, [...(results.get(part.callId) ?? []), (open = [part])])
      // A file behind a result belongs to it.
      else open.push(part)
    }
  }
  const called = new Set<string>()
  const out: Message[] = []
  for (const [index, message] of messages.entries()) {
    if (message.role !== 'tool') out.push(message)
    const calls = message.parts.flatMap(part => (part.type === 'tool_call' ? [part] : []))
    if (calls.length === 0) continue
    const given = calls.flatMap((call): Part[] => {
      called.add(call.callId)
      const result = results.get(call.callId)?.shift()
      if (result !== undefined) return result
      repairs.push({ rule: 'result_missing', ref: call.callId })
      const output = '[no result: the call was interrupted]'
      return [{ type: 'tool_result', callId: call.callId, tool: call.tool, status: 'interrupted', output }]
    })
    const next = messages[index + 1]
    const asTheyAre =
      next?.role === 'tool' && next.parts.length === given.length && next.parts.every((part, at) => part === given[at])
    out.push(asTheyAre ? next : { role: 'tool', parts: given })
  }
  for (const [callId, rest] of results) {
    for (const _ of rest) repairs.push({ rule: called.has(callId) ? 'result_duplicate' : 'result_orphan', ref: callId })
  }
  if (out.length > 0 && out[0]?.role !== 'user') {
    repairs.push({ rule: 'first_not_user', ref: '' })
    out.unshift({ role: 'user', parts: [{ type: 'text', text: '[session continues]' }] })
  }
  return { messages: out, repairs }
}
