import { isSkeinError } from '#kernel'
import type { Change, SessionRow, TenantStore } from '#journal'
import type { Runtime } from '#session'
import { extractedEnd } from './extraction-apply.ts'
import { type ExtractorName, rangeChanges } from './extraction-cut.ts'
import { activeRanges, extractedReader, jobOf, putRange, queuedReader, type StoredRange } from './ranges.ts'
import { rewoundTo } from './taught.ts'

const tries = 5

/**
 * Learns again from `seq` on: what stood there is replaced by new ranges up to where they ended. `false`, with nothing changed,
 * where that is not within what was queued. Law M51.
 */
export async function rewindTo(
  runtime: Runtime,
  store: TenantStore,
  row: SessionRow,
  extractor: ExtractorName,
  seq: number,
): Promise<boolean> {
  for (let round = 1; ; round++) {
    const changes = await rewindChanges(runtime, store, row, extractor, seq)
    if (changes === undefined) return false
    try {
      await store.commit(changes)
      return true
    } catch (error) {
      const isRace = isSkeinError(error) && (error.code === 'store.conflict' || error.code === 'job.wrong_state')
      if (!isRace || round >= tries) throw error
    }
  }
}

async function rewindChanges(
  runtime: Runtime,
  store: TenantStore,
  row: SessionRow,
  extractor: ExtractorName,
  seq: number,
): Promise<Change[] | undefined> {
  const session = row.id
  const { name } = extractor
  const queued = await store.watermark(session, queuedReader(name))
  if (!Number.isSafeInteger(seq) || seq < 1 || seq > queued || row.leafId === null) return undefined
  const stored = await store.watermark(session, extractedReader(name))
  const extracted = await extractedEnd(runtime, store, session, name, stored)
  const ranges = (await activeRanges(store, session, name)).filter(({ row: { toSeq } }) => toSeq >= seq)
  const ask = { runtime, store, extractor, session, toSeq: queued, endEntry: row.leafId, extract: true }
  const { changes } = await rangeChanges(ask, seq, queued)
  return [
    // Who cuts or settles meanwhile is met here.
    { type: 'put_watermark', session, reader: queuedReader(name), seq: queued, expect: queued },
    { type: 'put_watermark', session, reader: extractedReader(name), seq: Math.min(extracted, seq - 1), expect: stored },
    ...(await Promise.all(ranges.map(range => setAside(store, range, seq)))).flat(),
    rewoundTo(session, name, queued),
    ...changes,
  ]
}

/** A range that begins before `seq` ends there; the others give way, and a parked job of theirs is given up. */
async function setAside(store: TenantStore, { row, version }: StoredRange, seq: number): Promise<Change[]> {
  if (row.fromSeq < seq) return [putRange({ ...row, toSeq: seq - 1, wasTo: row.wasTo ?? row.toSeq }, { expectVersion: version })]
  const job = await jobOf(store, row)
  return [
    putRange(row, { expectVersion: version, replaced: true }),
    ...(job?.state === 'parked' ? [{ type: 'redrive' as const, job: job.id, action: 'skip' as const, reason: 'rewound' }] : []),
  ]
}
