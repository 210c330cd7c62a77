import { canonical, isObject, type Json } from '#kernel'
import type { Part, PartRef } from '#journal'
import { messageOverhead, outputText, partTokens, type TokenCounter } from './count-tokens.ts'
import { commonSize } from './input-cut.ts'
import { middleCut } from './middle-cut.ts'

/** `tokens` of what is pruned: as it was counted when it was stored, where that is known. */
export type Marking =
  | { readonly kind: 'pruned'; readonly tokens?: number }
  | { readonly kind: 'cut'; readonly tokens: number }
  | { readonly kind: 'outline' }

interface MarkOptions {
  readonly counter: TokenCounter
  readonly recall: boolean
}

/** How a marker says where the whole is: by the tool that gives it, or by the ref alone. */
export const pointTo = (ref: string, recall: boolean): string => (recall ? `session_expand ${ref}` : ref)

/** What is shown instead of a part. A call stays a call and a result a result, so that they still belong together. */
export function markPart(part: Part, ref: PartRef, marking: Marking, { counter, recall }: MarkOptions): Part {
  const where = pointTo(ref, recall)
  if (marking.kind === 'outline') return outlined(part, where)
  if (marking.kind === 'pruned') {
    if (part.type !== 'tool_result') return part
    const { details: _details, outline: _outline, ...rest } = part
    // The content of an outlined one is not at hand, and was not shown.
    const whole = part.outline === undefined ? part : outlined(part, where)
    const tokens = whole === part && marking.tokens !== undefined ? marking.tokens : partTokens(whole, counter)
    return { ...rest, output: `[tool result left out: ${part.tool}, ${tokens} tokens; ${where}]` }
  }
  const cut = (text: string, tokens: number = marking.tokens): string =>
    middleCut(text, tokens, counter, left => `[… ${left} tokens left out; ${where} …]`)
  switch (part.type) {
    case 'text':
      return { ...part, text: cut(part.text) }
    case 'tool_result': {
      if (part.outline !== undefined) return outlined(part, where)
      const { details: _details, ...rest } = part
      return { ...rest, output: cut(outputText(part.output)) }
    }
    case 'tool_call':
      return { ...part, input: cutInput(part.input, marking.tokens, counter, cut) }
    default:
      return part
  }
}

/**
 * An input with its members, its longest texts cut to one size, so that a tool's caller is shown nothing that the tool would
 * not take; one that isn't made of texts is told by head and end.
 */
function cutInput(input: Json, tokens: number, counter: TokenCounter, cut: (text: string, tokens: number) => string): Json {
  const sizes: number[] = []
  mapTexts(input, text => (sizes.push(counter.count(JSON.stringify(text))), text))
  const rest = counter.count(canonical(input)) - sizes.reduce((sum, size) => sum + size, 0)
  for (let room = tokens - rest; room > 0; room = Math.floor(room * 0.8)) {
    const most = commonSize(sizes, room)
    const shown = mapTexts(input, text => cut(text, most))
    if (counter.count(canonical(shown)) <= tokens) return shown
  }
  return { input: cut(canonical(input), Math.max(1, tokens - messageOverhead)) }
}

function mapTexts(value: Json, change: (text: string) => string): Json {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((item: Json) => mapTexts(item, change))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item as Json, change)]))
}

/** Name, size, ref and what it is made of. */
function outlined(part: Part, where: string): Part {
  const outline = 'outline' in part ? (part.outline ?? '') : ''
  if (part.type === 'tool_result') {
    const { outline: _outline, details: _details, ...rest } = part
    const size = 'bytes' in part ? `, ${String(part.bytes)} bytes` : ''
    return { ...rest, output: `[large result of ${part.tool}${size}; ${where}]\n${outline}` }
  }
  if (part.type === 'file') {
    const name = part.name === undefined ? '' : `${part.name}, `
    return { type: 'text', text: `[file ${name}${part.mediaType}, ${part.bytes} bytes; ${where}]\n${outline}` }
  }
  return part
}
