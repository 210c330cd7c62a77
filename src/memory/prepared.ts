import { given, isObject, type Json, sameDigest, SkeinError } from '#kernel'
import type { Change, RecordRow, SessionRow } from '#journal'
import type { SessionCore } from '#session'
import type { ArchiveId } from './archive-row.ts'
import { cursorOf, moveOf } from './commit-cursor.ts'
import type { PrepareOptions } from './commit-types.ts'
import type { MemoryParts } from './memory-parts.ts'
import { sealRange } from './seal-range.ts'

/** One prepared commit of each session. */
export const preparedCollection = 'commit.prepared'
const ttlDefaultMs = 300_000
const settleMs = 30_000
/** A clock may be behind the one that issued a token by this much. */
const aheadMs = 5_000

export interface Prepared {
  /** 32 hex digits. Works once. */
  readonly token: string
  readonly expiresAt: number
  /** The archive that the commit will make. */
  readonly archive: ArchiveId
}

interface Stored extends Prepared {
  readonly issuedAt: number
  readonly bound: string
}

/**
 * Learns from what is live, waits for that 30 s at most, and gives a token for the commit. A second one replaces the first.
 * Laws M39, M42.
 */
export async function prepareCommit(
  core: SessionCore,
  parts: MemoryParts,
  { ttlMs = ttlDefaultMs, sessionTime, signal, traceId }: PrepareOptions,
): Promise<Prepared & { readonly extraction: Json }> {
  signal?.throwIfAborted()
  const extraction = await extractLive(core, parts, given({ sessionTime, signal, traceId }))
  return await core.verb(async () => {
    const row = await core.row()
    const issuedAt = core.runtime.clock.now()
    const prepared: Prepared = {
      token: Buffer.from(core.runtime.random.bytes(new Uint8Array(16))).toString('hex'),
      expiresAt: issuedAt + ttlMs,
      archive: core.runtime.ids('arc'),
    }
    const value = { ...prepared, issuedAt, bound: await boundTo(core, parts, row) }
    await core.store.commit([{ type: 'put_record', collection: preparedCollection, key: core.id, value }], given({ signal }))
    return { ...prepared, extraction }
  })
}

/** The range is queued in a transaction of its own; what becomes of it is told and holds up nothing. */
async function extractLive(
  core: SessionCore,
  parts: MemoryParts,
  { sessionTime, signal, traceId }: Omit<PrepareOptions, 'ttlMs'>,
): Promise<Json> {
  for (let round = 1; ; round++) {
    const row = await core.row()
    const end = (await sealRange(core, row, { keepTurns: 0, sealsOpenCalls: false }, 0))?.end
    if (end === undefined) return { extraction: 'none' }
    const ask = { core, row, toSeq: end.seq, endEntry: end.id, extract: true, ...given({ sessionTime, traceId }) }
    try {
      const { changes, extraction } = await parts.extraction.extractionChanges(ask)
      if (changes.length > 0) await core.store.commit(changes, given({ signal }))
      if (extraction !== 'queued' && changes.length === 0) return { extraction, ...(await settled(core, parts, 0, signal)) }
      return { extraction, ...(await settled(core, parts, settleMs, signal)) }
    } catch (error) {
      const isRace = error instanceof SkeinError && error.code === 'store.conflict' && round < 5
      if (!isRace) throw error
    }
  }
}

async function settled(core: SessionCore, parts: MemoryParts, ms: number, signal?: AbortSignal): Promise<Record<string, Json>> {
  return { ...(await parts.extraction.extractionSettled(core, ms, signal)) }
}

/** What a token holds for: the newest path entry, the newest leaf move, the newest archive and the ranges. Law M40. */
async function boundTo(core: SessionCore, parts: MemoryParts, row: SessionRow): Promise<string> {
  const mark = await parts.extraction.extractionMark(core)
  return JSON.stringify([row.leafId, moveOf(row), cursorOf(row).archivedTo, mark])
}

type Standing =
  | { readonly fits: true; readonly stored: Stored; readonly record: RecordRow }
  | { readonly fits: false; readonly expired: boolean }

async function standing(core: SessionCore, parts: MemoryParts, row: SessionRow, token?: string): Promise<Standing> {
  const record = await core.store.record(preparedCollection, core.id)
  if (record === undefined || !isObject(record.value)) return { fits: false, expired: false }
  const stored = record.value as unknown as Stored
  if (token !== undefined && !sameDigest(token, stored.token)) return { fits: false, expired: false }
  const now = core.runtime.clock.now()
  if (now >= stored.expiresAt || stored.issuedAt - now > aheadMs) return { fits: false, expired: true }
  if ((await boundTo(core, parts, row)) !== stored.bound) return { fits: false, expired: false }
  return { fits: true, stored, record }
}

/** Null exactly when its token would be refused. Law M74. */
export async function preparedOf(core: SessionCore, parts: MemoryParts): Promise<Prepared | null> {
  const found = await standing(core, parts, await core.row())
  if (!found.fits) return null
  const { token, expiresAt, archive } = found.stored
  return { token, expiresAt, archive }
}

/** Withdraws what was prepared, if anything was. */
export async function discardPrepared(core: SessionCore): Promise<{ readonly discarded: boolean }> {
  await core.row()
  const { results } = await core.store.commit([{ type: 'delete_record', collection: preparedCollection, key: core.id }])
  const [result] = results
  return { discarded: result !== undefined && 'deleted' in result && result.deleted }
}

/**
 * What a commit by token does and expects: the token is gone with it, and nothing may have come in between. Throws
 * `commit.token_invalid`, `commit.token_expired`; then nothing has changed.
 */
export async function usePrepared(
  core: SessionCore,
  parts: MemoryParts,
  row: SessionRow,
  token: string,
): Promise<{ readonly archive: ArchiveId; readonly changes: readonly Change[] }> {
  const found = await standing(core, parts, row, token)
  const details = { details: { session: core.id } }
  if (!found.fits) {
    throw found.expired
      ? new SkeinError('commit.token_expired', 'This token has run out. Prepare the commit again.', details)
      : new SkeinError(
          'commit.token_invalid',
          'This token stands for nothing, or not any more. Prepare the commit again.',
          details,
        )
  }
  const { record, stored } = found
  return {
    archive: stored.archive,
    changes: [
      ...(row.leafId === null ? [] : [{ type: 'require', that: { leaf: row.leafId, session: core.id } } as const]),
      { type: 'delete_record', collection: preparedCollection, key: core.id, expectVersion: record.version },
    ],
  }
}
