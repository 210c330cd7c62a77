import { z } from '@hono/zod-openapi'
import { count, entryId, finishReason, inputId, jobId, runId, sessionId, time, turnId, usage } from './entry-schemas.ts'

export const inputReceipt: z.ZodType = z
  .object({
    inputId,
    runId,
    turnId,
    session: sessionId,
    disposition: z.enum(['started', 'queued', 'duplicate']),
    seq: count,
  })
  .openapi('InputReceipt')

const turnResult = z
  .object({
    status: z.enum(['done', 'done_with_concerns', 'blocked', 'needs_user_input', 'cancelled', 'failed']),
    reason: z.string(),
    text: z.string(),
    turn: turnId,
    entries: z.array(entryId),
    finishReason: finishReason.nullable(),
    steps: count,
    usage,
    cost: z.number().nullable(),
    demo: z.literal(true).optional(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
  })
  .openapi('TurnResult')

export const runAnswer: z.ZodType = z
  .object({
    runId,
    turnId: turnId.nullable(),
    session: sessionId,
    seq: count,
    model: z.string().nullable(),
    startedAt: time,
    endedAt: time.nullable(),
    result: z.union([turnResult, z.null()]),
  })
  .openapi('Run')

const modelInfo = z
  .looseObject({ provider: z.string(), id: z.string(), name: z.string(), contextWindow: z.number(), maxOutput: z.number() })
  .openapi('ModelInfo')

export const modelList: z.ZodType = z.object({ items: z.array(modelInfo) }).openapi('ModelList')

export const modelCheck: z.ZodType = z
  .object({
    ref: z.string(),
    provider: z.string(),
    id: z.string(),
    info: modelInfo,
    route: z.object({ provider: z.string(), id: z.string(), reason: z.string() }),
    credential: z.string().nullable(),
    source: z.string().nullable(),
    problem: z
      .object({ code: z.string(), message: z.string(), retryable: z.boolean(), details: z.record(z.string(), z.unknown()) })
      .nullable(),
  })
  .openapi('ModelCheck')

export const credentialList: z.ZodType = z
  .object({ items: z.array(z.object({ provider: z.string(), kind: z.string(), source: z.string() })) })
  .openapi('CredentialList')

export const job: z.ZodType = z
  .looseObject({
    id: jobId,
    tenant: z.string(),
    kind: z.string(),
    key: z.string(),
    session: sessionId.nullable(),
    state: z.enum(['queued', 'running', 'done', 'parked', 'skipped']),
    attempts: count,
    maxAttempts: count,
    runAfter: time,
    createdAt: time,
    traceId: z.string().optional(),
    result: z.unknown().optional(),
    lastError: z.object({ code: z.string(), message: z.string().optional() }).optional(),
    startedAt: time.optional(),
    endedAt: time.optional(),
  })
  .openapi('Job')

export const jobPage: z.ZodType = z.object({ items: z.array(job), next: jobId.optional() }).openapi('JobPage')
