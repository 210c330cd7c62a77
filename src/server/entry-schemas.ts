import { z } from '@hono/zod-openapi'

const ulid = '[0-7][0-9A-HJKMNP-TV-Z]{25}'
const idOf = (prefix: string, example: string): z.ZodType<string> =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_${ulid}$`))
    .openapi({ example })

export const sessionId: z.ZodType<string> = idOf('ses', 'ses_01HF7YAT000000000000000000')
export const entryId: z.ZodType<string> = idOf('ent', 'ent_01HF7YAT000000000000000000')
export const turnId: z.ZodType<string> = idOf('trn', 'trn_01HF7YAT000000000000000000')
export const runId: z.ZodType<string> = idOf('run', 'run_01HF7YAT000000000000000000')
export const jobId: z.ZodType<string> = idOf('job', 'job_01HF7YAT000000000000000000')
export const approvalId: z.ZodType<string> = idOf('apr', 'apr_01HF7YAT000000000000000000')
export const mapId: z.ZodType<string> = idOf('map', 'map_01HF7YAT000000000000000000')
export const inputId: z.ZodType<string> = idOf('inp', 'inp_01HF7YAT000000000000000000')

/** Epoch milliseconds. */
export const time: z.ZodType<number> = z.int().min(0)
export const count: z.ZodType<number> = z.int().min(0)
/** Any JSON value. */
export const json: z.ZodType = z.unknown()
/** Any JSON object. */
export const jsonObject: z.ZodType = z.record(z.string(), z.unknown())

const tokens = z.int().min(0).nullable()

export const usage: z.ZodType = z
  .object({
    inputTokens: tokens,
    cacheReadTokens: tokens,
    cacheWrite5mTokens: tokens,
    cacheWrite1hTokens: tokens,
    outputTokens: tokens,
    reasoningTokens: tokens,
  })
  .openapi('Usage')

export const usageInput: z.ZodType = z
  .strictObject({
    inputTokens: tokens.optional(),
    cacheReadTokens: tokens.optional(),
    cacheWrite5mTokens: tokens.optional(),
    cacheWrite1hTokens: tokens.optional(),
    outputTokens: tokens.optional(),
    reasoningTokens: tokens.optional(),
  })
  .openapi('UsageInput')

/** A part as it is read, a large one as a stub where stubs were asked for. */
export const part: z.ZodType = z
  .looseObject({
    type: z.enum(['text', 'reasoning', 'tool_call', 'tool_result', 'file', 'source', 'custom', 'lost']),
  })
  .openapi('Part')

export const finishReason: z.ZodType<string> = z.enum([
  'stop',
  'length',
  'tool_calls',
  'content_filter',
  'error',
  'aborted',
  'other',
])

export const sessionMessage: z.ZodType = z
  .looseObject({
    id: entryId,
    seq: count,
    at: time,
    turn: turnId.optional(),
    role: z.enum(['user', 'assistant', 'tool', 'system']),
    parts: z.array(part),
    finishReason: finishReason.optional(),
    isSummary: z.literal(true).optional(),
    summary: z.string().optional(),
    pruned: z.array(count).optional(),
  })
  .openapi('SessionMessage')

/** A message as it is handed in. The verb checks what is in it, for the format that is named. */
export const messageInput: z.ZodType = z.looseObject({}).openapi('MessageInput')

/** What a person says: a text, parts, or a user message. */
export const input: z.ZodType = z.union([z.string(), z.array(z.unknown()), z.looseObject({})]).openapi('Input')

export const toolDescription: z.ZodType = z
  .strictObject({ name: z.string(), description: z.string(), inputSchema: z.unknown() })
  .openapi('ToolDescription')

export const entry: z.ZodType = z
  .looseObject({
    id: entryId,
    session: sessionId,
    seq: z.int().min(1),
    parentId: entryId.nullable(),
    type: z.string(),
    v: z.int(),
    at: time,
    by: z.string().optional(),
    turn: turnId.optional(),
    run: runId.optional(),
    traceId: z.string().optional(),
    tokens: count.optional(),
    counter: z.string().optional(),
    totals: z.object({ messages: count, turns: count, tokens: count }).optional(),
    data: z.unknown(),
  })
  .openapi('Entry')

export const durability: z.ZodType<string> = z.enum(['full', 'relaxed', 'none'])

export const messageFormat: z.ZodType<'skein' | 'openai' | 'openai-responses' | 'anthropic' | 'ai-sdk'> = z.enum([
  'skein',
  'openai',
  'openai-responses',
  'anthropic',
  'ai-sdk',
])

export const errorAnswer: z.ZodType = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      retryable: z.boolean(),
      details: z.record(z.string(), z.unknown()),
      requestId: z.string(),
    }),
  })
  .openapi('Error')
