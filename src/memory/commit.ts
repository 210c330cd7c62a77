import { given, isObject, isSkeinError, type Json, type JobId, SkeinError } from '#kernel'
import { type Change, checkKey, isPath, type SessionRow } from '#journal'
import { digestOf, type SessionCore } from '#session'
import { type ArchiveData, archiveData, type ArchiveId, archiveUri, type CommitCause } from './archive-row.ts'
import { archiveReader, cursorData, type Cursor, cursorOf, moveOf } from './commit-cursor.ts'
import type { CommitOptions, CommitResult, Sealed } from './commit-types.ts'
import type { MemoryParts } from './memory-parts.ts'
import { usePrepared } from './prepared.ts'
import { isLive, liveBranch } from './live-branch.ts'
import { liveCounts } from './live-counts.ts'
import { sealRange } from './seal-range.ts'
import { whenReady } from './commit-wait.ts'

export const summarizeKind = 'archive.summarize'
const tries = 5

/** What rooms inside ask of a commit beside its options. */
export interface CommitAsk extends CommitOptions {
  readonly cause?: CommitCause
  readonly traceId?: string
}

/**
 * Seals what is live into an archive: one transaction that needs no lease and waits for no run. What stands for the range is
 * written by a job. With `wait` the archive is ready, or sealed with an error when the time is over. Laws M9–M19.
 */
export async function commitSession(core: SessionCore, parts: MemoryParts, ask: CommitAsk = {}): Promise<CommitResult> {
  ask.signal?.throwIfAborted()
  const { idempotencyKey: key } = ask
  if (key !== undefined) checkKey(key)
  const sealed = await core.verb(
    async () => (key === undefined ? undefined : await sealedBefore(core, key, ask)) ?? (await seal(core, parts, ask)),
  )
  if (!sealed.archived) return sealed
  return await whenReady(core, sealed, ask)
}

async function seal(core: SessionCore, parts: MemoryParts, ask: CommitAsk): Promise<CommitResult> {
  for (let round = 1; ; round++) {
    try {
      const { result, isNew } = await sealOnce(core, parts, ask)
      if (isNew && result.archived) {
        const { archive, fromSeq, toSeq, cause } = result
        core.live.emit({ type: 'archive_sealed', session: core.id, archive, fromSeq, toSeq, cause })
      }
      return result
    } catch (error) {
      // What the key's own first commit has changed may be what refuses this one, in its plan or in the store.
      const before =
        ask.idempotencyKey === undefined || !isSkeinError(error) ? undefined : await sealedBefore(core, ask.idempotencyKey, ask)
      if (before !== undefined) return before
      if (!isSkeinError(error) || error.code !== 'store.conflict' || round >= tries) throw error
    }
  }
}

/** With a key the store is asked also when nothing is live: it keeps that, or knows that the key's range is why. */
async function sealOnce(
  core: SessionCore,
  parts: MemoryParts,
  ask: CommitAsk,
): Promise<{ readonly result: CommitResult; readonly isNew: boolean }> {
  const plan = await planSeal(core, parts, await core.row(), ask)
  if (plan.changes.length === 0 && ask.idempotencyKey === undefined) return { result: plan.result, isNew: false }
  const { replayed, memo } = await core.store.commit(plan.changes, {
    ...keyed(core, ask),
    ...given({ signal: ask.signal }),
    memo: plan.memo,
  })
  if (!replayed || !isObject(memo)) return { result: plan.result, isNew: true }
  return { result: checkedEnd(memo as unknown as CommitResult, plan.askedThrough), isNew: false }
}

const nothing = { archived: false, reason: 'empty' } as const

interface SealPlan {
  readonly changes: readonly Change[]
  readonly result: CommitResult
  /** Kept with the key: the result, and where it was asked to end. */
  readonly memo: Json
  readonly askedThrough: string | null
}

async function planSeal(core: SessionCore, parts: MemoryParts, row: SessionRow, ask: CommitAsk): Promise<SealPlan> {
  const askedThrough = ask.through ?? null
  const cursor = cursorOf(row)
  const { clock, ids } = core.runtime
  const now = clock.now()
  const throughSeq = ask.through === undefined ? undefined : await placeOf(core, row, ask.through)
  const used = ask.token === undefined ? undefined : await usePrepared(core, parts, row, ask.token)
  const range = await sealRange(
    core,
    row,
    { ...given({ throughSeq }), keepTurns: ask.keepTurns ?? 0, sealsOpenCalls: ask.cause === 'close' },
    now,
  )
  if (range === undefined) {
    return { changes: [], memo: { ...nothing, asked: askedThrough }, result: nothing, askedThrough }
  }
  const { end } = range
  const { liveTokens } = await liveCounts(core, row)
  const id = used?.archive ?? ids('arc')
  const job = ids('job')
  const cause = ask.cause ?? 'manual'
  const extraction = await parts.extraction.extractionChanges({
    core,
    row,
    toSeq: end.seq,
    endEntry: end.id,
    extract: ask.extract !== false,
    ...given({ sessionTime: ask.sessionTime, traceId: ask.traceId }),
  })
  const data: ArchiveData = {
    ...range.data,
    state: 'sealed',
    overview: '',
    abstract: '',
    by: 'fallback',
    endEntry: end.id,
    chained: true,
    cause,
    job,
    createdAt: now,
    ...given({ idempotencyKey: ask.idempotencyKey, traceId: ask.traceId }),
  }
  const fromSeq = cursor.archivedTo + 1
  const next: Cursor = {
    archivedTo: end.seq,
    commits: cursor.commits + 1,
    lastCommitAt: now,
    base: range.totals,
    move: moveOf(row),
  }
  const result: Sealed = {
    archived: true,
    status: 'sealed',
    archive: id,
    uri: archiveUri(core.store.tenant, core.id, id),
    fromSeq,
    toSeq: end.seq,
    messages: range.messages,
    tokensBefore: liveTokens,
    tokensAfter: liveTokens - range.tokens,
    jobs: [job, ...extraction.jobs],
    extraction: extraction.extraction,
    cause,
  }
  return {
    changes: [
      { type: 'require', that: { session: core.id, states: ['active', 'ended'] } },
      { type: 'put_watermark', session: core.id, reader: archiveReader, seq: end.seq, expect: cursor.archivedTo },
      { type: 'put_archive', id, session: core.id, fromSeq, toSeq: end.seq, data: archiveData(data), expectVersion: 0 },
      summarizeLater(core, job, id, ask.traceId),
      ...(used?.changes ?? []),
      ...extraction.changes,
      { type: 'append', session: core.id, entries: [], head: { set: { lastAccessedAt: now }, merge: cursorData(next) } },
    ],
    result,
    memo: { ...result, endEntry: end.id, asked: askedThrough } as unknown as Json,
    askedThrough,
  }
}

/** Where an entry stands in the journal. Throws `entry.not_found`, also for one that the leaf has left behind. */
async function placeOf(core: SessionCore, row: SessionRow, id: NonNullable<CommitOptions['through']>): Promise<number> {
  const details = { details: { entry: id } }
  const entry = await core.store.entry(core.id, id)
  if (entry === undefined) throw new SkeinError('entry.not_found', `Session ${core.id} has no entry ${id}.`, details)
  const branch = await liveBranch(core, row)
  if (isPath(entry) && entry.seq > branch.archivedTo && !isLive(branch, entry))
    throw new SkeinError('entry.not_found', `Entry ${id} is not on the branch.`, details)
  return entry.seq
}

export function summarizeLater(core: Pick<SessionCore, 'id'>, job: JobId, archive: ArchiveId, traceId?: string): Change {
  return {
    type: 'enqueue',
    job: {
      id: job,
      kind: summarizeKind,
      key: core.id,
      session: core.id,
      payload: { session: core.id, archive },
      maxAttempts: 5,
      ...given({ traceId }),
    },
  }
}

/** A key belongs to its session: another session's same key is another. */
function keyed(core: SessionCore, { idempotencyKey: key }: CommitAsk): { key?: string; digest?: string } {
  return key === undefined ? {} : { key: storeKey(core, key), digest: digestOf(core.id, ['commit', key]) }
}
const storeKey = (core: SessionCore, key: string): string => `commit ${digestOf(core.id, key)}`

/** What the same key sealed before, whatever is live by now. Law M18. */
async function sealedBefore(core: SessionCore, key: string, ask: CommitAsk): Promise<CommitResult | undefined> {
  const before = await core.store.replay(storeKey(core, key), digestOf(core.id, ['commit', key]))
  return isObject(before?.memo) ? checkedEnd(before.memo as unknown as CommitResult, ask.through ?? null) : undefined
}

function checkedEnd(memo: CommitResult, through: string | null): CommitResult {
  const { asked, endEntry, ...result } = memo as CommitResult & { asked?: string | null; endEntry?: string }
  if (through !== null && through !== asked && through !== endEntry)
    throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for a commit that ends elsewhere.')
  return result as CommitResult
}
