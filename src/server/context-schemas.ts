import { z } from '@hono/zod-openapi'
import { count, entryId, sessionId, time, turnId, usage } from './entry-schemas.ts'

const sum = z.number().min(0)
const summaryId = z.string()
const standing = {
  shown: z.enum(['raw', 'pruned', 'cut', 'summary', 'absent']),
  via: z.array(summaryId),
  since: z.string().nullable(),
  reason: z.string().nullable(),
  tokens: sum,
}

export const explained: z.ZodType = z.object(standing).openapi('Explained')
export const contextItem: z.ZodType = z
  .object({ ref: z.string(), kind: z.enum(['summary', 'entry', 'note']), ...standing })
  .openapi('ContextItem')

export const compactionResult: z.ZodType = z
  .object({
    id: z.string(),
    trigger: z.enum(['soft', 'hard', 'manual', 'overflow']),
    status: z.string(),
    reason: z.string().optional(),
    level: count,
    summaries: z.array(summaryId),
    coveredEntries: count,
    pruned: z.object({ parts: count, tokens: sum }),
    cut: z.object({ parts: count, tokens: sum }),
    tokensBefore: sum,
    tokensAfter: sum,
    summaryTokens: sum,
    target: sum,
    usable: sum,
    attempts: z.array(z.object({ level: count, outcome: z.string(), tokens: sum, ms: sum })),
    usage: z.union([usage, z.null()]),
    cost: z.number().nullable(),
    elapsedMs: sum,
  })
  .openapi('CompactionResult')

export const restored: z.ZodType = z.object({ restored: z.array(z.string()), version: count }).openapi('Restored')

export const turnsPage: z.ZodType = z
  .object({ items: z.array(z.looseObject({ index: count, turn: turnId })), next: count.optional() })
  .openapi('TurnsPage')

export const summaries: z.ZodType = z
  .object({ items: z.array(z.looseObject({ id: summaryId, kind: z.enum(['leaf', 'condensed']), shown: z.boolean() })) })
  .openapi('Summaries')

export const auditReport: z.ZodType = z
  .object({
    entries: count,
    raw: count,
    covered: count,
    hidden: count,
    prefill: count,
    missing: z.array(entryId),
    doubled: z.array(entryId),
    unreachable: z.array(z.string()),
    findings: z.array(z.object({ kind: z.string(), ref: z.string(), message: z.string() })),
  })
  .openapi('Audit')

const unit = z.enum(['lines', 'chars', 'bytes'])
export const expanded: z.ZodType = z
  .object({
    ref: z.string(),
    kind: z.enum(['summary', 'entry', 'part', 'blob']),
    content: z.string(),
    encoding: z.enum(['text', 'base64']),
    unit,
    offset: count,
    total: count,
    next: z.object({ offset: count, unit, limit: count.optional() }).optional(),
  })
  .openapi('Expanded')

const neighbour = z.object({ ref: entryId, role: z.string(), excerpt: z.string() }).nullable()
export const recalled: z.ZodType = z
  .object({
    hits: z.array(
      z.object({
        ref: entryId,
        session: sessionId.optional(),
        role: z.string(),
        at: time,
        turn: turnId.nullable(),
        shown: standing.shown,
        via: summaryId.nullable(),
        excerpt: z.string(),
        before: neighbour,
        after: neighbour,
      }),
    ),
    next: z.string().optional(),
  })
  .openapi('Recalled')
