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
  if (part['type'] === 'tool_result') return typeof part['output'] === 'string' ? part['output'] : strings(part['output'])
  return undefined
}

/** The strings inside a JSON value, in order. */
function strings(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(strings).filter(Boolean).join('\n')
  return isObject(value) ? Object.values(value).map(strings).filter(Boolean).join('\n') : ''
}

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
