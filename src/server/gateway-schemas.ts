import { z } from '@hono/zod-openapi'
import { count, sessionId, time, turnId } from './entry-schemas.ts'

/** Where a message comes from. What is in it the verb checks, so that what is wrong is `source.invalid`. */
export const source: z.ZodType = z.looseObject({ platform: z.unknown().optional() }).openapi('Source')

const hold = z.object({ kind: z.enum(['suspended', 'resume_pending', 'paused']), reason: z.string(), at: time })
const fresh = z.object({
  kind: z.enum(['auto', 'manual', 'forced']),
  reason: z.string(),
  previousSessionId: sessionId,
  hadActivity: z.boolean(),
})

export const gatewayRoute: z.ZodType = z
  .looseObject({
    key: z.string(),
    legacyKey: z.string(),
    agent: z.string(),
    version: count,
    sessionId,
    generation: count,
    origin: source,
    platform: z.string(),
    chatType: z.string(),
    startedAt: time,
    lastUserAt: time,
    lastTurnEndedAt: time.optional(),
    lastActivityAt: time,
    fresh: fresh.optional(),
    holds: z.array(hold),
    interruptions: count,
    expiryFinalized: z.boolean(),
  })
  .openapi('Route')

export const resolved: z.ZodType = z
  .object({
    sessionId,
    route: gatewayRoute,
    created: z.boolean(),
    reset: z.union([fresh, z.null()]),
    isShared: z.boolean(),
  })
  .openapi('Resolved')

export const inboxReceipt: z.ZodType = z
  .object({
    inboxId: z.string(),
    status: z.enum(['started', 'steered', 'queued', 'collected', 'interrupting', 'handled', 'refused']),
    duplicate: z.literal(true).optional(),
    reason: z.string().optional(),
    position: count.optional(),
    sessionId: sessionId.optional(),
    turnId: turnId.optional(),
  })
  .openapi('InboxReceipt')

/** A message; what is in it the verb checks. */
export const inbound: z.ZodType = z.looseObject({ source }).openapi('Inbound')

const page = (item: z.ZodType, name: string): z.ZodType =>
  z.object({ items: z.array(item), next: z.string().optional() }).openapi(name)

const inboxStates = ['received', 'refused', 'handled', 'queued', 'steered', 'collected', 'running', 'interrupted', 'done', 'failed', 'dropped'] as const // prettier-ignore
const outboxStates = ['pending', 'sending', 'delivered', 'abandoned', 'suppressed'] as const
export const inboxState: z.ZodType<(typeof inboxStates)[number]> = z.enum(inboxStates)
export const outboxState: z.ZodType<(typeof outboxStates)[number]> = z.enum(outboxStates)

const inboxMessage = z.looseObject({ id: z.string(), state: inboxState, source, text: z.string(), at: time })
export const outboxMessage: z.ZodType = z
  .looseObject({ id: z.string(), state: outboxState, text: z.string(), attempts: count, at: time })
  .openapi('OutboxMessage')

export const routePage: z.ZodType = page(gatewayRoute, 'RoutePage')
export const inboxPage: z.ZodType = page(inboxMessage, 'InboxPage')
export const outboxPage: z.ZodType = page(outboxMessage, 'OutboxPage')

export const pairing: z.ZodType = z
  .looseObject({
    id: z.string(),
    platform: z.string(),
    user: z.string(),
    state: z.enum(['pending', 'approved']),
    at: time,
    expiresAt: time.nullable(),
  })
  .openapi('Pairing')

export const schedule: z.ZodType = z
  .looseObject({
    id: z.string(),
    name: z.string(),
    zone: z.string(),
    prompt: z.string(),
    deliver: z.string(),
    enabled: z.boolean(),
    catchUp: z.enum(['one', 'none']),
    nextAt: time.nullable(),
    createdAt: time,
  })
  .openapi('Schedule')
export const schedulePage: z.ZodType = page(schedule, 'SchedulePage')

/** What is in it the verb checks. */
export const newSchedule: z.ZodType = z.looseObject({ prompt: z.unknown() }).openapi('NewSchedule')

export const explanation: z.ZodType = z.looseObject({ key: z.string() }).openapi('Explanation')
export const sourceContext: z.ZodType = z
  .looseObject({ source, connectedPlatforms: z.array(z.string()), isShared: z.boolean(), key: z.string() })
  .openapi('SourceContext')

export const delivery: z.ZodType = z
  .object({ id: z.string(), to: z.string(), instead: z.enum(['no_origin', 'unknown_platform']).optional() })
  .openapi('Delivery')

export const finding: z.ZodType = z.object({ kind: z.string(), message: z.string() })
