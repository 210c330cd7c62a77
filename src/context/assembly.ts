import type { ContextTokens, Message, ToolDescription } from '#journal'
import { messageTokens, type TokenCounter } from './count-tokens.ts'
import { isHeadNote, type Shown, type ShownEntry, type ShowOptions, shownMessage, shownPartTokens } from './shown.ts'
import { renderSummary, summaryPreamble } from './render-summary.ts'

/** A message of the context, and the entry or summary that it shows. */
export type ContextMessage = Message & { readonly ref?: string }

export interface Assembly {
  readonly messages: readonly ContextMessage[]
  readonly tokens: ContextTokens
}

export interface AssembleInput {
  readonly system: string | null
  readonly tools: readonly ToolDescription[]
  readonly items: readonly Shown[]
  /** What was there before the session began to speak; shown first. */
  readonly prefill?: readonly ContextMessage[]
}

/**
 * Head notes, then every item of the frontier in its order: nothing is left out to make it fit. Pure; the same input gives
 * the same messages. Laws C24, C26.
 */
export function assemble({ system, tools, items, prefill = [] }: AssembleInput, options: ShowOptions): Assembly {
  const heads = items.filter(isHeadNote).filter(({ hidden }) => hidden === undefined)
  const rest = items.filter(item => !isHeadNote(item) && (item.kind === 'summary' || item.hidden === undefined))
  const firstSummary = rest.find(item => item.kind === 'summary')
  const messages = [
    ...prefill,
    ...heads.map(item => messageOf(item, options)),
    ...rest.map(item =>
      item.kind === 'entry' ? messageOf(item, options) : summaryMessage(item, item === firstSummary, options),
    ),
  ]
  return { messages, tokens: countShown({ system, tools, items, prefill }, options) }
}

/** What a context made of these would weigh, without making it. */
export function countShown({ system, tools, items, prefill = [] }: AssembleInput, options: ShowOptions): ContextTokens {
  const { counter } = options
  const sum = { notes: 0, summaries: 0, messages: 0, toolResults: 0 }
  for (const item of items) {
    if (item.kind === 'summary') sum.summaries += item.tokens
    else if (item.entry.note !== undefined) sum.notes += item.tokens
    else {
      sum.messages += item.tokens
      if (item.entry.message.role === 'tool') sum.toolResults += item.tokens
    }
  }
  if (sum.summaries > 0) sum.summaries += counter.count(summaryPreamble(options.recall))
  const parts = {
    system: system === null ? 0 : counter.count(system),
    tools: toolsTokens(tools, counter),
    prefill: prefill.reduce((total, message) => total + prefillTokens(message, options), 0),
    ...sum,
  }
  const { system: systemTokens, tools: toolTokens, prefill: prefilled, notes, summaries, messages } = parts
  return { ...parts, total: systemTokens + toolTokens + prefilled + notes + summaries + messages }
}

const counted = new WeakMap<readonly ToolDescription[], { readonly counter: string; readonly tokens: number }>()

/** What the descriptions of tools weigh, counted once for a list. */
export function toolsTokens(tools: readonly ToolDescription[], counter: TokenCounter): number {
  const known = counted.get(tools)
  if (known?.counter === counter.id) return known.tokens
  const tokens = tools.reduce((sum, tool) => sum + counter.count(JSON.stringify(tool)), 0)
  counted.set(tools, { counter: counter.id, tokens })
  return tokens
}

function prefillTokens(message: ContextMessage, options: ShowOptions): number {
  const entry = { id: 'ent_' as const, seq: 0, at: 0, message, tokens: messageTokens(message, options.counter) }
  const shown: ShownEntry = { kind: 'entry', entry, pruned: [], cut: [], tokens: 0 }
  return message.parts.reduce((sum, _, index) => sum + shownPartTokens(shown, index, options), 4)
}

/** What was made of a place stays the same object while the place does, so that what follows need not look at it again. */
const made = new WeakMap<object, { readonly key: unknown; readonly message: ContextMessage }>()

function onceFor(place: object, key: unknown, make: () => ContextMessage): ContextMessage {
  const known = made.get(place)
  if (known !== undefined && known.key === key) return known.message
  const message = make()
  made.set(place, { key, message })
  return message
}

const messageOf = (item: ShownEntry, options: ShowOptions): ContextMessage =>
  onceFor(item, options, () => ({ ...shownMessage(item, options), ref: item.entry.id }))

function summaryMessage(
  { summary }: Extract<Shown, { kind: 'summary' }>,
  isFirst: boolean,
  { recall }: ShowOptions,
): ContextMessage {
  return onceFor(summary, isFirst ? summaryPreamble(recall) : '', () => {
    const preamble = isFirst ? [{ type: 'text' as const, text: summaryPreamble(recall) }] : []
    return { role: 'user', parts: [...preamble, { type: 'text', text: renderSummary(summary) }], ref: summary.id }
  })
}
