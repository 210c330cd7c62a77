import { type EntryId, type ErrorCode, type Id, isObject, type JobId, type JsonObject, type SessionId, SkeinError } from '#kernel'
import type { ArchiveRow } from '#journal'
import type { Quality } from './quality.ts'

export type ArchiveId = Id<'arc'>
export type ArchiveState = 'sealed' | 'ready' | 'merged'
export type CommitCause = 'manual' | 'tokens' | 'messages' | 'age' | 'idle' | 'close' | 'reset' | 'expiry'

/** A sealed range of a session, and what stands for it. Times in epoch milliseconds. */
export interface Archive {
  readonly id: ArchiveId
  /** `skein://tenant/session/ID/archive/ID`. */
  readonly uri: string
  readonly session: SessionId
  readonly fromSeq: number
  readonly toSeq: number
  readonly endEntry: EntryId
  readonly state: ArchiveState
  readonly overview: string
  readonly abstract: string
  readonly by: 'model' | 'fallback' | 'import'
  /** Why the fallback wrote it. */
  readonly why?: string
  readonly counts: ArchiveCounts
  /** Of the first and the last message, and of the row. */
  readonly startedAt: number
  readonly endedAt: number
  readonly createdAt: number
  readonly idempotencyKey?: string
  readonly externalId?: string
  readonly children?: readonly ArchiveId[]
  readonly mergedInto?: ArchiveId
  readonly quality?: Quality
}

/** Messages by role, tool results as `tool`, and their estimated tokens. */
export interface ArchiveCounts {
  readonly user: number
  readonly assistant: number
  readonly tool: number
  readonly tokens: number
}

/** What a row's `data` holds: the archive but for the row's own columns, and what its commit answered. */
export interface ArchiveData extends Omit<Archive, 'id' | 'uri' | 'session' | 'fromSeq' | 'toSeq' | 'children'> {
  /** Of every role. */
  readonly messages: number
  /** Nobody has counted yet how many are whose: `counts` has the tokens alone. */
  readonly uncounted?: boolean
  /** The branch's entry right before the range; null at the root. */
  readonly before: EntryId | null
  /** Of a parent: whether its sources follow each other on one branch. */
  readonly chained: boolean
  readonly cause: CommitCause
  readonly job: JobId | null
  readonly traceId?: string
}

export interface StoredArchive extends Omit<ArchiveRow, 'data'> {
  readonly id: ArchiveId
  readonly children: readonly ArchiveId[]
  readonly data: ArchiveData
}

/** A row as this release reads it. Throws `store.corrupt` for one that is none: never an empty archive. Law M38. */
export function storedArchive(row: ArchiveRow): StoredArchive {
  const { data } = row
  const isWhole =
    (data['state'] === 'sealed' || data['state'] === 'ready' || data['state'] === 'merged') &&
    typeof data['overview'] === 'string' &&
    typeof data['abstract'] === 'string' &&
    typeof data['endEntry'] === 'string' &&
    isObject(data['counts'])
  if (!isWhole)
    throw new SkeinError('store.corrupt' satisfies ErrorCode, `Archive ${row.id} can't be read. Run skein doctor.`, {
      details: { session: row.session, archive: row.id },
    })
  return row as unknown as StoredArchive
}

export const archiveData = (data: ArchiveData): JsonObject => data as unknown as JsonObject

export function archiveUri(tenant: string, session: SessionId, id: string): string {
  return `skein://${encodeURIComponent(tenant)}/session/${encodeURIComponent(session)}/archive/${encodeURIComponent(id)}`
}

export function archiveOf(tenant: string, row: StoredArchive): Archive {
  const {
    messages: _messages,
    uncounted: _uncounted,
    before: _before,
    chained: _chained,
    cause: _cause,
    job: _job,
    traceId: _trace,
    ...shown
  } = row.data
  return {
    id: row.id,
    uri: archiveUri(tenant, row.session, row.id),
    session: row.session,
    fromSeq: row.fromSeq,
    toSeq: row.toSeq,
    ...shown,
    ...(row.children.length === 0 ? {} : { children: row.children }),
  }
}

export function unknownArchive(session: SessionId, id: string): SkeinError {
  return new SkeinError('archive.not_found', `Session ${session} has no archive ${id}.`, { details: { session, ref: id } })
}
