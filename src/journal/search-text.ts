import { isObject } from '#kernel'
import type { Entry } from './entry.ts'

/** How much of a part is indexed, in UTF-16 units; what lies beyond is found by scanning for a literal phrase. */
export const indexedLength = 65_536

/**
 * What of an entry can be found by words, and as whose: titles, labels, summaries, message texts and tool results, up to
 * `length` of each part. Needs full parts.
 */
export function searchText(
  entry: Entry,
  length: number = indexedLength,
): { readonly role: string; readonly text: string } | undefined {
  const { data } = entry
  if (!isObject(data)) return undefined
  switch (entry.type) {
    case 'message_added':
      return textOf(
        typeof data['role'] === 'string' ? data['role'] : 'user',
        Array.isArray(data['parts']) ? data['parts'].map(partText) : [],
        length,
      )
    case 'session_titled':
      return textOf('session_titled', [data['title']], length)
    case 'session_created':
      return textOf('session_titled', [data['title']], length)
    case 'entry_labelled':
      return textOf('entry_labelled', [data['label']], length)
    case 'summary_added':
      return textOf('summary_added', [data['text']], length)
    case 'custom':
      return textOf('custom', [data['text']], length)
    default:
      return undefined
  }
}

function partText(part: unknown): unknown {
  if (!isObject(part)) return undefined
  if (part['type'] === 'text') return part['text']
  if (part['type'] === 'tool_result') return typeof part['output'] === 'string' ? part['output'] : said(part['output'])
  return undefined
}

/** What a JSON value says, in order: strings, figures, and each member's name where it first stands. */
function said(value: unknown, names: Set<string> = new Set()): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return figure(value)
  if (Array.isArray(value)) return linesOf(value.map(item => said(item, names)))
  if (!isObject(value)) return ''
  return linesOf(
    Object.entries(value).map(([name, member]) => {
      const isNew = !names.has(name) && names.add(name) !== undefined
      const text = said(member, names)
      if (!isNew) return text
      return isObject(member) || Array.isArray(member) ? linesOf([name, text]) : `${name}: ${text}`
    }),
  )
}

/** Long fractions are nothing that anybody looks for. */
function figure(value: number): string {
  const written = String(value)
  return written.length > 12 ? '' : written
}

const linesOf = (texts: readonly string[]): string => texts.filter(Boolean).join('\n')

function textOf(role: string, texts: readonly unknown[], length: number): { role: string; text: string } | undefined {
  const text = texts.flatMap(item => (typeof item === 'string' && item !== '' ? [item.slice(0, length)] : [])).join('\n')
  return text === '' ? undefined : { role, text }
}

/** Whether a message has a part that goes on beyond what is indexed. */
export function hasUnindexedText({ data }: Pick<Entry, 'data'>): boolean {
  const parts: unknown = isObject(data) ? data['parts'] : undefined
  return (
    Array.isArray(parts) &&
    parts.some(part => isObject(part) && typeof part['encoding'] === 'string' && (part['bytes'] as number) > indexedLength)
  )
}
