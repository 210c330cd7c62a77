import { given, isObject } from '#kernel'
import type { Change, JobRow, TenantStore } from '#journal'
import type { JobDone } from '#jobs'
import type { Runtime } from '#session'
import { enqueueRange, newRange, plannedFor } from './extraction-cut.ts'
import { messagesIn } from './extraction-read.ts'
import { putRange, type RangeRow, type StoredRange } from './ranges.ts'

/**
 * Cuts a range that was too long to be cut in the call: its first piece takes its place, and each piece gets a job, in one
 * transaction with the end of the one that cuts.
 */
export async function cutRange(
  runtime: Runtime,
  store: TenantStore,
  job: JobRow,
  { row, version }: StoredRange,
): Promise<JobDone> {
  const { extractor: name, version: of, session, leaf, fromSeq, toSeq } = row
  const asked = isObject(job.payload) && isObject(job.payload['cut']) ? job.payload['cut']['most'] : null
  const extractor = { name, version: of, ...(typeof asked === 'number' ? { maxInputTokens: asked } : {}) }
  const messages = await messagesIn(store, session, leaf, fromSeq - 1, toSeq)
  const sessionTime = row.sessionTime ?? undefined
  const changes: Change[] = []
  const planned = plannedFor({ extractor }, messages, row, runtime.counter)
  for (const [index, plan] of planned.entries()) {
    const made = newRange({ runtime, session, extractor, endEntry: leaf, extract: true, ...given({ sessionTime }) }, plan)
    const piece: RangeRow = {
      ...made,
      ...(index === 0 ? { id: row.id } : {}),
      createdAt: row.createdAt,
      of: { range: row.id, job: job.id },
    }
    changes.push(putRange(piece, { expectVersion: index === 0 ? version : 0 }))
    if (piece.job !== null) changes.push(enqueueRange(piece, piece.job, job.traceId ?? undefined))
  }
  return { result: { state: 'cut', ranges: planned.length }, effects: changes }
}
