import type { BlobId, EntryId, JobId, Json, JsonObject, SessionId } from '#kernel'
import {
  type ArchiveRow,
  type BlobRow,
  type Entry,
  entryFrom,
  type JobRow,
  type MemoryRow,
  type RecordRow,
  type ViewRow,
} from '#journal'
import type { JobState } from '#journal'
import { fromText, fromTextOrNull } from './text-column.ts'

// What the tables' rows are in the port's words.
type Row = Record<string, unknown>
const json = (value: unknown): Json => JSON.parse(value as string) as Json

export const entrySelect = 'e.session, e.seq, e.id, e.parent_id, e.type, e.at, e.body'

export function entryOf(row: Row): Entry {
  return entryFrom(
    {
      id: row['id'] as EntryId,
      session: row['session'] as SessionId,
      seq: row['seq'] as number,
      parentId: row['parent_id'] as EntryId | null,
      type: fromText(row['type'] as string),
      at: row['at'] as number,
    },
    row['body'] as string,
  )
}

export function blobOf(row: Row): BlobRow {
  return { id: row['id'] as BlobId, hash: row['hash'] as string, bytes: row['bytes'] as Uint8Array }
}

export function viewOf(row: Row): ViewRow {
  return {
    session: row['session'] as SessionId,
    name: fromText(row['name'] as string),
    format: row['format'] as number,
    seq: row['seq'] as number,
    data: json(row['data']),
  }
}

export function archiveOf(row: Row): ArchiveRow {
  return {
    id: row['id'] as string,
    session: row['session'] as SessionId,
    fromSeq: row['from_seq'] as number,
    toSeq: row['to_seq'] as number,
    children: row['children'] as string[],
    data: json(row['data']) as JsonObject,
    version: row['version'] as number,
  }
}

export function recordOf(row: Row): RecordRow {
  return {
    collection: fromText(row['collection'] as string),
    key: fromText(row['key'] as string),
    value: json(row['value']),
    tags: (row['tags'] as string[]).map(fromText),
    sort: row['sort'] as number,
    expiresAt: row['expires_at'] as number | null,
    version: row['version'] as number,
  }
}

export function memoryOf(row: Row): MemoryRow {
  return {
    id: row['id'] as string,
    version: row['version'] as number,
    owner: fromText(row['owner'] as string),
    text: fromText(row['text'] as string),
    evidence: json(row['evidence']),
    data: json(row['data']) as JsonObject,
    embedding: row['embedding'] as number[] | null,
  }
}

export function jobOf(row: Row): JobRow {
  return {
    id: row['id'] as JobId,
    tenant: row['tenant'] as string,
    kind: fromText(row['kind'] as string),
    key: fromText(row['key'] as string),
    uniqueKey: fromTextOrNull(row['unique_key'] as string | null),
    session: row['session'] as SessionId | null,
    state: row['state'] as JobState,
    payload: json(row['payload']),
    schema: row['schema'] as number,
    attempts: row['attempts'] as number,
    maxAttempts: row['max_attempts'] as number,
    parkedBlocks: row['parked_blocks'] as boolean,
    runAfter: row['run_after'] as number,
    leaseUntil: row['lease_until'] as number,
    owner: fromTextOrNull(row['owner'] as string | null),
    fence: row['fence'] as number,
    traceId: fromTextOrNull(row['trace_id'] as string | null),
    result: json(row['result']),
    lastError: json(row['last_error']),
    createdAt: row['created_at'] as number,
    startedAt: row['started_at'] as number | null,
    endedAt: row['ended_at'] as number | null,
  }
}
