import type { Part, PartRef } from '#journal'
import { outputText, partTokens, type TokenCounter } from './count-tokens.ts'
import { middleCut } from './middle-cut.ts'

export type Marking =
  { readonly kind: 'pruned' } | { readonly kind: 'cut'; readonly tokens: number } | { readonly kind: 'outline' }

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
    return { ...rest, output: `[tool result left out: ${part.tool}, ${partTokens(part, counter)} tokens; ${where}]` }
  }
  const cut = (text: string): string =>
    middleCut(text, marking.tokens, counter, left => `[… ${left} tokens left out; ${where} …]`)
  switch (part.type) {
    case 'text':
      return { ...part, text: cut(part.text) }
    case 'tool_result': {
      const { details: _details, ...rest } = part
      return { ...rest, output: cut(outputText(part.output)) }
    }
    default:
      return part
  }
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
