import { z } from '@hono/zod-openapi'
import { count, json, mapId, sessionId, time, usage } from './entry-schemas.ts'

const fields = {
  map: mapId,
  kind: z.enum(['llm', 'agentic']),
  state: z.enum(['running', 'stopped', 'ended']),
  parent: sessionId.nullable(),
  total: count.nullable(),
  succeeded: count,
  failed: count,
  needs: z.array(z.string()),
  startedAt: time,
  endedAt: time.nullable(),
}

export const mapInfo: z.ZodType = z.object(fields).openapi('Map')

const mapResult = z
  .object({
    index: count,
    input: json,
    output: json,
    success: z.boolean(),
    error: z.string().nullable(),
    errorKind: z.enum(['timeout', 'not_json', 'schema_mismatch', 'model_error', 'aborted']).nullable(),
    attempts: count,
    usage,
    session: sessionId.optional(),
  })
  .openapi('MapResult')

export const mapPage: z.ZodType = z.object({ ...fields, items: z.array(mapResult), next: count.optional() }).openapi('MapPage')
