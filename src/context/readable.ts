import { type BlobId, canonical } from '#kernel'
import type { Part, PartRef } from '#journal'
import type { ContextEntry } from './context-entry.ts'
import { outputText } from './count-tokens.ts'
import { isBinary } from './file-tokens.ts'
import { isoTime } from './fence.ts'
import { markPart } from './markers.ts'
import type { ShowOptions } from './shown.ts'

/** An entry for reading: who, when, its ref, and all that it says; what is large by its outline and the ref of the whole. */
export function readableEntry(
  entry: ContextEntry,
  show: ShowOptions,
  { hidesFailed = false }: { readonly hidesFailed?: boolean } = {},
): string {
  const who = entry.note === undefined ? entry.message.role : `note ${entry.note.name}`
  const head = `[${entry.id} ${who} ${isoTime(entry.at)}]`
  if (hidesFailed && isFailed(entry)) return `${head}\n[a failed attempt, not shown]`
  const parts = entry.message.parts.map((part, index) => readablePart(part, `${entry.id}#${index}`, show))
  return [head, ...parts.filter(Boolean)].join('\n')
}

/** An answer that broke off: kept, and never shown to a model again. Law C84. */
export const isFailed = ({ message }: Pick<ContextEntry, 'message'>): boolean =>
  message.role === 'assistant' && message.finishReason === 'error'

function readablePart(part: Part, ref: PartRef, show: ShowOptions): string {
  const marked = 'outline' in part && part.outline !== undefined ? markPart(part, ref, { kind: 'outline' }, show) : part
  switch (marked.type) {
    case 'text':
      return marked.text
    case 'reasoning':
      return marked.text === '' ? '' : `[reasoning]\n${marked.text}`
    case 'tool_call':
      return `[call ${marked.tool} ${canonical(marked.input)}]`
    case 'tool_result':
      return `[result of ${marked.tool}${marked.status === 'ok' ? '' : `, ${marked.status}`}]\n${outputText(marked.output)}`
    case 'file':
      return `[file ${marked.name ?? 'without a name'}, ${marked.mediaType}, ${marked.bytes} bytes; ${ref}]`
    case 'source':
      return `[source ${marked.title === undefined ? '' : `${marked.title}, `}${marked.url}]`
    case 'custom':
      return `[${marked.name}; ${ref}]`
    case 'lost':
      return `[lost ${marked.blob}]`
    default:
      return (marked satisfies never, '')
  }
}

/** Bytes as the text that they are; undefined for those that are none, or would come back as others. */
export function readableText(bytes: Uint8Array): string | undefined {
  if (isBinary(bytes)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** What one part says, to the letter: a text, or the blob that holds it. Undefined: it is lost. */
export function partContent(part: Part): string | { readonly blob: BlobId } | undefined {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return part.text
    case 'tool_call':
      return canonical(part.input)
    case 'tool_result':
      return outputText(part.output)
    case 'file':
      return part.blob === undefined ? (part.url ?? '') : { blob: part.blob }
    case 'source':
      return part.title === undefined ? part.url : `${part.title}\n${part.url}`
    case 'custom':
      return canonical(part.data)
    case 'lost':
      return undefined
    default:
      return (part satisfies never, undefined)
  }
}
