import { z } from '@hono/zod-openapi'
import { count, entryId, jobId, sessionId, time, usage } from './entry-schemas.ts'

const evidence = z.object({
  session: sessionId,
  entry: entryId.nullable(),
  fromSeq: count,
  toSeq: count,
  quote: z.string().nullable(),
  at: time,
  range: z.string(),
  job: jobId,
})

const members = {
  id: z.string(),
  uri: z.string(),
  version: count,
  owner: z.string(),
  category: z.string(),
  key: z.string(),
  abstract: z.string(),
  overview: z.string(),
  content: z.string(),
  confidence: z.number(),
  inference: z.boolean(),
  evidence: z.array(evidence),
  seen: count,
  uses: count.optional(),
  validFrom: z.number(),
  validTo: z.number().nullable(),
  recordedAt: time,
  retiredAt: time.nullable(),
  contradicts: z.array(z.string()),
  source: z.object({ session: sessionId, extractor: z.string(), range: z.string(), job: jobId }),
}

export const memory: z.ZodType = z.object(members).openapi('Memory')
export const memoryPage: z.ZodType = z.object({ items: z.array(memory), next: z.string().optional() }).openapi('MemoryPage')

const rank = count.optional()
export const memoryHits: z.ZodType = z
  .object({
    items: z.array(
      z.object({ ...members, score: z.number(), legs: z.object({ fts: rank, ngram: rank, vector: rank }) }).openapi('MemoryHit'),
    ),
    degraded: z.array(z.string()),
  })
  .openapi('MemoryHits')

export const pending: z.ZodType = z
  .object({
    items: z.array(z.object({ session: sessionId, extractedTo: count, queuedTo: count, running: z.boolean() })),
  })
  .openapi('PendingExtractions')

export const rangeState: z.ZodEnum<{
  pending: 'pending'
  running: 'running'
  ok: 'ok'
  empty: 'empty'
  partial: 'partial'
  failed: 'failed'
  parked: 'parked'
  skipped: 'skipped'
}> = z.enum(['pending', 'running', 'ok', 'empty', 'partial', 'failed', 'parked', 'skipped'])

const faults = z.array(z.object({ index: count, code: z.string() }))

const range = z
  .object({
    id: z.string(),
    session: sessionId,
    extractor: z.string(),
    fromSeq: count,
    toSeq: count,
    piece: z.object({ from: count, to: count, last: z.boolean() }).optional(),
    state: rangeState,
    reason: z.string().optional(),
    failure: z.enum(['model', 'timeout', 'parse', 'store', 'auth']).optional(),
    attempts: count,
    usage: z.union([usage, z.null()]),
    cost: z.number().nullable(),
    model: z.string().nullable(),
    promptHash: z.string().nullable(),
    counts: z.object({ candidates: count, applied: count, belowThreshold: count, rejected: count }),
    belowThreshold: count,
    applied: z.array(z.object({ index: count, action: z.enum(['add', 'same', 'supersede', 'contradict']), uri: z.string() })),
    rejected: faults,
    ignored: faults,
    job: jobId.nullable(),
    lastError: z.object({ code: z.string(), message: z.string() }).optional(),
    createdAt: time,
    endedAt: time.nullable(),
  })
  .openapi('ExtractionRange')

export const rangePage: z.ZodType = z
  .object({ items: z.array(range), next: z.string().optional() })
  .openapi('ExtractionRangePage')

const touched = z.array(z.object({ id: z.string(), uri: z.string(), version: count }))
export const receipt: z.ZodType = z
  .object({ id: z.string(), of: z.literal('undo'), at: time, retired: touched, reopened: touched, kept: touched })
  .openapi('MemoryReceipt')

export const eraseReceipt: z.ZodType = z
  .object({
    id: z.string(),
    of: z.literal('erase'),
    at: time,
    state: z.enum(['queued', 'done']),
    job: z.string(),
    sessions: count,
    entries: count,
    blobs: count,
    archives: count,
    views: count,
    jobs: count,
    overviews: count,
    memories: count,
    versions: count,
    quotes: count,
    forks: z.array(z.string()),
  })
  .openapi('EraseReceipt')
