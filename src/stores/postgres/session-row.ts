import type { EntryId, JsonObject, SessionId } from '#kernel'
import { type Counters, counters, type SessionRow, type SessionState } from '#journal'
import { counterColumns } from './schema.ts'
import { fromText, fromTextOrNull, toText, toTextOrNull } from './text-column.ts'

type Row = Record<string, unknown>
type Write = (row: SessionRow) => unknown

/** A session's columns and what of the row each holds. */
export const sessionColumns: readonly (readonly [column: string, type: string, write: Write])[] = [
  ['id', 'text', row => row.id],
  ['alias', 'text', row => row.alias],
  ['seq', 'bigint', row => row.seq],
  ['leaf_id', 'text', row => row.leafId],
  ['messages', 'bigint', row => row.totals.messages],
  ['turns', 'bigint', row => row.totals.turns],
  ['tokens', 'bigint', row => row.totals.tokens],
  ...counters.map(
    (counter, index) => [counterColumns[index] ?? '', 'bigint', (row: SessionRow) => row.counters[counter]] as const,
  ),
  ['lease_owner', 'text', row => toTextOrNull(row.lease.owner)],
  ['lease_token', 'bigint', row => row.lease.token],
  ['lease_until', 'bigint', row => row.lease.until],
  ['updated_at', 'bigint', row => row.updatedAt],
  ['last_message_at', 'bigint', row => row.lastMessageAt],
  ['last_accessed_at', 'bigint', row => row.lastAccessedAt],
  ['created_at', 'bigint', row => row.createdAt],
  ['state', 'text', row => row.state],
  ['hidden', 'boolean', row => row.hidden],
  ['title', 'text', row => toTextOrNull(row.title)],
  ['preview', 'text', row => toTextOrNull(row.preview)],
  ['user_id', 'text', row => toTextOrNull(row.user)],
  ['agent', 'text', row => toText(row.agent)],
  ['platform', 'text', row => toTextOrNull(row.platform)],
  ['cwd', 'text', row => toTextOrNull(row.cwd)],
  ['parent', 'text', row => toTextOrNull(row.parent)],
  ['model', 'text', row => toTextOrNull(row.model)],
  ['tags', 'text[]', row => row.tags.map(toText)],
  ['data', 'text', row => JSON.stringify(row.data)],
]

export const sessionSelect: string = sessionColumns.map(([column]) => `s.${column}`).join(', ')

export function sessionFrom(row: Row): SessionRow {
  const text = (column: string): string | null => fromTextOrNull(row[column] as string | null)
  const number = (column: string): number => row[column] as number
  return {
    id: row['id'] as SessionId,
    alias: row['alias'] as string | null,
    seq: number('seq'),
    leafId: row['leaf_id'] as EntryId | null,
    totals: { messages: number('messages'), turns: number('turns'), tokens: number('tokens') },
    counters: countersFrom(counterColumns.map(number)),
    lease: { owner: text('lease_owner'), token: number('lease_token'), until: number('lease_until') },
    updatedAt: number('updated_at'),
    lastMessageAt: row['last_message_at'] as number | null,
    lastAccessedAt: number('last_accessed_at'),
    createdAt: number('created_at'),
    state: row['state'] as SessionState,
    hidden: row['hidden'] as boolean,
    title: text('title'),
    preview: text('preview'),
    user: text('user_id'),
    agent: fromText(row['agent'] as string),
    platform: text('platform'),
    cwd: text('cwd'),
    parent: text('parent') as SessionId | null,
    model: text('model'),
    tags: (row['tags'] as string[]).map(fromText),
    data: JSON.parse(row['data'] as string) as JsonObject,
  }
}

/** Counters from numbers in the order of `counters`. */
export function countersFrom(numbers: readonly number[]): Counters {
  return Object.fromEntries(counters.map((counter, index) => [counter, numbers[index] ?? 0])) as Counters
}
