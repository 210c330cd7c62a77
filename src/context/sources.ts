import { canonical, isObject, type Json } from '#kernel'
import type { Message, Part, Summary } from '#journal'
import type { ContextEntry } from './context-entry.ts'
import { outputText } from './count-tokens.ts'
import { summaryBody } from './render-summary.ts'
import type { Source } from './summarizer.ts'

/**
 * What a summarizer reads of each entry: texts, calls as name and canonical input, results as text, files as name, type and
 * size; what is too large to be shown by its outline. Reasoning is left out, and an entry that has nothing else. A note is
 * nobody's words, so its role is `system`.
 */
export function sourcesOf(entries: readonly ContextEntry[]): Source[] {
  return entries.flatMap((entry): Source[] => {
    const text = entry.message.parts.map(readablePart).filter(Boolean).join('\n')
    const role = entry.note === undefined ? entry.message.role : 'system'
    return text === '' ? [] : [{ ref: entry.id, role, at: entry.at, text, message: entry.message }]
  })
}

/** Summaries as sources for one above them: all that stands for their ranges, but for the identifiers. */
export function summarySources(summaries: readonly Summary[]): Source[] {
  return summaries.map(summary => ({
    ref: summary.id,
    role: 'summary',
    at: summary.covers.toAt,
    text: summaryBody(summary),
  }))
}

function readablePart(part: Part): string {
  switch (part.type) {
    case 'text':
      return part.text
    case 'reasoning':
    case 'custom':
      return ''
    case 'tool_call':
      return `[call ${part.tool} ${canonical(part.input)}]`
    case 'tool_result': {
      const status = part.status === 'ok' ? '' : `, ${part.status}`
      return `[result of ${part.tool}${status}]\n${part.outline ?? outputText(part.output)}`
    }
    case 'file': {
      const named = `[file ${part.name ?? 'without a name'}, ${part.mediaType}, ${part.bytes} bytes]`
      return part.outline === undefined ? named : `${named}\n${part.outline}`
    }
    case 'source':
      return `[source ${part.title === undefined ? '' : `${part.title}, `}${part.url}]`
    case 'lost':
      return `[lost ${part.blob}]`
    default:
      return (part satisfies never, '')
  }
}

/**
 * All that a source says, for finding identifiers: the members of inputs and outputs one by one, without JSON's escapes,
 * and what an outline stands for, whole. Law C65.
 */
export function fullText(source: Source): string {
  return source.message === undefined ? source.text : `${source.text}\n${memberText(source.message)}`
}

/** The same without saying twice what stands in inputs and outputs. */
export function anchorText({ text, message }: Source): string {
  if (message === undefined) return text
  const lines: string[] = []
  for (const part of message.parts) {
    if (part.type === 'tool_call') {
      lines.push(part.tool)
      membersOf(part.input, '', lines)
    } else if (part.type === 'tool_result') {
      lines.push(part.tool)
      membersOf(part.output, '', lines)
    } else lines.push(readablePart(part))
  }
  return lines.join('\n')
}

function memberText(message: Message): string {
  const lines: string[] = []
  for (const part of message.parts) {
    if (part.type === 'tool_call') membersOf(part.input, '', lines)
    else if (part.type === 'tool_result' && (part.outline !== undefined || typeof part.output !== 'string'))
      membersOf(part.output, '', lines)
  }
  return lines.join('\n')
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** A large output that was not fetched has no members. */
function membersOf(value: Json | undefined, name: string, lines: string[]): void {
  if (Array.isArray(value)) for (const item of value as readonly Json[]) membersOf(item, name, lines)
  else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      // A name whose value has names of its own stands nowhere beside one.
      if (typeof item === 'object' && item !== null) lines.push(key)
      membersOf(item as Json, key, lines)
    }
  } else if (value !== undefined) lines.push(name === '' ? textOf(value) : `${name}: ${textOf(value)}`)
}
